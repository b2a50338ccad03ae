"""Counting related rows, each relation on its own: joined together they would multiply."""

from typing import Any

from django.db.models import F, Func, IntegerField, QuerySet, Subquery
from django.db.models.functions import Coalesce


def counted(rows: QuerySet[Any]) -> Coalesce:
    """How many ``rows`` there are, which refer to the outer query by OuterRef; 0 for none."""
    total = rows.order_by().annotate(all=Func(F("pk"), function="COUNT")).values("all")
    return Coalesce(Subquery(total, output_field=IntegerField()), 0)
