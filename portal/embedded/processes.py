"""One child process of the supervisor: started in its own session, ended with everything it started itself."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LONGEST_BACK_OFF = 30.0  # seconds
STABLE = 60.0  # seconds; a child that lived so long starts again without delay
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel for this signal when our parent dies, however it dies. Elsewhere than on Linux: does nothing."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number))


class Child:
    """A process that is kept running. Its output goes to ``log``, the one of the run before to ``log``.1."""

    def __init__(
        self,
        name: str,
        args: Sequence[object],
        env: Mapping[str, str],
        log: Path,
        *,
        grace: float = 5.0,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.args, self.env, self.log, self.grace, self.before = name, args, env, log, grace, before
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.failures = 0
        self.start_again_at: float | None = None

    def start(self, cwd: Path) -> None:
        self.before()
        if not self.failures and self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        supervisor = os.getpid()

        def follow() -> None:
            end_with_parent()
            if os.getppid() != supervisor:  # it died before the kernel knew of our wish
                os._exit(1)

        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(arg) for arg in self.args],
                env=dict(self.env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow,
            )
        self.started_at = time.monotonic()
        self.start_again_at = None

    @property
    def ended(self) -> int | None:
        """The exit code, or None while it runs or was never started."""
        return self.process.poll() if self.process else None

    @property
    def how_it_ended(self) -> str:
        code = self.ended
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def plan_restart(self) -> float:
        """End what it left behind, set the time of the next start and return the delay in seconds: 0, 1, 2, 4 … 30."""
        if time.monotonic() - self.started_at > STABLE:
            self.failures = 0
        self._end_group()
        delay = 0.0 if self.failures == 0 else min(2.0 ** (self.failures - 1), LONGEST_BACK_OFF)
        self.failures += 1
        self.start_again_at = time.monotonic() + delay
        return delay

    def ask_to_end(self) -> None:
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def make_end(self, deadline: float) -> None:
        """Wait until ``deadline`` (monotonic clock), then kill it; either way end whatever it left behind."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        self._end_group()
        self.process.wait()

    def _end_group(self) -> None:
        """Kill whatever is left of the child's session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def last_lines(self, count: int = 15) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-count:])


def end_all(children: Sequence[Child]) -> None:
    """Ask all to end at once, then wait for each as long as its grace allows."""
    asked_at = time.monotonic()
    for child in children:
        child.ask_to_end()
    for child in children:
        child.make_end(asked_at + child.grace)
