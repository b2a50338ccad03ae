"""Deleting what nobody needs any more, a batch at a time, so that no transaction is long."""

from typing import Any

from django.db.models import QuerySet


def delete_first(rows: QuerySet[Any], most: int) -> int:
    """Delete the first of them, in their order. Returns how many rows went."""
    return int(rows.model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)[:most])).delete()[0])
