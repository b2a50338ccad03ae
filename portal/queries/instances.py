"""Instances of services as the wire lists them: what is shown, which are wanted, in which order."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import F, Q, QuerySet

from portal.enums import DeploymentStatus, Staleness
from portal.errors import Invalid
from portal.models import ServiceInstance, User
from portal.queries import attempts, prepared

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
HALF_A_MILLISECOND = timedelta(microseconds=500)
_SHOWN = ("pk", "arn", "name", "created_at")
_WHOLE = ("spec", "last_client_token")
_EXPRESSIONS = {
    "service_name": F("service__name"),
    "environment_name": F("environment__name"),
    "template_name": F("service__template__name"),
    **attempts.columns(),
}
# The columns of each order. Together they are unique; where it can be they are of one table, which an index serves.
ORDERS: dict[str, Sequence[str]] = {
    "name": ("name", "pk"),
    "deploymentStatus": ("latest__status", "latest_id"),
    "templateName": ("service__template__name", "service__name", "name"),
    "serviceName": ("service__name", "name"),
    "environmentName": ("environment__name", "service__name", "name"),
    "lastDeploymentAttemptedAt": ("latest__created_at", "latest_id"),
    "createdAt": ("created_at", "pk"),
}
# The key of a shown row that holds a column of an order.
KEYS = {
    "latest__status": "status",
    "latest_id": "attempted_id",
    "latest__created_at": "attempted_at",
    "service__name": "service_name",
    "service__template__name": "template_name",
    "environment__name": "environment_name",
}
_EQUAL = {
    "name": "name",
    "deploymentStatus": "latest__status",
    "templateName": "service__template__name",
    "serviceName": "service__name",
    "environmentName": "environment__name",
}
_CHOICES: dict[str, Sequence[str]] = {
    "deploymentStatus": DeploymentStatus.values,
    "deployedTemplateVersionStatus": Staleness.values,
}
_MOMENTS = {
    "lastDeploymentAttemptedAtBefore": "latest__created_at__lt",
    "lastDeploymentAttemptedAtAfter": "latest__created_at__gt",
    "createdAtBefore": "created_at__lt",
    "createdAtAfter": "created_at__gt",
}


def shown(user: User) -> QuerySet[Any]:
    """What the wire shows of instances, as dictionaries, in one query."""
    signed_in = user.is_authenticated and user.is_active
    return _all() if signed_in else _all().none()


def _all() -> QuerySet[Any]:
    return ServiceInstance.objects.values(*_SHOWN, **_EXPRESSIONS)


def _whole() -> QuerySet[Any]:
    return ServiceInstance.objects.order_by().values(*_SHOWN, *_WHOLE, **_EXPRESSIONS)


_one = prepared.Statement(_whole, "service__name", "name")


def one(user: User, service_name: str, name: str) -> dict[str, Any] | None:
    """All that the wire shows of a single instance; None when this person sees no such one."""
    return next(iter(_one(service_name, name)), None) if user.is_authenticated and user.is_active else None


def _sortable(rows: QuerySet[Any], sort_by: str) -> QuerySet[Any]:
    """Every instance has a last attempt; said to the database, its indexes of deployments give the order."""
    first = ORDERS[sort_by][0]
    return rows.filter(**{f"{first}__isnull": False}) if first.startswith("latest__") else rows


_ALL = {sort_by: prepared.Listing(partial(lambda sort_by: _sortable(_all(), sort_by), sort_by)) for sort_by in ORDERS}


def wanted(
    user: User, *, filters: Sequence[tuple[str, str]], service_name: str | None, sort_by: str
) -> QuerySet[Any] | prepared.Listing:
    """``shown`` of those that match, in an order that is still to be applied. Raises Invalid."""
    if not filters and service_name is None and user.is_authenticated and user.is_active:
        return _ALL[sort_by]
    rows = shown(user)
    if service_name is not None:
        rows = rows.filter(service__name=service_name)
    return _sortable(matching(rows, filters), sort_by)


def key_of(row: dict[str, Any], sort_by: str) -> list[Any]:
    """A shown row's values of the columns of an order."""
    return [row[KEYS.get(column, column)] for column in ORDERS[sort_by]]


def matching(rows: QuerySet[Any], filters: Iterable[tuple[str, str]]) -> QuerySet[Any]:
    """Those that match every key; values of the same key are alternatives, but for dates. Raises Invalid.

    Keys are the wire's ListServiceInstancesFilterBy; dates are RFC 3339.
    """
    alternatives: dict[str, list[str]] = {}
    for key, value in filters:
        if key in _MOMENTS:
            rows = rows.filter(**{_MOMENTS[key]: _moment(key, value)})
            continue
        if value not in _CHOICES.get(key, (value,)):
            raise Invalid(f"The filter {key} cannot be {value[:100]}: it is one of {', '.join(_CHOICES[key])}.")
        alternatives.setdefault(key, []).append(value)
    wanted = Q()
    distances = alternatives.pop("deployedTemplateVersionStatus", [])
    for value in distances:
        wanted |= attempts.running_behind(Staleness(value))
    for key, values in alternatives.items():
        wanted &= Q(**{f"{_EQUAL[key]}__in": values})
    return rows.filter(wanted)


def _moment(key: str, value: str) -> datetime:
    """What is compared with. Times are shown rounded to milliseconds: a row is neither before nor after its own."""
    try:
        if RFC_3339.fullmatch(value):
            at = datetime.fromisoformat(value.upper()).astimezone(UTC)
            if at.microsecond % 1000:
                return at
            return at + (HALF_A_MILLISECOND if key.endswith("After") else -HALF_A_MILLISECOND)
    except (ValueError, OverflowError):
        pass
    raise Invalid(f"The filter {key} needs a time such as 1985-04-12T23:20:50.52Z.")
