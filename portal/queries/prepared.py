"""Queries that are asked so often that building and planning them each time would cost more than answering them.

On PostgreSQL a statement is prepared once for each connection. SQLite, which plans fast, gets the same SQL as ever.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import IntegerField, Model, QuerySet
from psycopg.types.datetime import TimestamptzLoader

MOST = 64  # compiled queries of one list


class _Prepared(psycopg.Cursor[Any]):
    """Values go beside the statement, not into it."""

    def __init__(self, connection: Any, **options: Any):
        super().__init__(connection, **options)
        # psycopg's own, which is in C. Django's sets the time zone, which its connections have: UTC.
        self.adapters.register_loader("timestamptz", TimestamptzLoader)

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Prepared":
        super().execute(query, params, prepare=True)
        if connection.queries_logged:
            self._query = self._convert_query(query, params)  # psycopg leaves out what Django's log reads
        return self


def cursor() -> Any:
    """One of Django's, whose statements are prepared where the database can."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    return connection._prepare_cursor(_Prepared(connection.connection))


def count(model: type[Model]) -> int:
    """How many rows there are, of everybody's."""
    with cursor() as asked:
        asked.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
        return int(asked.fetchone()[0])


class Statement:
    """A query of ``values()``, compiled when it is first asked. ``build`` makes it of as many texts as it is called
    with, each of which it compares with a column of text, and does nothing else with."""

    def __init__(self, build: Callable[..., QuerySet[Any]]):
        self._build = build
        self._compiled: _Compiled | None = None

    def __call__(self, *values: str) -> list[dict[str, Any]]:
        if self._compiled is None:
            marks = [f"value {number} of a statement" for number in range(len(values))]
            self._compiled = _Compiled(self._build(*marks), marks)
        return self._compiled.rows(values)


class Listing:
    """The rows of a list that nobody filters, by order and count. ``build`` makes the same query each time."""

    def __init__(self, build: Callable[[], QuerySet[Any]]):
        self.build = build
        self._compiled: dict[tuple[tuple[str, ...], int], _Compiled] = {}

    def first(self, order: tuple[str, ...], count: int) -> list[dict[str, Any]]:
        """Its first rows in this order. Compiled once for each order and count."""
        known = self._compiled.get((order, count))
        if known is None:
            if len(self._compiled) >= MOST:
                self._compiled.clear()
            known = self._compiled[order, count] = _Compiled(self.build().order_by(*order)[:count], [])
        return known.rows([])


def rows(query: QuerySet[Any]) -> list[dict[str, Any]]:
    """Those of a query of ``values()`` whose SQL is compiled each time, since it is of many forms."""
    try:
        return _Compiled(query, []).rows([])
    except EmptyResultSet:
        return []


class _Compiled:
    """SQL, where its values come from, and how its columns become a dictionary."""

    def __init__(self, query: QuerySet[Any], marks: list[str]):
        self._compiler = query.query.get_compiler(connection=connection)
        self._sql, given = self._compiler.as_sql()
        self._given = [(marks.index(value), None) if value in marks else (None, value) for value in given]
        self._names = list(query.query.selected)
        columns = [expression for expression, *_ in self._compiler.select]
        self._converters = {
            place: found
            for place, found in self._compiler.get_converters(columns).items()
            if not isinstance(columns[place].output_field, IntegerField)  # whole numbers come as such
        }

    def rows(self, values: Any) -> list[dict[str, Any]]:
        given = [constant if number is None else values[number] for number, constant in self._given]
        with cursor() as asked:
            asked.execute(self._sql, given)
            found = asked.fetchall()
        if self._converters:
            found = self._compiler.apply_converters(found, self._converters)
        return [dict(zip(self._names, row, strict=True)) for row in found]
