"""Pages by keyset: a token says where the last page ended, so that rows which come and go meanwhile move nothing.

A token is opaque to callers, and fits one question only: another operation, filter or order refuses it.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from portal.errors import Invalid
from portal.queries import prepared
from portal.wire import reading

DEFAULT_SIZE = 100
STALE = "The pagination token is invalid: send the nextToken of the last reply, with the same other parameters."


def _mark(question: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(question, default=str).encode()).hexdigest()[:12]


def _write(question: Sequence[Any], key: Sequence[Any]) -> str:
    return base64.b64encode(json.dumps([_mark(question), *key], default=str).encode()).decode()


def _read(question: Sequence[Any], token: str, length: int) -> list[Any]:
    try:
        mark, *key = json.loads(base64.b64decode(token, validate=True))
        reading.storable(key)
    except (ValueError, TypeError, RecursionError):
        raise Invalid(STALE) from None
    if mark != _mark(question) or len(key) != length or not all(isinstance(part, str | int) for part in key):
        raise Invalid(STALE)
    return list(key)


def _parsed(key: list[Any], parse: Callable[[Sequence[Any]], Sequence[Any]]) -> Sequence[Any]:
    """Raises Invalid for values that no row can have: tokens can be forged."""
    try:
        return parse(key)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise Invalid(STALE) from None


def moment(text: str) -> datetime:
    """A time of a token. Raises ValueError."""
    found = datetime.fromisoformat(text).astimezone(UTC)
    if found.year < 1970:
        raise ValueError(text)
    return found


def whole(value: int) -> int:
    """A primary key or another number of a token. Raises ValueError for one that no row can have."""
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def page(
    rows: "QuerySet[Any] | prepared.Listing",
    *,
    by: Sequence[str],
    key: Callable[[Any], Sequence[Any]],
    question: Sequence[Any],
    max_results: int | None,
    next_token: str | None,
    descending: bool = False,
    parse: Callable[[Sequence[Any]], Sequence[Any]] = tuple,
) -> tuple[list[Any], str | None]:
    """One page of rows in the order of the columns ``by`` (together unique), and the token of the next one, if any.

    ``key`` gives a row's values of those columns, ``parse`` brings them back from JSON. ``question`` is everything
    else that the answer depends on. Raises Invalid for a token that is not of this question.
    """
    size = max_results or DEFAULT_SIZE
    after = _parsed(_read(question, next_token, len(by)), parse) if next_token else None
    if isinstance(rows, prepared.Listing):
        return _cut(rows.page(by, size + 1, after=after, descending=descending), size, question, key)
    found = list(prepared.page(rows, by, size + 1, after=after, descending=descending))
    return _cut(found, size, question, key)


def _cut(
    found: list[Any], size: int, question: Sequence[Any], key: Callable[[Any], Sequence[Any]]
) -> tuple[list[Any], str | None]:
    """A page of the rows, one more of which were asked for to know whether there are more."""
    if len(found) <= size:
        return found, None
    return found[:size], _write(question, key(found[size - 1]))


def page_of_list(
    rows: Sequence[Any],
    *,
    key: Callable[[Any], str],
    question: Sequence[Any],
    max_results: int | None,
    next_token: str | None,
) -> tuple[list[Any], str | None]:
    """The same for what is not a table of its own: ``rows`` are sorted by ``key``."""
    size = max_results or DEFAULT_SIZE
    after = str(_read(question, next_token, 1)[0]) if next_token else ""
    found = [row for row in rows if key(row) > after][: size + 1]
    if len(found) <= size:
        return found, None
    return found[:size], _write(question, [key(found[size - 1])])
