"""What the engines of pull requests hand themselves from call to call. All of it can be lost: looking finds it."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from provisioning.engines.base import Progress
from provisioning.forges.errors import Moved, Throttled


@dataclass(frozen=True)
class Handle:
    committed: bool = False  # the branch holds the change
    folder: str = ""
    number: int = 0  # of the pull request
    url: str = ""
    polls: int = 0  # since anything new was seen

    def but(self, **changes: Any) -> "Handle":
        return replace(self, **changes)

    def dump(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})


def load(text: str | None) -> Handle:
    """The handle, or an empty one when there is none."""
    known = {field.name for field in fields(Handle)}
    values = json.loads(text) if text else {}
    return Handle(**{name: value for name, value in values.items() if name in known})


def again(state: Handle, error: Moved | Throttled, now: float) -> Progress:
    """Nothing happened, and nothing is wrong: look again, later where the forge asked for it."""
    if isinstance(error, Moved):
        return Progress(state.dump(), "Looking again before anything is changed", 1.0)
    wait = max(1.0, error.until - now)
    return Progress(state.dump(), "Waiting because the forge asked us to slow down", wait, throttled=True)
