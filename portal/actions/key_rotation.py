"""Bringing every stored secret under the newest of ENCRYPTION_KEYS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import models

from portal import secrets
from portal.models.fields import secret_columns

BATCH = 200


@dataclass
class Rotation:
    """How many secrets were brought over, changed or went meanwhile, and cannot be read; and how many are left."""

    rotated: int = 0
    overtaken: int = 0
    unreadable: int = 0
    left: int = 0


def _waiting(model: type[models.Model], column: str) -> models.QuerySet:
    """Rows whose secret an older key wrote, in steady order."""
    rows = model._base_manager.exclude(**{column: ""}).exclude(**{f"{column}__isnull": True})
    return rows.exclude(**{f"{column}__startswith": secrets.newest()}).order_by("pk")


def left() -> int:
    return sum(_waiting(model, column).count() for model, column in secret_columns())


def _rows(model: type[models.Model], column: str) -> Iterator[models.Model]:
    """In batches by primary key, so that rows that stay as they are do not come again."""
    bound_to = model._meta.get_field(column).bound_to
    rows = _waiting(model, column).only(column, *bound_to)
    batch = list(rows[:BATCH])
    while batch:
        yield from batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])


def rotate(*, progress: Callable[[Rotation], None] = lambda _: None) -> Rotation:
    """Wrap every secret with the newest key. What is done is seen in the rows: run it again after it was killed.

    Safe beside running servers: a row is written only while it holds what was read. Readers need the old keys as well
    until ``left`` is 0.
    """
    done = Rotation()
    for model, column in secret_columns():
        for row in _rows(model, column):
            old = getattr(row, column)
            try:
                new = secrets.rewrap(old, place=secrets.place_of(row, column))
            except ImproperlyConfigured:
                done.unreadable += 1
            else:
                wrote = model._base_manager.filter(pk=row.pk, **{column: old}).update(**{column: new})
                done.rotated += wrote
                done.overtaken += not wrote
            progress(done)
    done.left = left()
    return done
