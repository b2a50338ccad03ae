"""Secret inputs: which they are, what their values are, and texts without them.

A property is secret when its schema says ``writeOnly: true`` or ``format: password``; everything below it is, too.
Hiding is a courtesy to whoever reads along, and no wall: a template may change a value in ways that nobody knows.
"""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from provisioning.schema_model import Property, Schema

HIDDEN = "••••••"
MASK_FROM = 4  # characters; shorter values would hide half the file


def is_secret(prop: Property) -> bool:
    return bool(prop.raw.get("writeOnly")) or prop.raw.get("format") == "password"


def secret_values(properties: Iterable[Property], values: Any, *, shortest: int = MASK_FROM) -> set[str]:
    """The texts of every secret among the values of these properties, of at least so many characters."""
    found: set[str] = set()
    for prop in properties:
        value = values.get(prop.name) if isinstance(values, Mapping) else None
        found |= _below(prop, value, shortest)
    return found


def _below(prop: Property, value: Any, shortest: int) -> set[str]:
    if is_secret(prop):
        return {text for text in leaves(value) if len(text) >= shortest}
    if isinstance(value, list) and prop.items is not None:
        return {text for one in value for text in _below(prop.items, one, shortest)}
    return secret_values(prop.properties, value, shortest=shortest)


def secrets_of_spec(document: Any, schema: Schema) -> set[str]:
    """The texts of every secret in the document of a spec, of an environment or a service, however unfinished."""
    if not isinstance(document, Mapping):
        return set()
    entries = document.get("instances")
    given = [(schema.environment, document.get("spec")), (schema.pipeline, document.get("pipeline"))]
    for entry in entries if isinstance(entries, list) else ():
        given.append((schema.service, entry.get("spec") if isinstance(entry, Mapping) else None))
    return {text for part, values in given if part for text in secret_values(part.properties, values)}


def leaves(value: Any) -> Iterator[str]:
    """Every value in it as text."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def without_secrets(properties: Iterable[Property], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy for people to read, with ``HIDDEN`` in the place of every secret."""
    known = {prop.name: prop for prop in properties}
    return {name: _shown(known.get(name), value) for name, value in values.items()}


def _shown(prop: Property | None, value: Any) -> Any:
    if prop is None or value is None:
        return value
    if is_secret(prop):
        return HIDDEN
    if isinstance(value, Mapping):
        return without_secrets(prop.properties, value)
    if isinstance(value, list) and prop.items is not None:
        return [_shown(prop.items, one) for one in value]
    return value


def mask(text: str, hidden: Iterable[str]) -> str:
    """The text without these values, also where they are written otherwise: see ``forms``."""
    if not text:
        return text
    for form in sorted({form for value in hidden for form in forms(value)}, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def forms(value: str) -> set[str]:
    """How a value may be written: as it is and line by line, for JSON, HTML and addresses, in hex and base64.

    Nothing for a value that is too short to be hidden.
    """
    if len(value) < MASK_FROM:
        return set()
    raw = value.encode("utf-8", "surrogatepass")
    found = {value, *value.splitlines(), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    found |= {html.escape(value), quote(value, safe=""), quote_plus(value), value.replace("'", "''")}
    found |= {raw.hex(), raw.hex().upper()} | _in_base64(raw)
    return {form for form in found if len(form) >= MASK_FROM}


def _in_base64(raw: bytes) -> set[str]:
    """What a longer text that holds it has in it for certain, wherever it begins: the characters of whole bytes."""
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode()
            first = -(-before * 8 // 6)
            last = (before + len(raw)) * 8 // 6
            if last - first >= 8:
                found.add(text[first:last])
    return found
