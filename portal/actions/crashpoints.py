"""Named points at which a test ends the process as ``kill -9`` would. In production a point is an empty function.

Only a process that was started with ``DEUTERON_CRASHPOINTS`` in its environment has real ones: it names a directory,
and whoever passes a point takes the file of that name away and dies. So each file ends exactly one process. The file's
name ends in what the deployment does: ``before_call.delete``. A step makes one call at most, so that the points around
the call are those around every mutating call of every step.
"""

import os
import signal
from pathlib import Path

from portal.models import Deployment

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


_CANCELLED = ("after_claim", "before_call", "after_call_before_commit", "before_commit_of_progress")
# What passes which point: a removal renders nothing, and what is cancelled was begun as an update.
PASSED = tuple(
    f"{name}.{kind}"
    for name in POINTS
    for kind in ("create", "update", "delete", "cancel")
    if not (kind == "delete" and name == "after_rendering_before_commit")
    and not (kind == "cancel" and name not in (*_CANCELLED, "before_commit_of_end", "after_commit"))
)


def crashpoint(name: str, of: Deployment) -> None:
    """Nothing."""


if os.environ.get("DEUTERON_CRASHPOINTS"):
    _directory = Path(os.environ["DEUTERON_CRASHPOINTS"])

    def _die(name: str, of: Deployment) -> None:
        kind = "cancel" if of.cancel_requested_at else of.kind
        try:
            (_directory / f"{name}.{kind}").unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    crashpoint = _die
