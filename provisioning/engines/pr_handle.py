"""What the engines of pull requests hand themselves from one call to the next."""

from dataclasses import dataclass

from provisioning.engines.base import Progress
from provisioning.engines.handle import BaseHandle
from provisioning.forges.errors import Moved, Throttled


@dataclass(frozen=True)
class Handle(BaseHandle):
    committed: bool = False  # the branch holds the change
    number: int = 0  # of the pull request
    polls: int = 0  # since anything new was seen


def again(state: Handle, error: Moved | Throttled, now: float) -> Progress:
    """Nothing happened, and nothing is wrong: look again, later where the forge asked for it."""
    if isinstance(error, Moved):
        return Progress(state.dump(), "Looking again before anything is changed", 1.0)
    wait = max(1.0, error.until - now)
    return Progress(state.dump(), "Waiting because the forge asked us to slow down", wait, throttled=True)
