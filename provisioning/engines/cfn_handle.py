"""What the CloudFormation engine hands itself from one call to the next."""

from dataclasses import dataclass
from typing import Literal

from provisioning.engines.handle import BaseHandle

Phase = Literal["", "uploaded", "planning", "executing", "cleaning", "replacing", "deleting", "cancelling"]
Verdict = Literal["", "unchanged", "failed", "cancelled"]


@dataclass(frozen=True)
class Handle(BaseHandle):
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
