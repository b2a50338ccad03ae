"""A forge whose caller is killed: before or after a change, whichever comes at the chosen turn. Counts changes."""

from collections.abc import Callable
from typing import Any, Literal

from provisioning.forges.base import Forge

CHANGES = frozenset(
    {"create_branch", "commit", "delete_branch", "open_pull_request", "describe", "close", "comment", "merge"}
)


class Killed(BaseException):
    """The process ends here: nothing that it knew is left."""


class KillingForge:
    def __init__(self, forge: Forge):
        self._forge = forge
        self.changes: list[str] = []
        self.turn = 0  # the change at which to kill, counted from 1; 0 for none
        self.when: Literal["before", "after"] = "before"

    def __getattr__(self, name: str) -> Any:
        verb: Callable[..., Any] = getattr(self._forge, name)
        if name not in CHANGES:
            return verb

        def change(*arguments: Any, **named: Any) -> Any:
            self.changes.append(name)
            mine = len(self.changes) == self.turn
            if mine and self.when == "before":
                raise Killed
            result = verb(*arguments, **named)
            if mine:
                raise Killed
            return result

        return change
