"""How many of everything there are, and how far behind: AWS Proton's GetResourcesSummary."""

from typing import Any

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from portal.enums import SERVICE_BUSY, ServiceStatus, Staleness, TemplateKind
from portal.models import Environment, Service, ServiceInstance, ServicePipeline, Template, User
from portal.queries import attempts
from portal.queries.usage import FAILED

SERVICE_FAILED = set(ServiceStatus) - SERVICE_BUSY - {ServiceStatus.ACTIVE}


def counts(user: User) -> dict[str, dict[str, int]]:
    """By the wire's names of the resources. Five queries, however many there are."""
    if not (user.is_authenticated and user.is_active):
        return {}
    failed = Q(latest__status__in=FAILED)
    templates = Template.objects.aggregate(
        environmentTemplates=Count("pk", filter=Q(kind=TemplateKind.ENVIRONMENT)),
        serviceTemplates=Count("pk", filter=Q(kind=TemplateKind.SERVICE)),
    )
    return {
        "environments": _count(attempts.with_staleness(Environment.objects.all(), "template"), failed),
        "serviceInstances": _count(_instances(), failed),
        "pipelines": _count(_pipelines(), failed),
        "services": _count(_services(), Q(status__in=SERVICE_FAILED)),
        "components": {"total": 0, "failed": 0},  # there are no components yet
        **{name: {"total": total} for name, total in templates.items()},
    }


def _instances() -> QuerySet[Any]:
    return attempts.with_staleness(ServiceInstance.objects.order_by(), "service__template")


def _pipelines() -> QuerySet[Any]:
    return attempts.with_staleness(ServicePipeline.objects.order_by(), "service__template")


def _services() -> QuerySet[Any]:
    """A service is as far behind as the furthest of its instances and its pipeline."""

    def any_is(staleness: Staleness) -> Q:
        of_service = Q(service=OuterRef("pk"), staleness=staleness)
        return Q(Exists(_instances().filter(of_service))) | Q(Exists(_pipelines().filter(of_service)))

    return Service.objects.annotate(
        staleness=Case(
            When(any_is(Staleness.BEHIND_MAJOR), then=Value(Staleness.BEHIND_MAJOR.value)),
            When(any_is(Staleness.BEHIND_MINOR), then=Value(Staleness.BEHIND_MINOR.value)),
            default=Value(Staleness.UP_TO_DATE.value),
        )
    )


def _count(rows: QuerySet[Any], failed: Q) -> dict[str, int]:
    found: dict[str, int] = rows.order_by().aggregate(
        total=Count("pk"),
        upToDate=Count("pk", filter=Q(staleness=Staleness.UP_TO_DATE)),
        behindMajor=Count("pk", filter=Q(staleness=Staleness.BEHIND_MAJOR)),
        behindMinor=Count("pk", filter=Q(staleness=Staleness.BEHIND_MINOR)),
        failed=Count("pk", filter=failed),
    )
    return found
