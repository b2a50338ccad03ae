"""Starting runs, looking at them and ending them. Each has a folder of its own; nothing is kept in memory.

A run is started at most once for its folder, whoever calls how often: what is called again finds what is there.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from provisioning.commands.request import Request, Result

START_SECONDS = 20.0  # until a supervisor that was started holds its lock
_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Look:
    """``state``: "absent" (never started), "running", "ended" (``result`` says how), or "lost": its supervisor died,
    and the run with it, before it came to an end."""

    state: str
    result: Result | None = None


def start(folder: Path, request: Request) -> bool:
    """Start the run of this folder, unless it was started before. Returns before it has ended: whether it was started,
    as far as anybody can tell by now."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "supervisor.log").open("ab") as said:
        subprocess.run(
            [sys.executable, "-m", "provisioning.commands.supervise", str(folder)],
            cwd=_ROOT,
            input=request.dump(),
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            check=False,
        )
    until = time.monotonic() + START_SECONDS
    while not (folder / "started").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return (folder / "started").exists()


def look(folder: Path) -> Look:
    """What became of the run."""
    if not (folder / "started").exists():
        return Look("absent")
    running = _locked(folder)
    with contextlib.suppress(FileNotFoundError):
        return Look("ended", Result(**json.loads((folder / "result.json").read_text())))
    return Look("running" if running else "lost")


def _locked(folder: Path) -> bool:
    """Whether the supervisor lives: it holds the lock as long."""
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(folder / "lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
    return False


def stop(folder: Path) -> None:
    """Ask the supervisor to end the run. Does nothing when it has ended."""
    if _locked(folder):
        with contextlib.suppress(ProcessLookupError, ValueError, FileNotFoundError):
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)


def stop_all(folder: Path) -> int:
    """Ask every run below a folder to end; how many went on."""
    going = [place for place in (folder.iterdir() if folder.is_dir() else ()) if _locked(place)]
    for place in going:
        stop(place)
    return len(going)


def log_of(folder: Path, after: int = 0, most: int = 100_000) -> tuple[str, int]:
    """What the run has printed beyond byte ``after``, whole lines only while it goes on, and the next position."""
    try:
        with (folder / "log").open("rb") as file:
            file.seek(after)
            data = file.read(most)
    except FileNotFoundError:
        return "", after
    if not (folder / "result.json").exists() or len(data) == most:
        data = data[: data.rfind(b"\n") + 1] or (data if len(data) == most else b"")
    return data.decode(errors="replace"), after + len(data)
