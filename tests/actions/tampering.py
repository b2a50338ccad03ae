"""What the owner of the database can do to the audit log, who has no key. Each returns the first row that is wrong."""

import random
from typing import Any

from portal import seals
from portal.models import AuditEvent, AuditHead

SAID = {
    "actor_name": "eve",
    "action": "test.other",
    "target": "thing/else",
    "request_id": "forged",
    "detail": {"number": -1},
    "previous": "e" * 64,
    "digest": "e" * 64,
    "seal": "e" * 64,
}
COLUMNS = ("at", "actor_name", "action", "target", "detail", "request_id")
KINDS = (
    "update",
    "update and compute anew",
    "delete",
    "delete and close the gap",
    "insert",
    "append",
    "reorder",
    "swap",
    "cut",
    "cut and restore the end",
    "unseal",
)


def tamper(kind: str, chance: random.Random, old_head: dict[str, Any]) -> int:
    """``old_head`` is what the head said earlier, seal included, when the chain was half as long."""
    last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True)[0]
    at = chance.randint(1, last)
    row = AuditEvent.objects.get(seq=at)
    rows = AuditEvent.objects.filter(pk=row.pk)
    if kind == "update":
        column = chance.choice(sorted(SAID))
        rows.update(**{column: SAID[column]})
        return at
    if kind == "update and compute anew":
        row.target = "thing/else"
        row.save()
        compute_anew(at)
        return at
    if kind == "delete":
        rows.delete()
        return at
    if kind == "delete and close the gap":
        at = min(at, last - 1)
        AuditEvent.objects.filter(seq=at).delete()
        move(at + 1, last, -1)
        compute_anew(at)
        return at
    if kind == "insert":
        move(at, last, 1)
        copy(row, at)
        compute_anew(at)
        return at
    if kind == "append":
        copy(AuditEvent.objects.get(seq=last), last + 1)
        compute_anew(last + 1)
        return last + 1
    if kind in {"reorder", "swap"}:
        other = AuditEvent.objects.get(seq=at % last + 1)
        first, second = sorted((row, other), key=lambda event: event.seq)
        if kind == "swap":  # what they say
            for column in COLUMNS:
                mine, theirs = getattr(first, column), getattr(second, column)
                setattr(first, column, theirs)
                setattr(second, column, mine)
            first.save()
            second.save()
            return first.seq
        one, two = first.seq, second.seq  # where they stand
        AuditEvent.objects.filter(pk=first.pk).update(seq=None)
        AuditEvent.objects.filter(pk=second.pk).update(seq=one)
        AuditEvent.objects.filter(pk=first.pk).update(seq=two)
        return one
    if kind == "cut":
        AuditEvent.objects.filter(seq__gte=at).delete()
        return at
    if kind == "cut and restore the end":
        AuditEvent.objects.filter(seq__gt=old_head["seq"]).delete()
        AuditHead.objects.update(**old_head)
        return int(old_head["seq"]) + 1
    rows.update(seq=None, previous=None, digest=None, seal=None, seal_key=None)
    return at


def copy(row: AuditEvent, seq: int) -> None:
    AuditEvent.objects.create(
        actor_name="eve",
        action=row.action,
        target="thing/else",
        seq=seq,
        previous=row.previous,
        digest=row.digest,
        seal=row.seal,
        seal_key=row.seal_key,
    )


def move(start: int, end: int, by: int) -> None:
    for seq in range(start, end + 1) if by < 0 else range(end, start - 1, -1):
        AuditEvent.objects.filter(seq=seq).update(seq=seq + by)


def compute_anew(start: int) -> None:
    """The digests from there to the end, which need no key, and the head's."""
    previous = AuditEvent.objects.get(seq=start - 1).digest if start > 1 else seals.GENESIS
    for event in AuditEvent.objects.filter(seq__gte=start).order_by("seq"):
        event.previous = previous
        previous = event.digest = seals.digest(event, event.seq, previous)
        event.save(update_fields=["previous", "digest"])
    AuditHead.objects.update(seq=AuditEvent.objects.order_by("-seq").values_list("seq", flat=True)[0], digest=previous)
