"""What the AWS door keeps encrypted, and the name of the place that each text belongs to."""

from portal.secrets import decrypt, encrypt


def key_place(key_id: str) -> str:
    return f"access_key/{key_id}"


def reply_place(key_id: str, signature: str) -> str:
    return f"wire_reply/{key_id}/{signature}"


def keep(text: str, *, place: str) -> str:
    """What is stored for ``text`` in ``place``."""
    return encrypt(text)


def reveal(stored: str, *, place: str) -> str:
    """The text behind ``stored``. Raises ImproperlyConfigured when its key is not among ENCRYPTION_KEYS."""
    return decrypt(stored)
