"""What the CloudFormation engine hands itself from one call to the next. All of it can be lost: looking finds it."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

Phase = Literal["", "uploaded", "planning", "executing", "cleaning", "replacing", "deleting", "cancelling"]
Verdict = Literal["", "unchanged", "failed", "cancelled"]


@dataclass(frozen=True)
class Handle:
    stack: str = ""  # ARN
    phase: Phase = ""  # the last mutating call that was answered
    verdict: Verdict = ""  # what to say when cleaning is over
    reason: str = ""  # and why
    since: str = ""  # newest event before this deployment did anything
    seen: str = ""  # newest event that was reported
    again: bool = False  # the deletion had failed before this deployment asked for it
    polls: int = 0  # since anything new was seen
    throttles: int = 0  # in a row
    renewals: int = 0  # expired sessions in a row

    def but(self, **changes: Any) -> "Handle":
        return replace(self, **changes)

    def dump(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})


def load(text: str | None) -> Handle:
    """The handle, or an empty one when there is none."""
    known = {field.name for field in fields(Handle)}
    values = json.loads(text) if text else {}
    return Handle(**{name: value for name, value in values.items() if name in known})
