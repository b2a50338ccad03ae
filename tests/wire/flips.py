"""Changes of a single byte in whatever a signature covers."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from portal.wire.sigv4 import Request

PARTS = ("method", "path", "query", "headers", "body")


def flips(request: Request, chance: random.Random) -> Iterator[tuple[str, Request]]:
    """Without end: where, and the request in which one byte is another one, is gone, or is new."""
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    while True:
        part = chance.choice(PARTS)
        if part == "headers":
            name = chance.choice(names)
            value = _flip(request.headers[name].encode("latin-1"), chance).decode("latin-1")
            yield name, replace(request, headers={**request.headers, name: value})
        elif part == "body":
            yield part, replace(request, body=_flip(request.body, chance))
        else:
            changed: Any = _flip(getattr(request, part).encode("latin-1"), chance).decode("latin-1")
            yield part, replace(request, **{part: changed})


def _flip(text: bytes, chance: random.Random) -> bytes:
    at, new = chance.randrange(len(text) + 1), bytes([chance.randrange(256)])
    kind = chance.choice(("change", "change", "drop", "add")) if text else "add"
    if kind == "add":
        return text[:at] + new + text[at:]
    at = min(at, len(text) - 1)
    changed = text[:at] + (b"" if kind == "drop" else new) + text[at + 1 :]
    return changed if changed != text else _flip(text, chance)
