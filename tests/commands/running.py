"""One run, waited for."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from provisioning.commands import runs
from provisioning.commands.request import Limits, Request, Result

QUICK = Limits(seconds=20, memory=400 * 1024**2, disk=64 * 1024**2, processes=64, output=1_000_000)


def without_sandbox() -> str:
    """Why bubblewrap cannot separate anything from this machine, or ""."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "bubblewrap is not installed: commands cannot be separated from this machine"
    tried = subprocess.run(
        [bwrap, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True, text=True
    )
    return f"bubblewrap cannot make namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


def finish(place: Path, *commands: str, **fields: Any) -> tuple[Result, str]:
    """How the run ended, and what it printed."""
    request = Request(commands, fields.pop("files", {}), limits=fields.pop("limits", QUICK), **fields)
    runs.start(place, request)
    return wait(place)


def wait(folder: Path, seconds: float = 40) -> tuple[Result, str]:
    until = time.monotonic() + seconds
    while runs.look(folder).state == "running" and time.monotonic() < until:
        time.sleep(0.02)
    look = runs.look(folder)
    assert look.result is not None, (look, (folder / "supervisor.log").read_text())
    return look.result, runs.log_of(folder, most=10_000_000)[0]
