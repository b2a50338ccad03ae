"""Finding an access key with its person: the first statement of every call at the AWS door."""

from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from portal.models import User
from portal.queries import prepared
from portal.vault import SESSION_PREFIX

USER = ("id", "username", "is_active", "role")  # in the order of the model's fields, as from_db wants it
LONG_LIVED = """
SELECT k.secret, k.account_id, k.revoked_at IS NOT NULL, '', FALSE, '', '', u.id, u.username, u.is_active, u.role
FROM portal_accesskey k JOIN portal_user u ON u.id = k.user_id
WHERE k.key_id = %s"""
SHORT_LIVED = """
SELECT k.secret, k.account_id, p.revoked_at IS NOT NULL, k.token_hash, k.expires_at <= %s,
  COALESCE(k.parent_id, ''), k.scope, u.id, u.username, u.is_active, u.role
FROM portal_sessionkey k JOIN portal_user u ON u.id = k.user_id LEFT JOIN portal_accesskey p ON p.key_id = k.parent_id
WHERE k.key_id = %s"""


@dataclass(frozen=True, slots=True)
class Key:
    """One row and its person. ``user`` knows id, name, role and whether it is active; the rest is loaded when asked.

    ``secret`` is as stored. ``revoked`` is true of a short-lived key whose parent is revoked. Of a long-lived key
    ``token_hash``, ``parent_id`` and ``scope`` are "".
    """

    key_id: str
    secret: str = field(repr=False)
    account_id: str
    revoked: bool
    token_hash: str = field(repr=False)
    expired: bool
    parent_id: str
    scope: str
    user: User


def find(key_id: str) -> Key | None:
    """In one statement, revoked, expired or not. Asked anew for every call, so that a revocation holds at once.

    Being the first statement of a call it tells, too, whether the connection that was kept still stands: it is asked
    once more over a new one when not, instead of another statement before it each time.
    """
    connection.health_check_done = True
    try:
        return _find(key_id)
    except (InterfaceError, OperationalError):
        if connection.in_atomic_block or connection.connection is None or connection.is_usable():
            raise
    connection.close()
    return _find(key_id)


def _find(key_id: str) -> Key | None:
    if key_id.startswith(SESSION_PREFIX):
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        found = prepared.fetch(SHORT_LIVED, (now, key_id))
    else:
        found = prepared.fetch(LONG_LIVED, (key_id,))
    if not found:
        return None
    ((secret, account_id, revoked, token_hash, expired, parent_id, scope, pk, username, active, role),) = found
    user = User.from_db(connection.alias, USER, (pk, username, bool(active), role))
    return Key(key_id, secret, account_id, bool(revoked), token_hash, bool(expired), parent_id, scope, user)
