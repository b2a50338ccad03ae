"""How many of everything there are, and how far behind: AWS Proton's GetResourcesSummary."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from portal.enums import SERVICE_BUSY, ServiceStatus, Staleness, TemplateKind
from portal.models import Environment, Service, ServiceInstance, ServicePipeline, Template, User
from portal.queries import attempts, components
from portal.queries.usage import FAILED

SERVICE_FAILED = set(ServiceStatus) - SERVICE_BUSY - {ServiceStatus.ACTIVE}
BEHIND = {Staleness.BEHIND_MINOR: "behindMinor", Staleness.BEHIND_MAJOR: "behindMajor"}  # the worst is last
Group = tuple[int | None, str, bool, int]  # service, the wire's count of its version, failed, how many


def counts(user: User) -> dict[str, dict[str, int]]:
    """By the wire's names of the resources. Eight queries, however many there are; targets are grouped by them."""
    if not (user.is_authenticated and user.is_active):
        return {}
    behind = {pk: name for staleness, name in BEHIND.items() for pk in _pks(staleness)}
    environments = _groups(Environment.objects.all(), behind)
    instances = _groups(ServiceInstance.objects.all(), behind, by="service_id")
    pipelines = _groups(ServicePipeline.objects.all(), behind, by="service_id")
    services = Service.objects.aggregate(total=Count("pk"), failed=Count("pk", filter=Q(status__in=SERVICE_FAILED)))
    templates = Template.objects.aggregate(
        environmentTemplates=Count("pk", filter=Q(kind=TemplateKind.ENVIRONMENT)),
        serviceTemplates=Count("pk", filter=Q(kind=TemplateKind.SERVICE)),
    )
    return {
        "environments": _counted(environments),
        "serviceInstances": _counted(instances),
        "pipelines": _counted(pipelines),
        "services": {**_worst([*instances, *pipelines], services["total"]), **services},
        "components": asdict(components.counts()),
        **{name: {"total": total} for name, total in templates.items()},
    }


def _pks(staleness: Staleness) -> Iterable[int]:
    return attempts.versions_behind(staleness).order_by().values_list("pk", flat=True)


def _groups(rows: QuerySet[Any], behind: dict[int, str], by: str = "") -> list[Group]:
    shown = Coalesce("version_id", "latest__version_id")
    columns = [by] if by else []
    grouped = rows.order_by().values_list(*columns, shown, "latest__status").annotate(count=Count("pk"))
    return [
        (rest[0] if rest else None, behind.get(version, "upToDate"), status in FAILED, count)
        for *rest, version, status, count in grouped
    ]


def _counted(groups: Iterable[Group]) -> dict[str, int]:
    found = Counter({"total": 0, "upToDate": 0, "behindMinor": 0, "behindMajor": 0, "failed": 0})
    for _, distance, failed, count in groups:
        found["total"] += count
        found[distance] += count
        found["failed"] += count if failed else 0
    return dict(found)


def _worst(groups: Iterable[Group], total: int) -> dict[str, int]:
    """Each service is as far behind as the furthest of its instances and its pipeline."""
    order = ["upToDate", *BEHIND.values()]
    worst: dict[int | None, int] = {}
    for service, distance, _, _ in groups:
        worst[service] = max(worst.get(service, 0), order.index(distance))
    found = {name: sum(rank == at for rank in worst.values()) for at, name in enumerate(order)}
    return {**found, "upToDate": total - found["behindMinor"] - found["behindMajor"]}
