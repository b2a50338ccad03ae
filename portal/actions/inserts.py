"""Rows that nearly every call writes: one INSERT each, prepared once."""

from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model

from portal.queries import prepared


def insert(row: Model) -> None:
    """What ``row.save(force_insert=True)`` does, without signals, for a table of whose columns the database gives the
    key and no other."""
    _inserted(row, "")


def insert_unless_taken(row: Model) -> bool:
    """The same, and whether it was: nothing is done when another row has what must be unique."""
    return _inserted(row, "ON CONFLICT DO NOTHING ")


def _inserted(row: Model, on_conflict: str) -> bool:
    fields, begin, key = _parts(row._meta)
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    found = prepared.fetch(f"{begin} {on_conflict}RETURNING {key}", values)
    if found:
        row.pk = found[0][0]
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return bool(found)


@cache
def _parts(meta: Any) -> "tuple[list[Field[Any, Any]], str, str]":
    """The columns that are given, the statement until its values, and the key's column."""
    name = connection.ops.quote_name
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    columns = ", ".join(name(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    begin = f"INSERT INTO {name(meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608
    return fields, begin, name(meta.pk.column)
