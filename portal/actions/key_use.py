"""When an access key was last used, to the minute."""

import logging
import time
from datetime import timedelta

from django.db import DatabaseError
from django.db.models import Q
from django.db.models.functions import Now

from portal.models import AccessKey

log = logging.getLogger(__name__)
EVERY_SECONDS = 60
REMEMBERED = 10_000
_recorded: dict[str, float] = {}


def note(key_id: str) -> None:
    """Write it down, at most once a minute in this process and once a minute in the database. Never raises."""
    now = time.monotonic()
    before = _recorded.get(key_id)
    if before is not None and now - before < EVERY_SECONDS:
        return
    if len(_recorded) >= REMEMBERED:
        _recorded.clear()
    _recorded[key_id] = now
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - timedelta(seconds=EVERY_SECONDS))
    try:
        AccessKey.objects.filter(stale, pk=key_id).update(last_used_at=Now())
    except DatabaseError:
        log.warning("the use of an access key could not be written down", exc_info=True)
