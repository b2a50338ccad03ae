"""What the AWS door keeps encrypted, and the place that each text belongs to (it reads rows by hand)."""

from portal.secrets import Place, decrypt, encrypt

SESSION_PREFIX = "ASIA"  # of short-lived keys, as AWS's own


def key_place(key_id: str) -> Place:
    return Place("portal_sessionkey" if key_id.startswith(SESSION_PREFIX) else "portal_accesskey", "secret", key_id)


def reply_place(key_id: str, signature: str) -> Place:
    return Place("portal_wirereply", "body", f"{key_id}/{signature}")


def keep(text: str, *, place: Place) -> str:
    """What is stored for ``text`` in ``place``."""
    return encrypt(text, place=place)


def reveal(stored: str, *, place: Place) -> str:
    """The text behind ``stored``. Raises ImproperlyConfigured when its key is not among ENCRYPTION_KEYS."""
    return decrypt(stored, place=place)
