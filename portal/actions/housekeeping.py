"""What is done about once a minute, in the background of every worker; it does no harm when several do it."""

import logging
from collections.abc import Callable

from portal.actions import deliveries, pull_requests, replies, sealing, session_keys

log = logging.getLogger(__name__)
EVERY_SECONDS = 60
CHORES: tuple[Callable[[], object], ...] = (
    sealing.seal,
    sealing.export_head,
    session_keys.delete_expired,
    replies.delete_old,
    pull_requests.look_at_due,
    deliveries.delete_old,
)


def keep_house() -> None:
    """One failing chore stops no other."""
    for chore in CHORES:
        try:
            chore()
        except Exception:
            log.exception("housekeeping failed; trying again in a minute: %s.%s", chore.__module__, chore.__name__)
