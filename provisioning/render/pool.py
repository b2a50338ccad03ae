"""Renders in warm child processes with limits on time, memory and output, so that no template can harm its renderer."""

import contextlib
import functools
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from provisioning.problems import Problem, ProblemsFound
from provisioning.render.child import HEADER
from provisioning.render.files import Rendered

_ROOT = Path(__file__).resolve().parent.parent.parent
_START_SECONDS = 60.0  # a start is not the template's fault; generous, for a machine under load


class RenderPool:
    """``size`` children, each serving one rendering at a time. Safe for threads and after a fork.

    ``seconds`` is what one rendering may take, ``memory_mb`` the address space of a child, ``output_bytes`` the longest
    result. Children start when they are first needed, are replaced when one had to be killed, and end with their
    parent.
    """

    def __init__(self, size: int = 2, seconds: float = 5, memory_mb: int = 512, output_bytes: int = 1_000_000):
        self.size = size
        self.seconds = seconds
        self.memory_mb = memory_mb
        self.output_bytes = output_bytes
        self._turns = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        weakref.finalize(self, _end, self._idle)
        _pools.add(self)

    def render(
        self,
        text: str,
        file: str,
        context: Mapping[str, Any],
        *,
        trusts_inputs: bool = False,
        authored: Collection[str] = (),
        language: Literal["cloudformation", "github_actions"] = "cloudformation",
    ) -> Rendered:
        """As ``render_file``, or ``render_workflow`` for github_actions; raises ProblemsFound also when the rendering
        takes too long, needs too much memory or ends its process. Waits while all children are busy."""
        job = {"text": text, "file": file, "context": context, "trusts_inputs": trusts_inputs, "language": language}
        return Rendered(self._text({**job, "authored": list(authored)}))

    def render_settings(
        self,
        manifest: str,
        file: str,
        context: Mapping[str, Any],
        *,
        trusts_inputs: bool = False,
        authored: Collection[str] = (),
    ) -> dict[str, Any]:
        """As ``settings.render_settings``, under the same limits as ``render``."""
        job = {"text": manifest, "file": file, "context": context, "trusts_inputs": trusts_inputs, "settings": True}
        return dict(json.loads(self._text({**job, "authored": list(authored)})))

    def _text(self, job: Mapping[str, Any]) -> str:
        with self._turns:
            answer = self._answer(job, job["file"])
        if "text" in answer:
            return str(answer["text"])
        raise ProblemsFound(Problem(**problem) for problem in answer["problems"])

    def close(self) -> None:
        """Ends the idle children. The pool can be used again."""
        with self._lock:
            _end(self._idle)

    def _answer(self, job: Mapping[str, Any], file: str) -> dict[str, Any]:
        """The answer of an idle child or, where it turns out to have ended meanwhile, of a new one."""
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        child = idle or self._started()
        try:
            answer = child.exchange(job, time.monotonic() + self.seconds)
        except _TooSlow:
            raise self._killed(child, f"took longer than {self.seconds:g} s and was stopped", file) from None
        except _Broken:
            message = f"ended its process: it needed more than {self.memory_mb} MB or {self.seconds:g} s"
            refusal = self._killed(child, message, file)
            if idle is None:
                raise refusal from None
        except BaseException:
            child.kill()
            raise
        else:
            with self._lock:
                self._idle.append(child)
            return answer
        return self._answer(job, file)

    def _started(self) -> "_Child":
        child = _Child(self.output_bytes * 6 + 1_000_000)  # JSON may write one character as six
        limits = {"memory_mb": self.memory_mb, "seconds": self.seconds, "output_bytes": self.output_bytes}
        try:
            child.exchange(limits, time.monotonic() + _START_SECONDS)
        except (_TooSlow, _Broken) as error:
            child.kill()
            raise RuntimeError("the process that renders does not start") from error
        return child

    def _killed(self, child: "_Child", message: str, file: str) -> ProblemsFound:
        child.kill()
        return ProblemsFound([Problem("", f"rendering {message}", file=file)])

    def _after_fork(self) -> None:
        """The children are the parent's: the new process forgets them and lets go of their pipes."""
        for child in self._idle:
            child.forget()
        self._idle.clear()
        self._turns = threading.BoundedSemaphore(self.size)
        self._lock = threading.Lock()


class _TooSlow(Exception):
    pass


class _Broken(Exception):
    """The child is gone, or what it says makes no sense."""


class _Child:
    def __init__(self, longest_answer: int):
        self._longest = longest_answer
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "provisioning.render.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={},
            close_fds=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def alive(self) -> bool:
        return self._process.poll() is None

    def exchange(self, job: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        data = json.dumps(job).encode()
        self._write(HEADER.pack(len(data)) + data, deadline)
        (length,) = HEADER.unpack(self._read(HEADER.size, deadline))
        if length > self._longest:
            raise _Broken
        try:
            answer = json.loads(self._read(length, deadline))
        except ValueError:
            raise _Broken from None
        if not isinstance(answer, dict) or not answer.keys() & {"text", "problems", "ready"}:
            raise _Broken
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.let_go()

    def forget(self) -> None:
        """In a process that did not start it: neither waits for it nor complains that nobody did."""
        self._process.returncode = 0
        self.let_go()

    def let_go(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _write(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(deadline, writing=True)
            try:
                rest = rest[os.write(self._in, rest[:65536]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _Broken from None

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(deadline, writing=False)
            try:
                piece = os.read(self._out, min(size - len(data), 1 << 20))
            except BlockingIOError:
                continue
            except OSError:
                raise _Broken from None
            if not piece:
                raise _Broken
            data += piece
        return bytes(data)

    def _wait(self, deadline: float, *, writing: bool) -> None:
        left = deadline - time.monotonic()
        poll = select.poll()
        poll.register(self._in if writing else self._out, select.POLLOUT if writing else select.POLLIN)
        if left <= 0 or not poll.poll(left * 1000):
            raise _TooSlow


def _end(children: list[_Child]) -> None:
    while children:
        children.pop().kill()


_pools: "weakref.WeakSet[RenderPool]" = weakref.WeakSet()


def _forget_in_fork() -> None:
    for pool in list(_pools):
        pool._after_fork()


os.register_at_fork(after_in_child=_forget_in_fork)


@functools.cache
def default_pool() -> RenderPool:
    """The pool of this process, made when it is first asked for."""
    return RenderPool()
