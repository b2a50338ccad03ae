"""Columns of our own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import models

from portal import secrets
from portal.secrets import Place, place_of

EMPTY: tuple[Any, ...] = ("", None, {}, [])  # hides nothing, and may be asked for in queries


class _Bound(models.Field):
    """Holds tokens of ``portal.secrets``. Being of this class, ``rotate_keys`` looks after it.

    A token is bound to the row's primary key, or to the columns ``bound_to`` where that is not known beforehand. To
    migrations it is the field of Django's that it is made of.
    """

    def __init__(self, *args: Any, bound_to: tuple[str, ...] = ("pk",), **kwargs: Any):
        self.bound_to = bound_to
        super().__init__(*args, **kwargs)

    if TYPE_CHECKING:  # what a type checker should know: a row's attribute is what was put there

        def __get__(self, row: Any, owner: Any = None) -> Any: ...
        def __set__(self, row: Any, value: Any) -> None: ...

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs


class SecretField(_Bound, models.TextField):
    """A row's attribute is the token itself, never the secret."""


@dataclass(frozen=True)
class AtRest:
    """What stands in a sealed column: a token; or the value itself, where it is empty or SEAL_INPUTS is false."""

    value: Any = field(repr=False)


class _Opening:
    """A row's attribute: what was loaded is opened when it is first read, so that lists that show none pay nothing."""

    def __init__(self, column: "_Sealed"):
        self.field = column

    def __get__(self, row: models.Model | None, owner: Any = None) -> Any:
        if row is None:
            return self
        name = self.field.attname
        if name not in row.__dict__:  # deferred; refresh_from_db would read it from a row without what binds the token
            rows = type(row)._base_manager.db_manager(row._state.db).filter(pk=row.pk)
            row.__dict__[name] = rows.values_list(name, flat=True).get()
        value = row.__dict__[name]
        if isinstance(value, AtRest):
            value = row.__dict__[name] = self.field.open(value, place_of(row, name))
        return value

    def __set__(self, row: models.Model, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class _Sealed(_Bound):
    """Encrypted where it stands, plain in Python: a row's attribute is read and written as ever.

    Old rows hold plain values, which are read until ``rotate_keys`` seals
    them. What knows no row cannot seal: ``update()`` takes what ``at_rest`` gives and refuses anything else, rows of
    ``values()`` are read with ``opened``, and nothing can be looked for in such a column.
    """

    descriptor_class = _Opening

    def to_text(self, value: Any) -> str:
        return str(value)

    def of_text(self, text: str) -> Any:
        return text

    def seal(self, value: Any, place: Place) -> AtRest:
        """A plain value as it is stored there. What looks like a token is always sealed: it would be taken for one."""
        if value in EMPTY or not (settings.SEAL_INPUTS or secrets.is_token(value)):
            return AtRest(value)
        return AtRest(secrets.encrypt(self.to_text(value), place=place))

    def open(self, stored: AtRest, place: Place) -> Any:
        """The plain value. Raises ImproperlyConfigured when its key is missing or it belongs somewhere else."""
        if not secrets.is_token(stored.value):
            return stored.value
        return self.of_text(secrets.decrypt(stored.value, place=place))

    def pre_save(self, model_instance: models.Model, add: bool) -> AtRest:
        if self.attname not in model_instance.__dict__:
            getattr(model_instance, self.attname)  # deferred, and saved all the same
        value = model_instance.__dict__[self.attname]
        return value if isinstance(value, AtRest) else self.seal(value, place_of(model_instance, self.attname))

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, AtRest):
            value = value.value
        elif value not in EMPTY and not hasattr(value, "as_sql"):
            raise TypeError(f"{self} is sealed: its values are written through rows or at_rest(), and not looked for.")
        return super().get_prep_value(value)

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name in ("exact", "in", "isnull") else None

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return AtRest(value) if secrets.is_token(value) else value


class SealedTextField(_Sealed, models.TextField):
    """Text; to migrations and the database a TextField."""


class SealedJSONField(_Sealed, models.JSONField):
    """JSON; to migrations and the database a JSONField, whose token is a JSON string."""

    def to_text(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), cls=self.encoder)

    def of_text(self, text: str) -> Any:
        return json.loads(text, cls=self.decoder)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        value = models.JSONField.from_db_value(self, value, expression, connection)
        return super().from_db_value(value, expression, connection)

    def get_transform(self, name: str) -> None:  # no key of what is sealed
        return None


def at_rest(row: models.Model, **values: Any) -> dict[str, Any]:
    """The same for ``update()`` of this row: values of sealed columns as they are stored, others as they are."""
    return {
        name: column.seal(value, place_of(row, name))
        if isinstance(column := row._meta.get_field(name), _Sealed) and not hasattr(value, "resolve_expression")
        else value
        for name, value in values.items()
    }


def opened(model: type[models.Model], row: Mapping[str, Any], *columns: str) -> dict[str, Any]:
    """The same row of ``values()`` with these sealed columns plain. It also holds those that they are bound to."""
    found = dict(row)
    for name in columns:
        stored, column = row[name], model._meta.get_field(name)
        if isinstance(stored, AtRest) and isinstance(column, _Sealed):
            keys = [model._meta.pk.attname if key == "pk" else key for key in column.bound_to]
            place = Place(model._meta.db_table, name, "/".join(str(row[key]) for key in keys))
            found[name] = column.open(stored, place)
    return found


def secret_columns() -> list[tuple[type[models.Model], str]]:
    """Every column that holds secrets, in a steady order."""
    return sorted(
        (
            (model, column.attname)
            for model in apps.get_models()
            for column in model._meta.concrete_fields
            if isinstance(column, _Bound)
        ),
        key=lambda found: (found[0]._meta.db_table, found[1]),
    )
