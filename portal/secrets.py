"""Encryption at rest. ENCRYPTION_KEYS holds Fernet keys: the first one writes, all read, so keys can be changed."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def _keys() -> MultiFernet:
    if not settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is not set: it holds Fernet keys, newest first (see .env.example)")
    try:
        return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
    except ValueError as wrong:
        raise ImproperlyConfigured(f"ENCRYPTION_KEYS: {wrong} (see .env.example)") from None


def encrypt(text: str) -> str:
    """An opaque token; two calls give different ones."""
    return _keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text behind ``token``. Raises ImproperlyConfigured when its key is not among ENCRYPTION_KEYS."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured("a stored secret was written with a key that is not in ENCRYPTION_KEYS") from None
