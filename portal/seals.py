"""The arithmetic of the audit chain: digests of rows that hold the digest of the row before, and seals under a key.

The keys are derived from ENCRYPTION_KEYS: the first one seals, all check. A key that was taken away leaves its old
seals unchecked; the rows are still proved by the digests that lead from them to a newer seal.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from portal.models import AuditEvent

GENESIS = "0" * 64  # the digest before the first row
PURPOSE = b"deuteron audit seal, version 1"


class Seal(NamedTuple):
    key: str
    value: str


@lru_cache(maxsize=8)
def _keys(encryption_keys: tuple[str, ...]) -> Mapping[str, bytes]:
    """{key id: key}, the one that seals first."""
    found = {}
    for key in encryption_keys:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
        found[sha256(b"id" + derived).hexdigest()[:16]] = derived
    return found


def seal(text: str) -> Seal:
    keys = _keys(tuple(settings.ENCRYPTION_KEYS))
    if not keys:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is not set: it also seals the audit log (see .env.example)")
    key_id, key = next(iter(keys.items()))
    return Seal(key_id, hmac.digest(key, text.encode(), "sha256").hex())


def check(text: str, made: Seal) -> bool | None:
    """Whether the seal is right; None when its key is not among ENCRYPTION_KEYS."""
    key = _keys(tuple(settings.ENCRYPTION_KEYS)).get(made.key)
    if key is None:
        return None
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), made.value)


def is_current(made: Seal) -> bool:
    return made.key == next(iter(_keys(tuple(settings.ENCRYPTION_KEYS))), "")


def digest(event: "AuditEvent", seq: int, previous: str) -> str:
    """Of all that a row says. ``actor`` is left out: it becomes null when its person is deleted, the name stays."""
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    said: list[Any] = [seq, previous, event.pk, at, event.actor_name, event.action, event.target, event.detail]
    text = json.dumps([*said, event.request_id], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def event_text(digest: str) -> str:
    """What the seal of a row is made of."""
    return f"event {digest}"


def head_text(seq: int, digest: str, at: str = "") -> str:
    """What the seal of an end of the chain is made of; ``at`` is the time of an exported one."""
    return f"head {seq} {digest} {at}"
