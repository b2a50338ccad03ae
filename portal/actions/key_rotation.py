"""Bringing every stored secret under the newest of ENCRYPTION_KEYS, and sealing inputs that still stand plain."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.functions import Cast

from portal import secrets
from portal.models.fields import AtRest, SealedJSONField, SecretField, secret_columns
from portal.secrets import Place, place_of

BATCH = 200
NOTHING = ("", "{}", "[]", "null", '""')  # as a column of text or of JSON has it


@dataclass
class Rotation:
    """How many secrets were brought over, changed or went meanwhile, and cannot be read; and how many are left."""

    rotated: int = 0
    overtaken: int = 0
    unreadable: int = 0
    left: int = 0


def _stored(model: type[models.Model], column: str) -> models.QuerySet:
    """Rows with what stands in the column, as text, whatever its type."""
    return model._base_manager.annotate(stored=Cast(column, models.TextField()))


def _waiting(model: type[models.Model], column: str) -> models.QuerySet:
    """Rows whose secret an older key wrote or nobody sealed, in steady order; with SEAL_INPUTS off, inputs that are
    sealed."""
    found = model._meta.get_field(column)
    quote = '"' if isinstance(found, SealedJSONField) else ""
    rows = _stored(model, column).exclude(stored__isnull=True).exclude(stored__in=NOTHING).order_by("pk")
    if isinstance(found, SecretField) or settings.SEAL_INPUTS:
        return rows.exclude(stored__startswith=quote + secrets.newest())
    return rows.filter(stored__regex=f"^{quote}{secrets.TOKEN}")


def left() -> int:
    return sum(_waiting(model, column).count() for model, column in secret_columns())


def _rows(model: type[models.Model], column: str) -> Iterator[Any]:
    """In batches by primary key, so that rows that stay as they are do not come again."""
    rows = _waiting(model, column).only(*model._meta.get_field(column).bound_to)
    batch = list(rows[:BATCH])
    while batch:
        yield from batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])


def _renewed(column: Any, stored: str, place: Place) -> Any:
    """What shall stand there. Raises ImproperlyConfigured for what cannot be read."""
    if isinstance(column, SecretField):
        return secrets.rewrap(stored, place=place)
    value = json.loads(stored) if isinstance(column, SealedJSONField) else stored
    if not secrets.is_token(value):
        return column.seal(value, place)
    if settings.SEAL_INPUTS:
        return AtRest(secrets.rewrap(value, place=place))
    return column.seal(column.open(AtRest(value), place), place)


def rotate(*, progress: Callable[[Rotation], None] = lambda _: None) -> Rotation:
    """Wrap every secret with the newest key. What is done is seen in the rows: run it again after it was killed.

    Inputs that stand plain, since rows are older than their encryption, are sealed; while SEAL_INPUTS is off, those
    that are sealed are opened. Safe beside running servers: a row is written only while it holds what was read. Readers
    need the old keys as well until ``left`` is 0.
    """
    done = Rotation()
    for model, column in secret_columns():
        for row in _rows(model, column):
            try:
                new = _renewed(model._meta.get_field(column), row.stored, place_of(row, column))
            except ImproperlyConfigured:
                done.unreadable += 1
            else:
                wrote = _stored(model, column).filter(pk=row.pk, stored=row.stored).update(**{column: new})
                done.rotated += wrote
                done.overtaken += not wrote
            progress(done)
    done.left = left()
    return done
