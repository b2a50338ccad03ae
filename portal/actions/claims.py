"""Who works on a row: leases on the database's clock, and a fence number that grows with every claim.

Nothing here keeps a transaction open. A worker that was paused beyond its lease and comes back finds that its writes
match no row any more (``LostClaim``) and stops at once.
"""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from portal.models.due import DueWork
from portal.models.fields import at_rest

Row = TypeVar("Row", bound=DueWork)
SUSPICIOUS = 5  # claims in a row that wrote nothing, this one counted
PATIENCE_SECONDS = 1.0
_suspects = threading.Lock()


class LostClaim(Exception):
    """Another worker claimed this row meanwhile: whatever we were about to write is stale."""


def from_now(seconds: float) -> ExpressionWrapper:
    """A point in time on the database's clock; 0 is due at once, whatever the clock's resolution."""
    if not seconds:
        return ExpressionWrapper(Now(), output_field=DateTimeField())
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def _free() -> Q:
    return Q(due_at__lte=Now()) & (Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))


def due(model: type[Row], limit: int) -> list[Any]:
    """Primary keys of rows that somebody should drive now: those whose worker is gone, then the longest waiting."""
    rows = model._default_manager.filter(due_at__lte=Now()).values_list("pk", flat=True)
    interrupted = list(rows.filter(lease_until__lt=Now()).order_by("lease_until")[:limit])
    waiting = rows.filter(lease_until__isnull=True).order_by("due_at")[: limit - len(interrupted)]
    return interrupted + list(waiting)  # two queries, since one would sort all that is due


def claim(model: type[Row], pk: Any) -> Row | None:
    """Take the row for ``LEASE_SECONDS``, or None when it is not due or somebody else has it. One guarded UPDATE."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"[:100]
    taken = model._default_manager.filter(_free(), pk=pk).update(
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        lease_owner=owner,
        lease_until=from_now(settings.LEASE_SECONDS),
    )
    return model._default_manager.filter(pk=pk, lease_owner=owner).first() if taken else None


def still_ours(row: DueWork) -> None:
    """Renew the lease right before a call that changes something outside. Raises LostClaim."""
    record(row, lease_until=from_now(settings.LEASE_SECONDS))


def renew(row: DueWork) -> bool:
    """Whether the row is claimed by us still; then its lease begins anew. A row that was released is left alone."""
    claimed = type(row)._default_manager.filter(pk=row.pk, fence=row.fence, lease_owner=row.lease_owner)
    return bool(claimed.exclude(lease_owner="").update(lease_until=from_now(settings.LEASE_SECONDS)))


def record(row: DueWork, **fields: Any) -> None:
    """Write while the fence is ours. Raises LostClaim, and writes nothing, when it is not."""
    written = type(row)._default_manager.filter(pk=row.pk, fence=row.fence).update(**at_rest(row, **fields))
    if not written:
        raise LostClaim(f"{row._meta.label} {row.pk}: fence {row.fence} is stale")
    for name, value in fields.items():
        if not hasattr(value, "resolve_expression"):
            setattr(row, name, value)


def release(row: DueWork, *, wait: float | None, **fields: Any) -> None:
    """End the step: write its result and when to look again (seconds; None: never). Raises LostClaim.

    ``attempts`` starts again at 0, unless ``fields`` says otherwise.
    """
    done = {"due_at": None if wait is None else from_now(wait), "lease_until": None, "lease_owner": "", "attempts": 0}
    record(row, **(done | fields))


@contextmanager
def apart(row: DueWork) -> Iterator[bool]:
    """Whether the claimed row may be worked on now; if not, it goes back for a second and no attempt is counted.

    A row whose last claims wrote nothing may be what kills its workers. A process works on one of those at a time: so
    one that only happened to be there when a worker died is soon worked on without what did it.
    """
    if row.attempts < SUSPICIOUS:
        yield True
    elif _suspects.acquire(blocking=False):
        try:
            yield True
        finally:
            _suspects.release()
    else:
        release(row, wait=PATIENCE_SECONDS, attempts=row.attempts - 1)
        yield False
