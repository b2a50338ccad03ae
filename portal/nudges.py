"""Hints to the workers. A lost, doubled or late hint is harmless, so nothing here may fail or wait for long."""

import logging
import time
from typing import Any

from celery import Task
from django.db import transaction

log = logging.getLogger(__name__)
QUIET_SECONDS = 10.0  # after a failure nobody waits for the broker again for this long
_quiet_until = 0.0


def after_commit(task: Task, pk: Any) -> None:
    """Enqueue ``task`` for one row once the transaction that made it due is committed."""
    transaction.on_commit(lambda: _send(task, str(pk) if not isinstance(pk, int) else pk))


def _send(task: Task, pk: Any) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        task.apply_async((pk,), retry=False, ignore_result=True)
    except Exception as trouble:  # whatever the broker does, the polling path finishes the work
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("no nudge sent, workers find the row by polling: %s", trouble)
