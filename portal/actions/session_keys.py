"""Short-lived access keys with session tokens: for people through AWS STS, and for the product's own jobs."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from django.db import transaction
from django.utils import timezone

from portal import vault
from portal.actions import audit
from portal.actions.batches import delete_first
from portal.actions.people import new_key_id
from portal.enums import Role
from portal.errors import Forbidden, Invalid
from portal.models import SessionKey, User
from portal.queries.keys import SESSION_PREFIX
from provisioning.problems import Problem

SHORTEST_SECONDS, DEFAULT_SECONDS, LONGEST_SECONDS = 900, 43_200, 129_600  # as GetSessionToken of AWS STS
KEPT_AFTER_END = timedelta(days=1)  # so that a client is told that it expired
BATCH = 500


@dataclass(frozen=True)
class Issued:
    """``secret`` and ``token`` are known to the receiver only, from here on."""

    key: SessionKey
    secret: str = field(repr=False)
    token: str = field(repr=False)


def issue(
    *,
    by: User | None,
    user: User,
    account_id: str,
    seconds: int = DEFAULT_SECONDS,
    parent_id: str = "",
    purpose: str = "",
    scope: str = "",
) -> Issued:
    """A key that acts as ``user`` for ``seconds``. By None: the product itself, for a job of this person.

    ``scope`` is the ARN of the one resource that it may speak about. With ``parent_id``, the id of an access key, it
    ends when that is revoked. Raises Forbidden for other people's, Invalid for a time that is too short or too long.
    """
    if by is not None and not (by.is_active and by.pk == user.pk):
        raise Forbidden("Session keys are issued to their own person only.")
    if not user.at_least(Role.VIEWER):
        raise Forbidden(f"{user.username} is shut out.")
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        message = f"A session lasts {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds."
        raise Invalid(message, [Problem("/seconds", message)])
    secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(96)
    key_id = new_key_id(SESSION_PREFIX)
    with transaction.atomic():
        key = SessionKey.objects.create(
            key_id=key_id,
            secret=vault.keep(secret, place=vault.key_place(key_id)),
            token_hash=sha256(token.encode()).hexdigest(),
            user=user,
            account_id=account_id,
            parent_id=parent_id or None,
            purpose=purpose,
            scope=scope,
            expires_at=timezone.now() + timedelta(seconds=seconds),
        )
        about = {"key": key_id, "seconds": seconds, "purpose": purpose, "scope": scope}
        audit.record(by=by, action="session_key.issue", target=f"user/{user.username}", **about)
    return Issued(key, secret, token)


def delete_expired() -> int:
    """Those that ended more than a day ago, at most a batch of them; says how many."""
    ended = SessionKey.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_END).order_by("expires_at")
    return delete_first(ended, BATCH)
