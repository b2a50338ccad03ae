"""The answers to signed calls that changed something, kept for as long as the same call could be sent again.

Plain SQL: one statement each, right inside and outside of a transaction, and the first tells who was first.

PostgreSQL writes neither to its disk at once. Its log keeps their order: a signature is on the disk no later than what
its call changed. When the server dies within a second of an answer, that answer may be lost; the same call is then told
that it was broken off, as when the portal dies there, and changes nothing twice.
"""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from portal import vault
from portal.actions.batches import delete_first
from portal.models import WireReply
from portal.queries import prepared

KEPT = timedelta(minutes=11)  # a signature is good from 5 minutes before its time to 5 minutes after
BATCH = 500
BEGIN = (
    "INSERT INTO portal_wirereply (key_id, signature, body, created_at) VALUES (%s, %s, '', CURRENT_TIMESTAMP) "
    "ON CONFLICT (key_id, signature) DO NOTHING"
)
FINISH = "UPDATE portal_wirereply SET status = %s, body = %s WHERE key_id = %s AND signature = %s"
SOON = "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)) "
BEGIN_SOON = (
    f"{SOON}INSERT INTO portal_wirereply (key_id, signature, body, created_at) "  # noqa: S608
    "SELECT %s, %s, '', CURRENT_TIMESTAMP FROM soon ON CONFLICT (key_id, signature) DO NOTHING"
)
FINISH_SOON = (
    f"{SOON}UPDATE portal_wirereply SET status = %s, body = %s FROM soon "  # noqa: S608
    "WHERE key_id = %s AND signature = %s"
)
EARLIER = "SELECT status, body FROM portal_wirereply WHERE key_id = %s AND signature = %s"
FORGET = "DELETE FROM portal_wirereply WHERE key_id = %s AND signature = %s"


def _statement(anywhere: str, soon: str) -> str:
    """In a transaction of somebody else's, whether that is on the disk is not ours to say."""
    return soon if connection.vendor == "postgresql" and not connection.in_atomic_block else anywhere


def begin(key_id: str, signature: str) -> bool:
    """Whether this call is the first with its signature."""
    return prepared.change(_statement(BEGIN, BEGIN_SOON), (key_id, signature)) == 1


def finish(key_id: str, signature: str, status: int, body: str) -> None:
    stored = vault.keep(body, place=vault.reply_place(key_id, signature))
    prepared.change(_statement(FINISH, FINISH_SOON), (status, stored, key_id, signature))


def earlier(key_id: str, signature: str) -> tuple[int | None, str] | None:
    """Status and body of the first call; status None while it runs. None when it was forgotten."""
    found = prepared.fetch(EARLIER, (key_id, signature))
    if not found:
        return None
    ((status, stored),) = found
    return (None, "") if status is None else (status, vault.reveal(stored, place=vault.reply_place(key_id, signature)))


def forget(key_id: str, signature: str) -> None:
    """The call failed in a way that the same call may be tried again."""
    prepared.change(FORGET, (key_id, signature))


def delete_old() -> int:
    """Answers whose signatures are too old to be sent again, at most a batch of them; says how many."""
    old = WireReply.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
    return delete_first(old, BATCH)
