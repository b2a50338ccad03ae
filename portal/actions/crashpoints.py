"""Named points at which a test ends the process as ``kill -9`` would. In production a point is an empty function.

Only a process that was started with ``DEUTERON_CRASHPOINTS`` in its environment has real ones: it names a directory,
and whoever passes a point takes the file of that name away and dies. So each file ends exactly one process.
"""

import os
import signal
from pathlib import Path

POINTS = (
    "after_claim",
    "after_intent",
    "after_rendering_before_commit",
    "before_call",
    "after_call_before_commit",
    "before_commit_of_progress",
    "before_commit_of_end",
    "after_commit",
)


def crashpoint(name: str) -> None:
    """Nothing."""


if os.environ.get("DEUTERON_CRASHPOINTS"):
    _directory = Path(os.environ["DEUTERON_CRASHPOINTS"])

    def _die(name: str) -> None:
        try:
            (_directory / name).unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    crashpoint = _die
