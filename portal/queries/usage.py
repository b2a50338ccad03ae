"""Which template version runs where, and how far behind it is: what the dashboard shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from portal.enums import RUNNING, DeploymentStatus, DeploymentTargetType, Staleness
from portal.models import (
    Environment,
    ServiceInstance,
    ServicePipeline,
    Team,
    Template,
    TemplateVersion,
    UsageRecord,
    User,
)
from portal.models.deployments import Deployable
from portal.queries.deployments import HEAVY_OF_TARGETS
from portal.queries.distances import Distance, distance, published_versions

FAILED = frozenset({DeploymentStatus.FAILED, DeploymentStatus.DELETE_FAILED})


def intervals_of(target: Deployable) -> list[UsageRecord]:
    """Which version this target ran from when until when, the newest first."""
    return list(UsageRecord.objects.filter(target_arn=target.arn, started_at__gte=target.created_at)[:20])


@dataclass(frozen=True)
class UsageFilters:
    """What the dashboard shows, kept in the URL. "" filters nothing."""

    account: str = ""
    template: str = ""  # "ENVIRONMENT/vpc"
    team: str = ""  # a team's name, "-" for no team
    state: str = ""  # a Staleness value, or FAILED, or IN_PROGRESS
    version: str = ""  # "2.1"
    q: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "UsageFilters":
        return cls(**{field.name: str(query.get(field.name, ""))[:200] for field in fields(cls)})

    def as_query(self, **changes: str) -> str:
        """The URL's query string with some members changed: "?account=1&state=FAILED", "" when nothing is filtered."""
        changed = replace(self, **changes)
        wanted = {field.name: getattr(changed, field.name) for field in fields(self) if getattr(changed, field.name)}
        return "?" + urlencode(wanted) if wanted else ""

    @property
    def any(self) -> bool:
        return bool(self.as_query())


@dataclass(frozen=True)
class UsageRow:
    """One environment, instance or pipeline with the version that it runs."""

    type: str
    name: str
    url: str
    template: Template
    version: TemplateVersion | None
    distance: Distance
    status: str
    account_id: str
    region: str
    team: Team | None
    deployed_at: datetime | None
    arn: str

    @property
    def is_failed(self) -> bool:
        return self.status in FAILED

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING


def rows(user: User, filters: UsageFilters) -> list[UsageRow]:
    """Everything deployed that matches, the furthest behind first. A constant number of queries."""
    if not (user.is_authenticated and user.is_active):
        return []
    published = published_versions()
    found = [_row(target, published) for target in _targets(filters)]
    kept = [row for row in found if matches(row, filters)]
    order = {Staleness.BEHIND_MAJOR: 0, Staleness.BEHIND_MINOR: 1, Staleness.UP_TO_DATE: 2}
    return sorted(kept, key=lambda row: (order[row.distance.status], -row.distance.versions, row.type, row.name))


def _targets(filters: UsageFilters) -> Iterable[Environment | ServiceInstance | ServicePipeline]:
    kind, _, name = filters.template.partition("/")
    environments = Environment.objects.select_related("template", "version", "latest__version", "deployed", "team")
    environments = environments.defer(*HEAVY_OF_TARGETS)
    instances = ServiceInstance.objects.select_related(
        "service__template", "service__team", "environment", "version", "latest__version", "deployed"
    ).defer(*HEAVY_OF_TARGETS)
    pipelines = ServicePipeline.objects.select_related(
        "service__template", "service__team", "version", "latest__version", "deployed"
    ).defer(*HEAVY_OF_TARGETS)
    if name:
        environments = environments.filter(template__name=name) if kind == "ENVIRONMENT" else environments.none()
        instances = instances.filter(service__template__name=name) if kind == "SERVICE" else instances.none()
        pipelines = pipelines.filter(service__template__name=name) if kind == "SERVICE" else pipelines.none()
    if filters.account:
        environments = environments.filter(target_account_id=filters.account)
        instances = instances.filter(environment__target_account_id=filters.account)
    if filters.team:
        team = Q(team__isnull=True) if filters.team == "-" else Q(team__name=filters.team)
        service = Q(service__team__isnull=True) if filters.team == "-" else Q(service__team__name=filters.team)
        environments, instances, pipelines = (
            environments.filter(team),
            instances.filter(service),
            pipelines.filter(service),
        )
    yield from environments
    yield from instances
    yield from pipelines


def _row(
    target: Environment | ServiceInstance | ServicePipeline, published: dict[int, list[TemplateVersion]]
) -> UsageRow:
    if isinstance(target, Environment):
        kind, template, team, region = DeploymentTargetType.ENVIRONMENT, target.template, target.team, target.region
        url = reverse("environment", args=[target.name])
    elif isinstance(target, ServiceInstance):
        kind, template, team = DeploymentTargetType.SERVICE_INSTANCE, target.service.template, target.service.team
        region = target.environment.region
        url = reverse("instance", args=[target.service.name, target.name])
    else:
        kind, template, team = DeploymentTargetType.SERVICE_PIPELINE, target.service.template, target.service.team
        region = target.latest.region if target.latest else ""
        url = reverse("service", args=[target.service.name])
    versions = published.get(template.pk, [])
    shown = target.shown_version
    return UsageRow(
        type=kind,
        name=str(target),
        url=url,
        template=template,
        version=shown,
        distance=distance(shown, versions[0] if versions else None, versions),
        status=target.deployment_status,
        account_id=target.account_id,
        region=region,
        team=team,
        deployed_at=target.deployed.completed_at if target.deployed else None,
        arn=target.arn,
    )


def matches(row: UsageRow, filters: UsageFilters) -> bool:
    """Whether the row is among what ``filters`` show."""
    if filters.account and row.account_id != filters.account:
        return False
    if filters.version and (row.version is None or row.version.number != filters.version):
        return False
    if filters.state == "FAILED" and not row.is_failed:
        return False
    if filters.state == "IN_PROGRESS" and not row.is_running:
        return False
    if filters.state in Staleness.values and row.distance.status != filters.state:
        return False
    text = f"{row.name} {row.template.name} {row.account_id} {row.team or ''}".lower()
    return all(word in text for word in filters.q.lower().split())


@dataclass(frozen=True)
class Summary:
    """Counts that add up: total = up_to_date + behind_minor + behind_major. Failed and in progress are beside these."""

    total: int
    up_to_date: int
    behind_minor: int
    behind_major: int
    failed: int
    in_progress: int

    @property
    def percent_up_to_date(self) -> int | None:
        """Rounded down, so that 100 means all; None when there is nothing."""
        return self.up_to_date * 100 // self.total if self.total else None


def summary(rows: Sequence[UsageRow]) -> Summary:
    def count(status: Staleness) -> int:
        return sum(row.distance.status == status for row in rows)

    return Summary(
        total=len(rows),
        up_to_date=count(Staleness.UP_TO_DATE),
        behind_minor=count(Staleness.BEHIND_MINOR),
        behind_major=count(Staleness.BEHIND_MAJOR),
        failed=sum(row.is_failed for row in rows),
        in_progress=sum(row.is_running for row in rows),
    )


@dataclass(frozen=True)
class VersionUse:
    """How often one version of a template runs, by account."""

    template: Template
    version: TemplateVersion
    distance: Distance
    by_account: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_account.values())


def matrix(rows: Sequence[UsageRow]) -> list[VersionUse]:
    """Template by template, the newest version first, how often each runs in each account."""
    found: dict[tuple[int, int], VersionUse] = {}
    for row in rows:
        if row.version is None:
            continue
        key = (row.template.pk, row.version.pk)
        use = found.setdefault(key, VersionUse(row.template, row.version, row.distance, {}))
        use.by_account[row.account_id] = use.by_account.get(row.account_id, 0) + 1
    return sorted(
        found.values(),
        key=lambda use: (use.template.kind, use.template.name, -use.version.major, -use.version.minor),
    )
