"""Queries that are asked so often that building and planning them each time would cost more than answering them.

On PostgreSQL a statement is prepared once for each connection. SQLite, which plans fast, gets the same SQL as ever.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


class _Prepared(psycopg.Cursor[Any]):
    """Values go beside the statement, not into it."""

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
        self._converters = self._compiler.get_converters([expression for expression, *_ in self._compiler.select])

    def rows(self, values: Any) -> list[dict[str, Any]]:
        given = [constant if number is None else values[number] for number, constant in self._given]
        with cursor() as asked:
            asked.execute(self._sql, given)
            found = asked.fetchall()
        if self._converters:
            found = self._compiler.apply_converters(found, self._converters)
        return [dict(zip(self._names, row, strict=True)) for row in found]
