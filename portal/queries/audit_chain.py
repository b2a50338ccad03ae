"""Whether the sealed audit events are what was sealed: all of them, unchanged, in their order."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from portal import seals
from portal.models import AuditEvent, AuditHead
from portal.seals import GENESIS, Seal

CHUNK = 2000


@dataclass(frozen=True)
class Head:
    """An end of the chain as it was noted outside of the database."""

    seq: int
    digest: str
    at: str
    key: str
    seal: str


@dataclass(frozen=True)
class Finding:
    """The first bad row: its place in the chain, its primary key (None where it is gone), and what is wrong."""

    seq: int
    pk: int | None
    what: str

    def __str__(self) -> str:
        row = f"event {self.pk}, " if self.pk else ""
        return f"{row}number {self.seq} of the chain: {self.what}"


@dataclass
class Verdict:
    """``finding`` is None when everything holds. ``unproved`` counts seals whose key is not among ENCRYPTION_KEYS."""

    checked: int = 0
    unsealed: int = 0
    unproved: int = 0
    heads: int = 0
    finding: Finding | None = None
    _digests: dict[int, str] = field(default_factory=dict, repr=False)


def read_heads(path: Path) -> list[Head]:
    """Of an exported file, or of lines of the log. Raises OSError, and ValueError with the line that is no head."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            said = json.loads(line)
            found.append(Head(**said.get("audit_head", said)))
        except (ValueError, TypeError, AttributeError):
            raise ValueError(f"{path}:{number}: this is no end of an audit chain") from None
    return found


def verify(heads: Iterable[Head] = ()) -> Verdict:
    """Reads every sealed event once. ``heads`` were exported: what they name must be there still, unchanged."""
    verdict = Verdict(unsealed=AuditEvent.objects.filter(seq__isnull=True).count())
    known = list(heads)
    verdict.heads = len(known)
    wanted = {head.seq for head in known}
    previous = GENESIS
    for event in AuditEvent.objects.filter(seq__isnull=False).order_by("seq").iterator(chunk_size=CHUNK):
        wrong = _wrong(event, verdict.checked + 1, previous, verdict)
        if wrong:
            verdict.finding = wrong
            return verdict
        verdict.checked += 1
        previous = event.digest
        if event.seq in wanted:
            verdict._digests[event.seq] = event.digest
    verdict.finding = _wrong_end(verdict, previous) or _wrong_heads(known, verdict)
    return verdict


def _wrong(event: AuditEvent, seq: int, previous: str, verdict: Verdict) -> Finding | None:
    if event.seq != seq:
        return Finding(seq, None, f"it is gone, the next one is number {event.seq}")
    if event.previous != previous:
        return Finding(seq, event.pk, "it does not follow on the one before")
    if event.digest != seals.digest(event, seq, previous):
        return Finding(seq, event.pk, "it was changed")
    proved = seals.check(seals.event_text(event.digest), Seal(event.seal_key or "", event.seal or ""))
    if proved is False:
        return Finding(seq, event.pk, "its seal is forged")
    verdict.unproved += proved is None
    return None


def _wrong_end(verdict: Verdict, digest: str) -> Finding | None:
    """The chain must end where the head says, under a seal of a key that is known."""
    head = AuditHead.objects.filter(pk=1).first()
    if head is None:
        return Finding(verdict.checked, None, "the end of the chain is missing") if verdict.checked else None
    proved = seals.check(seals.head_text(head.seq, head.digest), Seal(head.seal_key, head.seal))
    if proved is None:
        return Finding(head.seq, None, f"the end is sealed with key {head.seal_key}, which is not in ENCRYPTION_KEYS")
    if not proved:
        return Finding(head.seq, None, "the seal of the end is forged")
    if head.seq > verdict.checked:
        return Finding(verdict.checked + 1, None, f"it is gone, and all up to number {head.seq}, the end")
    if head.seq < verdict.checked:
        return Finding(head.seq + 1, None, "it was added behind the end")
    return Finding(head.seq, None, "the end says something else about it") if head.digest != digest else None


def _wrong_heads(heads: list[Head], verdict: Verdict) -> Finding | None:
    for head in heads:
        proved = seals.check(seals.head_text(head.seq, head.digest, head.at), Seal(head.key, head.seal))
        if proved is False:
            return Finding(head.seq, None, f"the exported end of {head.at} is forged")
        if proved is None:
            verdict.unproved += 1
            continue
        there = GENESIS if head.seq == 0 else verdict._digests.get(head.seq)
        if there is None:
            return Finding(
                verdict.checked + 1, None, f"it is gone, and all up to number {head.seq}, the end of {head.at}"
            )
        if there != head.digest:
            return Finding(head.seq, None, f"the chain was written anew: its end of {head.at} was another one")
    return None
