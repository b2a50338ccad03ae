"""Encryption at rest. ENCRYPTION_KEYS holds Fernet keys: the first one writes, all read, so keys can be changed.

Every value has a data key of its own, wrapped by a key of ENCRYPTION_KEYS (AES-256-GCM both). Value and data key are
bound to the place where they are kept, so that a token that is moved to another row or column is refused.
A token is ``v2.<id of the key>.<wrapped data key>.<value>``. Fernet tokens of older rows are still read.
"""

import base64
import functools
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "v2"
NONCE_BYTES = 12
TOKEN = rf"{VERSION}\.[0-9a-f]{{8}}\.[A-Za-z0-9_-]{{80}}\."  # what every one begins with
UNREADABLE = "a stored secret was written with a key that is not in ENCRYPTION_KEYS, or was moved from its place"


@dataclass(frozen=True)
class Place:
    """Where a secret is kept: a column of one row, which ``key`` tells from the others."""

    table: str
    column: str
    key: str

    @property
    def associated(self) -> bytes:
        return "\0".join((VERSION, self.table, self.column, self.key)).encode()


def place_of(row: Any, column: str) -> Place:
    """The place of a SecretField in this row of a model. Raises ValueError while the row is not known by its key."""
    keys = [getattr(row, name) for name in row._meta.get_field(column).bound_to]
    if None in keys:
        raise ValueError(f"{type(row).__name__} has no primary key yet, so that nothing can be bound to it")
    return Place(row._meta.db_table, column, "/".join(map(str, keys)))


@dataclass(frozen=True)
class _Key:
    """One of ENCRYPTION_KEYS. What encrypts is derived, so that one key never serves two ciphers."""

    id: str
    cipher: AESGCM = field(repr=False)
    fernet: Fernet = field(repr=False)


def _key(text: str) -> _Key:
    raw = base64.urlsafe_b64decode(text)
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"deuteron wraps data keys").derive(raw)
    return _Key(hashlib.sha256(b"deuteron key id" + raw).hexdigest()[:8], AESGCM(derived), Fernet(text))


@functools.lru_cache(maxsize=8)
def _keys_of(texts: tuple[str, ...]) -> dict[str, _Key]:
    found = [_key(text) for text in texts]
    return {key.id: key for key in found}


def _keys() -> dict[str, _Key]:
    """By id, the newest first."""
    texts: Sequence[str] = settings.ENCRYPTION_KEYS
    if not texts:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is not set: it holds Fernet keys, newest first (see .env.example)")
    try:
        return _keys_of(tuple(texts))
    except ValueError as wrong:
        raise ImproperlyConfigured(f"ENCRYPTION_KEYS: {wrong} (see .env.example)") from None


def newest() -> str:
    """What tokens begin with that the newest key wrote."""
    return f"{VERSION}.{next(iter(_keys()))}."


_begins = re.compile(TOKEN).match


def is_token(value: Any) -> bool:
    """Whether this is what ``encrypt`` gives. Nobody types such a thing but on purpose."""
    return isinstance(value, str) and value.startswith(VERSION) and _begins(value) is not None


def _seal(cipher: AESGCM, data: bytes, associated: bytes) -> str:
    nonce = os.urandom(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + cipher.encrypt(nonce, data, associated)).decode().rstrip("=")


def _open(cipher: AESGCM, sealed: str, associated: bytes) -> bytes:
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], associated)


def encrypt(text: str, *, place: Place) -> str:
    """An opaque token for this place alone; two calls give different ones."""
    data_key = AESGCM.generate_key(256)
    wrapped = _seal(next(iter(_keys().values())).cipher, data_key, place.associated)
    return f"{newest()}{wrapped}.{_seal(AESGCM(data_key), text.encode(), place.associated)}"


def _unwrap(token: str, place: Place) -> tuple[bytes, str]:
    """The data key of a token, and its value still sealed. Raises ImproperlyConfigured."""
    try:
        _, key_id, wrapped, value = token.split(".")
        return _open(_keys()[key_id].cipher, wrapped, place.associated), value
    except (ValueError, KeyError, InvalidTag):
        raise ImproperlyConfigured(UNREADABLE) from None


def _decrypt_fernet(token: str) -> str:
    try:
        return MultiFernet([key.fernet for key in _keys().values()]).decrypt(token.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(UNREADABLE) from None


def decrypt(token: str, *, place: Place) -> str:
    """The text behind ``token``. Raises ImproperlyConfigured when its key is missing or it belongs somewhere else."""
    if not token.startswith(f"{VERSION}."):
        return _decrypt_fernet(token)
    data_key, value = _unwrap(token, place)
    try:
        return _open(AESGCM(data_key), value, place.associated).decode()
    except (ValueError, InvalidTag):
        raise ImproperlyConfigured(UNREADABLE) from None


def rewrap(token: str, *, place: Place) -> str:
    """The same secret under the newest key: its data key is wrapped anew. Raises what decrypt raises."""
    if token.startswith(newest()):
        return token
    if not token.startswith(f"{VERSION}."):
        return encrypt(_decrypt_fernet(token), place=place)
    decrypt(token, place=place)  # what cannot be read must not look as if it could
    data_key, value = _unwrap(token, place)
    wrapped = _seal(next(iter(_keys().values())).cipher, data_key, place.associated)
    return f"{newest()}{wrapped}.{value}"
