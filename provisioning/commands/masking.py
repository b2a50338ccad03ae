"""Hiding known secrets in what a run prints. A courtesy, not a wall: a run that wants to can still write them apart."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote

MASK = b"****"
SHORTEST = 6  # characters; shorter values stand in too many innocent words


def forms(secret: str) -> set[bytes]:
    """A secret as it is, per line, in base64 at each of its three offsets, URL-encoded, JSON-escaped and in hex."""
    found = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], *secret.splitlines()}
    raw = secret.encode()
    found |= {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode().rstrip("=")
            # What surrounds the secret changes the first and the last characters.
            start = -(-offset * 8 // 6)
            end = (offset + len(raw)) * 8 // 6
            found.add(text[start:end])
    return {form.encode() for form in found if len(form) >= SHORTEST}


class Masker:
    """A stream without the secrets, also where one was written in pieces: what may be the beginning of one is held
    back until more comes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted(set().union(*(forms(secret) for secret in secrets)), key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        text = self._held + data
        for form in self._forms:
            text = text.replace(form, MASK)
        keep = max((_overlap(text, form) for form in self._forms), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> bytes:
        """What is still held back, at the end of the stream."""
        rest, self._held = self._held, b""
        return rest


def _overlap(text: bytes, form: bytes) -> int:
    """How many bytes at the end of the text are the beginning of the form."""
    for size in range(min(len(form) - 1, len(text)), 0, -1):
        if text.endswith(form[:size]):
            return size
    return 0
