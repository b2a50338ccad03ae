"""Columns of our own."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models


class SecretField(models.TextField):
    """Holds a token of ``portal.secrets``, never the secret. Being of this class, ``rotate_keys`` looks after it.

    The token is bound to the row's primary key, or to the columns ``bound_to`` where that is not known beforehand.
    """

    def __init__(self, *args: Any, bound_to: tuple[str, ...] = ("pk",), **kwargs: Any):
        self.bound_to = bound_to
        super().__init__(*args, **kwargs)

    if TYPE_CHECKING:  # what a type checker should know: a row's attribute is text

        def __get__(self, row: Any, owner: Any = None) -> Any: ...
        def __set__(self, row: Any, value: str) -> None: ...

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


def secret_columns() -> list[tuple[type[models.Model], str]]:
    """Every column that holds secrets, in a steady order."""
    return sorted(
        (
            (model, column.attname)
            for model in apps.get_models()
            for column in model._meta.concrete_fields
            if isinstance(column, SecretField)
        ),
        key=lambda found: (found[0]._meta.db_table, found[1]),
    )
