"""The process that watches one run: ``python -m provisioning.commands.supervise FOLDER``, the request on its input.

It starts the run once, whatever is called twice: a lock is held while it lives, and ``started`` is made exactly once.
It masks and caps what the run prints, ends it when its time, its memory or its output is up, when it is told to
(SIGTERM), or when it dies itself. At the end it writes ``result.json``.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from provisioning.commands import network, sandbox
from provisioning.commands.ansi import Plain
from provisioning.commands.masking import Masker
from provisioning.commands.notify import notify
from provisioning.commands.request import Request, Result, write_json
from provisioning.commands.script import AWS, MOST_OUTPUTS, OUTPUTS_FD, script

LOOK_SECONDS = 0.25
PLACES = "deuteron-run-"  # and the supervisor's process id
TOO_LONG = "The run printed more than {limit} bytes and was ended."
TOO_SLOW = "The run took longer than {limit:g} seconds and was ended."
TOO_BIG = "The run needed more than {limit} bytes of memory and was ended."
STOPPED = "The run was ended on request."


stopped: list[int] = []  # signals that asked the run to end


class Ended(Exception):
    """The run must end now; the message says why."""


class Log:
    """``log`` of the run's folder: masked and capped."""

    def __init__(self, path: Path, secrets: Sequence[str], limit: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._secrets, self._left, self._limit = tuple(secrets), limit, limit
        self._plain, self._masker = Plain(), Masker(secrets)
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """What the run printed. First it is made plain: a colour in the middle of a secret must not hide it."""
        self._add(self._masker.feed(self._plain.feed(data)))
        if self._left < 0:
            raise Ended(TOO_LONG.format(limit=self._limit))

    def say(self, text: str) -> None:
        """A line of our own, which the run may have had a hand in."""
        own = Masker(self._secrets)
        self._add(own.feed(f"{text}\n".encode()) + own.end())

    def _add(self, data: bytes) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(data[: max(0, self._left)])
                self._left -= len(data)

    def close(self) -> None:
        self._add(self._masker.feed(self._plain.feed(b"", final=True)) + self._masker.end())
        self._file.close()


def main(folder: Path, text: str) -> None:
    """``text`` may be cut off, when whoever asked for the run was killed while asking: then nothing is started."""
    try:
        request = Request.load(text)
    except ValueError:
        return
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(folder / "started", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except (BlockingIOError, FileExistsError):
        return
    (folder / "pid").write_text(str(os.getpid()))
    began = time.monotonic()
    log = Log(folder / "log", request.secrets, request.limits.output)
    code, reason, outputs = 125, "", ""
    try:
        code, outputs = run(request, log, folder)
    except Ended as end:
        reason = str(end)
    except (sandbox.NoSandbox, OSError) as trouble:
        reason = f"The run could not be started: {trouble}"
    except Exception as trouble:
        traceback.print_exc()
        reason = f"The run could not be followed to its end: {type(trouble).__name__}"
    log.close()
    result = Result(code, reason, outputs, round(time.monotonic() - began, 3))
    write_json(folder / "result.json", asdict(result))


def run(request: Request, log: Log, folder: Path) -> tuple[int, str]:
    """Exit code and proton-outputs.json. Raises Ended, NoSandbox, OSError."""
    with _input_folder(request) as (place, uid), contextlib.ExitStack() as opened:
        pipes = [os.pipe() for _ in range(3)]
        (info_read, info_write), (block_read, block_write), (outputs_read, outputs_write) = pipes
        for fd in (outputs_read, info_read):
            opened.callback(_close, fd)
        if request.sandbox:
            options = sandbox.arguments(input_folder=place, uid=uid, limits=request.limits, info=info_write)
            options += ["--block-fd", str(block_read)]
            for pair in _environment(request).items():
                options += ["--setenv", *pair]
            given = _in_memory(options)  # a command line is for everybody on this machine to read
            opened.callback(_close, given)
            command = [sandbox.find_bwrap(), "--args", str(given), "/bin/bash", f"{sandbox.INPUT}/script"]
            environment: dict[str, str] = {}
            inherited: tuple[int, ...] = (OUTPUTS_FD, info_write, block_read, given)
        else:
            command = ["/bin/bash", str(place / "script")]
            environment = _open_on_this_machine(request, place)
            inherited = (OUTPUTS_FD,)
        as_user: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}

        limit = sandbox.limit(request.limits, uid)

        def prepare() -> None:
            os.dup2(outputs_write, OUTPUTS_FD)
            limit()

        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            cwd="/",
            env=environment,
            start_new_session=True,
            preexec_fn=prepare,
            **as_user,
        )
        for fd in (info_write, block_read, outputs_write):
            os.close(fd)
        try:
            if request.sandbox:
                _open_network(request, log, process, info_read, block_write)
            return _watch(process, request, log, outputs_read)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)


def _environment(request: Request) -> Mapping[str, str]:
    proxy = f"http://127.0.0.1:{network.PROXY_PORT}"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy)
    ours = {**proxies, "DEUTERON_NOTIFY_PORT": str(network.NOTIFY_PORT)}
    return sandbox.clean({**ours, **request.environment})


def _in_memory(options: Sequence[str]) -> int:
    """A file descriptor from which bubblewrap reads its options."""
    fd = os.memfd_create("options")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(b"".join(option.encode() + b"\0" for option in options))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _open_network(request: Request, log: Log, process: "subprocess.Popen[bytes]", info: int, block: int) -> None:
    """Doors of the run's network, before its first command begins."""
    with os.fdopen(info, closefd=False) as stream:
        text = stream.read()
    if not text:
        assert process.stdout is not None
        said = process.stdout.read(4000).decode(errors="replace").strip()
        raise OSError(f"bubblewrap started nothing. {said}")
    pid = int(json.loads(text)["child-pid"])
    ours = (network.PROXY_PORT, network.NOTIFY_PORT)
    here = [port for port in network.ports_here(request.hosts) if port not in ours]
    proxy, door, *doors = network.listen_inside(pid, (*ours, *here))
    for listening, port in zip(doors, here, strict=True):
        network.Door(listening, port)
    network.Proxy(proxy, request.hosts, lambda host: log.say(f"[network] {host} is not allowed"))
    network.NotifyDoor(door, lambda options: notify(request.callback, options))
    os.write(block, b"go")
    os.close(block)


def _open_on_this_machine(request: Request, place: Path) -> dict[str, str]:
    """Without a sandbox: the environment, with the door on a port of this machine that only its number guards."""
    door = socket.create_server(("127.0.0.1", 0))
    network.NotifyDoor(door, lambda options: notify(request.callback, options))
    environment = sandbox.clean({**request.environment, "DEUTERON_NOTIFY_PORT": str(door.getsockname()[1])})
    path = environment["PATH"].replace(sandbox.TOOLS, str(place / "bin"))
    return {**environment, "PATH": path, "HOME": str(place / "work"), "CODEBUILD_SRC_DIR": str(place / "work")}


def _sweep() -> None:
    """Remove what runs left behind whose supervisor was killed."""
    for place in Path(tempfile.gettempdir()).glob(f"{PLACES}*-*"):
        pid = place.name.removeprefix(PLACES).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _input_folder(request: Request) -> Iterator[tuple[Path, int]]:
    """Files, script and tools of the run, readable by its user only; gone at the end."""
    _sweep()
    place = Path(tempfile.mkdtemp(prefix=f"{PLACES}{os.getpid()}-"))
    uid = sandbox.user_of(os.getpid())
    try:
        for name, content in request.files.items():
            path = place / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (place / "files" / request.folder).mkdir(parents=True, exist_ok=True)
        (place / "bin").mkdir()
        (place / "bin" / "aws").write_text(AWS)
        (place / "bin" / "aws").chmod(0o755)
        (place / "work").mkdir()
        given, work = (sandbox.INPUT, sandbox.WORK) if request.sandbox else (str(place), str(place / "work"))
        (place / "script").write_text(script(request.commands, request.folder, given, work))
        (place / "etc-passwd").write_text(sandbox.ACCOUNT.format(uid=uid))
        if os.geteuid() == 0:
            for path in (place, *place.rglob("*")):
                os.chown(path, uid, uid)
        yield place, uid
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _watch(process: "subprocess.Popen[bytes]", request: Request, log: Log, outputs_fd: int) -> tuple[int, str]:
    """Follow the run to its end. Raises Ended."""
    assert process.stdout is not None
    limits = request.limits
    until = time.monotonic() + limits.seconds
    streams = {process.stdout.fileno(), outputs_fd}
    outputs = b""
    looked = 0.0
    while streams or process.poll() is None:
        ready, _, _ = select.select(list(streams), [], [], LOOK_SECONDS)
        for fd in ready:
            data = os.read(fd, 65536)
            if not data:
                streams.discard(fd)
            elif fd == outputs_fd:
                outputs = (outputs + data)[:MOST_OUTPUTS]
            else:
                log.write(data)
        now = time.monotonic()
        if stopped:
            raise Ended(STOPPED)
        if now > until:
            raise Ended(TOO_SLOW.format(limit=limits.seconds))
        if now - looked > LOOK_SECONDS:
            looked = now
            if memory_of(process.pid) > limits.memory:
                raise Ended(TOO_BIG.format(limit=limits.memory))
            if process.poll() is not None and not ready:
                break  # what it left behind ends with its namespace
    return process.wait(), outputs.decode(errors="replace")


def memory_of(pid: int) -> int:
    """Bytes of memory that a process and everything that it started have for themselves."""
    total = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{one}/statm").read_text().split()
            total += (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return total


if __name__ == "__main__":
    asked = sys.stdin.read()
    if os.fork() == 0:  # so that nobody has to wait for it
        main(Path(sys.argv[1]), asked)
