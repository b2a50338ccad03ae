"""Trying something hostile in a process that is thrown away, with a referee for its time, memory and writes."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    *("os.mkdir", "os.symlink", "os.link", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.utime"),
    *("os.truncate", "os.mkfifo", "os.mknod", "shutil.chown", "os.system", "os.exec", "os.posix_spawn"),
}


@dataclass(frozen=True)
class Tried:
    """``answer`` is what the function returned, "" when it did not; ``seconds`` by the clock, ``cpu`` of it and all its
    children, ``own`` without them; ``grown`` MB of memory at its peak over what it began with; ``writes`` what it did
    to the disk."""

    answer: Any
    error: str
    seconds: float
    cpu: float
    own: float
    peak: float
    grown: float
    writes: int


def tried(function: Callable[[], Any], *, seconds: float = 20, memory: int = 0, directory: Path | None = None) -> Tried:
    """Runs the function in a fork, for so many ``seconds`` at most, with ``memory`` MB of address space at most (0: no
    limit). The answer must be writable as JSON."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    before = resource_of(os.getpid())
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _answer(function, writing, memory, directory)
    os.close(writing)
    said = b""
    os.set_blocking(reading, False)
    while time.monotonic() - started < seconds:
        try:
            piece = os.read(reading, 1 << 16)
        except BlockingIOError:
            time.sleep(0.001)
            continue
        if not piece:
            break
        said += piece
    else:
        os.kill(pid, signal.SIGKILL)
    took = time.monotonic() - started
    os.close(reading)
    _, _, used = os.wait4(pid, 0)
    found: Mapping[str, Any] = json.loads(said) if said.endswith(b"}") else {"error": "killed"}
    peak = found.get("peak", used.ru_maxrss / 1024)
    return Tried(
        answer=found.get("answer", ""),
        error=found.get("error", ""),
        seconds=took,
        cpu=used.ru_utime + used.ru_stime,
        own=found.get("own", used.ru_utime + used.ru_stime),
        peak=peak,
        grown=max(0.0, peak - found.get("began", before)),
        writes=found.get("writes", 0),
    )


def resource_of(pid: int, field: str = "VmRSS") -> float:
    """MB of a process: VmRSS now, VmHWM at its peak; 0.0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def _answer(function: Callable[[], Any], into: int, memory: int, directory: Path | None) -> None:
    """In the fork: never returns."""
    writes = [0]
    result: dict[str, Any] = {}
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
        if directory is not None:
            os.chdir(directory)
        sys.addaudithook(_counter(writes))
        _forget_peak()
        result["began"] = resource_of(os.getpid())
        result["answer"] = function()
    except BaseException as error:
        result["error"] = f"{type(error).__name__}: {error}"[:300]
    result["own"] = time.process_time()
    result |= {"writes": writes[0], "peak": resource_of(os.getpid(), "VmHWM")}
    try:
        os.write(into, json.dumps(result, default=str).encode())
    finally:
        os._exit(0)


def _forget_peak() -> None:
    """A fork begins with its parent's peak."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def _counter(writes: list[int]) -> Callable[[str, tuple[Any, ...]], None]:
    own = "/proc/self/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES:
            writes[0] += 1
        elif event == "open" and not str(arguments[0]).startswith(own):
            mode, flags = arguments[1], arguments[2]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING):
                writes[0] += 1

    return hook
