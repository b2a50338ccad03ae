"""Statements that are asked so often that building and planning them each time would cost more than answering them.

Their rows are as the database gives them: a UUID is text. On PostgreSQL a statement is prepared once for each
connection, and planned for whatever values (see DATABASES in the settings). SQLite, which plans fast, gets the same SQL
as ever.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Expression, F, Field, IntegerField, Model, QuerySet, UUIDField
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import TextLoader

MOST = 64  # compiled queries of one list
_kept = threading.local()


class _Prepared(psycopg.Cursor[Any]):
    """Values go beside the statement, not into it: it is planned once, whatever they are."""

    def __init__(self, connection: Any, **options: Any):
        super().__init__(connection, **options)
        # psycopg's own, which are in C. Django's sets the time zone, which its connections have: UTC.
        self.adapters.register_loader("timestamptz", TimestamptzLoader)
        self.adapters.register_loader("uuid", TextLoader)

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Prepared":
        super().execute(query, params, prepare=True)
        return self


class _Watched(_Prepared):
    """For Django's log of queries, which tests count."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Watched":
        super().execute(query, params)
        self._query = self._convert_query(query, params)  # psycopg leaves it out
        return self


def fetch(sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """The rows of one statement."""
    return _ask(sql, values, lambda cursor: cursor.fetchall())


def change(sql: str, values: Sequence[Any] = ()) -> int:
    """How many rows one statement changed."""
    return int(_ask(sql, values, lambda cursor: cursor.rowcount))


def _ask(sql: str, values: Sequence[Any], take: Callable[[Any], Any]) -> Any:
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        with database.cursor() as cursor:
            cursor.execute(sql, values)
            return take(cursor)
    database.close_if_health_check_failed()
    if database.connection is None:
        database.ensure_connection()
    if database.queries_logged or database.execute_wrappers:
        with database._prepare_cursor(_Watched(database.connection)) as cursor:
            cursor.execute(sql, values)
            return take(cursor)
    if database.needs_rollback:
        database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        return take(_cursor(database.connection).execute(sql, values))


def _cursor(of: Any) -> _Prepared:
    """One for each connection, and so for each thread: whoever asks takes all rows at once."""
    known: _Prepared | None = getattr(_kept, "cursor", None)
    if known is None or known.connection is not of:
        known = _kept.cursor = _Prepared(of)
    return known


def count(model: type[Model]) -> int:
    """How many rows there are, of everybody's."""
    return int(fetch(f"SELECT COUNT(*) FROM {connection.ops.quote_name(model._meta.db_table)}")[0][0])  # noqa: S608


class Mark(Expression):
    """A value of a statement that is given each time: number ``place`` of them."""

    def __init__(self, place: int, field: "Field[Any, Any]"):
        super().__init__(output_field=field)
        self.place = place

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def stored(self, values: Sequence[Any]) -> Any:
        """The value as the database takes it."""
        return self.output_field.get_db_prep_value(values[self.place], connection)


class Statement:
    """A query of ``values()`` of the first row whose ``columns`` have the values that it is called with, compiled once.

    ``build`` also says what comes first.
    """

    def __init__(self, build: Callable[[], QuerySet[Any]], *columns: str):
        self._build, self._columns = build, columns
        self._compiled: _Compiled | None = None

    def __call__(self, *values: Any) -> list[dict[str, Any]]:
        if self._compiled is None:
            query = self._build()
            marks = dict(zip(self._columns, _marks(query, self._columns), strict=True))
            self._compiled = _Compiled(query.filter(**marks)[:1])
        return self._compiled.rows(values)


class Listing:
    """The rows of a list that nobody filters, page by page. ``build`` makes the same query each time."""

    def __init__(self, build: Callable[[], QuerySet[Any]]):
        self._build = build
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def page(
        self, by: Sequence[str], count: int, *, after: Sequence[Any] | None = None, descending: bool = False
    ) -> list[dict[str, Any]]:
        """See ``page``. Compiled once for each order and count."""
        which = (*by, count, after is None, descending)
        known = self._compiled.get(which)
        if known is None:
            if len(self._compiled) >= MOST:
                self._compiled.clear()
            query = self._build()
            marks = None if after is None else _marks(query, by)
            known = self._compiled[which] = _Compiled(page(query, by, count, after=marks, descending=descending))
        return known.rows(after or ())


def page(
    rows: QuerySet[Any], by: Sequence[str], count: int, *, after: Sequence[Any] | None = None, descending: bool = False
) -> QuerySet[Any]:
    """The first rows in the order of the columns ``by``, which are unique together, or those after such values."""
    if after is not None:
        beyond = TupleLessThan if descending else TupleGreaterThan
        rows = rows.filter(beyond(Tuple(*[F(column) for column in by]), tuple(after)))
        # The same once more, for columns of several tables: an index of the first one leads to the place.
        rows = rows.filter(**{f"{by[0]}__{'lte' if descending else 'gte'}": after[0]})
    return rows.order_by(*(f"-{column}" if descending else column for column in by))[:count]


def _marks(query: QuerySet[Any], columns: Sequence[str]) -> list[Mark]:
    return [
        Mark(place, query.query.names_to_path(column.split("__"), query.model._meta)[1])
        for place, column in enumerate(columns)
    ]


def _is(column: Any, kind: type[Any]) -> bool:
    return isinstance(column.output_field, kind)


def _text(value: Any, expression: Any, connection: Any) -> str | None:
    """As PostgreSQL writes it."""
    return None if value is None else str(value)


class _Compiled:
    """SQL, where its values come from, and how its columns become a dictionary."""

    def __init__(self, query: QuerySet[Any]):
        self._compiler = query.query.get_compiler(connection=connection)
        self._sql, self._given = self._compiler.as_sql()
        self._names = list(query.query.selected)
        columns = [expression for expression, *_ in self._compiler.select]
        self._converters = {
            place: ([*converters, _text] if _is(columns[place], UUIDField) else converters, column)
            for place, (converters, column) in self._compiler.get_converters(columns).items()
            if not _is(columns[place], IntegerField)  # whole numbers come as such
        }

    def rows(self, values: Sequence[Any]) -> list[dict[str, Any]]:
        given = [value.stored(values) if isinstance(value, Mark) else value for value in self._given]
        found = fetch(self._sql, given)
        if self._converters:
            found = self._compiler.apply_converters(found, self._converters)
        names = self._names
        return [dict(zip(names, row, strict=True)) for row in found]
