"""Sealing audit events in batches, and noting the end of the chain outside of the database.

A change writes its event in its own transaction and waits for no lock. Whoever seals holds the lock of the head, so any
number of workers may try. What is not sealed yet is as trustworthy as the database; what is sealed cannot be changed by
those who have the database alone, and its end cannot be cut off by those who do not have the exported heads.
"""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal import seals
from portal.models import AuditEvent, AuditHead
from portal.seals import GENESIS, Seal

log = logging.getLogger(__name__)
BATCH = 100  # a lock that is held for a tenth of a second at most
EXPORT_EVERY = timedelta(hours=1)
FILE = "heads.jsonl"


class ChainBroken(Exception):
    """Nothing more is sealed, so that a forged end is not made good."""


def seal() -> int:
    """Seal everything that is not sealed, and say how many rows that were. Raises ChainBroken."""
    _first_head()
    count = 0
    while (sealed := _seal_batch()) is not None:
        count += sealed
        if sealed < BATCH:
            break
    return count


def _first_head() -> None:
    if not AuditHead.objects.exists():
        if AuditEvent.objects.filter(seq__isnull=False).exists():
            raise ChainBroken("The end of the audit chain is missing: run manage.py audit_verify.")
        made = seals.seal(seals.head_text(0, GENESIS))
        AuditHead.objects.get_or_create(pk=1, defaults={"digest": GENESIS, "seal": made.value, "seal_key": made.key})


def _locked() -> AuditHead | None:
    """The head, for the rest of the transaction; None while another worker has it."""
    head = AuditHead.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if head is not None and not seals.check(seals.head_text(head.seq, head.digest), Seal(head.seal_key, head.seal)):
        raise ChainBroken(
            "The end of the audit chain was changed, or sealed with a key that is not in ENCRYPTION_KEYS: run "
            "manage.py audit_verify."
        )
    return head


def _seal_batch() -> int | None:
    """None while another worker seals."""
    with transaction.atomic():
        head = _locked()
        if head is None:
            return None
        events = list(AuditEvent.objects.filter(seq__isnull=True).order_by("pk")[:BATCH])
        for event in events:
            event.seq, event.previous = head.seq + 1, head.digest
            event.digest = seals.digest(event, event.seq, event.previous)
            event.seal_key, event.seal = seals.seal(seals.event_text(event.digest))
            head.seq, head.digest = event.seq, event.digest
        if events:
            AuditEvent.objects.bulk_update(events, ["seq", "previous", "digest", "seal", "seal_key"], batch_size=50)
        if events or not seals.is_current(Seal(head.seal_key, head.seal)):  # so that an old key can be taken away
            head.seal_key, head.seal = seals.seal(seals.head_text(head.seq, head.digest))
            head.save(update_fields=["seq", "digest", "seal", "seal_key"])
        return len(events)


def export_head() -> bool:
    """Once an hour: note the end of the chain, sealed, in the log and in AUDIT_EXPORT. Says whether it did."""
    with transaction.atomic():
        head = _locked()
        now = timezone.now()
        if head is None or (head.exported_at is not None and head.exported_at > now - EXPORT_EVERY):
            return False
        at = now.isoformat(timespec="seconds")
        made = seals.seal(seals.head_text(head.seq, head.digest, at))
        line = {"seq": head.seq, "digest": head.digest, "at": at, "key": made.key, "seal": made.value}
        log.info("the end of the audit chain", extra={"audit_head": line})
        try:
            _append(settings.AUDIT_EXPORT / FILE, json.dumps(line) + "\n")
        except OSError as trouble:
            log.error("the end of the audit chain is in the log only: AUDIT_EXPORT cannot be written: %s", trouble)
        head.exported_at = now
        head.save(update_fields=["exported_at"])
    return True


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
