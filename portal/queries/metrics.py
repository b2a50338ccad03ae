"""What Prometheus scrapes: counts of rows, read anew for every scrape, so that any web process gives the same answer.

Labels are few: kinds, statuses, phases and templates; never a person, a service or an account.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Now
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from portal.enums import RUNNING, DeploymentStatus, Staleness
from portal.models import (
    AuditEvent,
    Deployment,
    Environment,
    ServiceChange,
    ServiceInstance,
    ServicePipeline,
    TemplateVersion,
)
from portal.queries import distances

DUE_WORK: dict[str, Any] = {
    "deployment": Deployment,
    "template_version": TemplateVersion,
    "service_change": ServiceChange,
}
DISTANCES = {
    Staleness.UP_TO_DATE: "up_to_date",
    Staleness.BEHIND_MINOR: "behind_minor",
    Staleness.BEHIND_MAJOR: "behind_major",
}


def text() -> bytes:
    """All metrics in Prometheus' text format. A constant number of queries, however many rows there are."""
    registry = CollectorRegistry()
    registry.register(_Rows())
    return generate_latest(registry)


class _Rows(Collector):
    def describe(self) -> Iterable[Metric]:
        return ()  # registering reads nothing

    def collect(self) -> Iterable[Metric]:
        yield from _due_work()
        yield _deployments()
        yield _accounts()
        yield _versions()
        yield _audit()


def _due_work() -> Iterable[Metric]:
    oldest = GaugeMetricFamily(
        "deuteron_oldest_due_seconds", "How long the row that waits longest for a worker has been due.", labels=["kind"]
    )
    due = GaugeMetricFamily("deuteron_due_rows", "Rows that are due and that no worker has taken.", labels=["kind"])
    claimed = GaugeMetricFamily("deuteron_claimed_rows", "Rows that a worker holds a lease on.", labels=["kind"])
    expired = GaugeMetricFamily(
        "deuteron_expired_leases",
        "Rows whose worker stopped renewing its lease and that no other has taken.",
        labels=["kind"],
    )
    free = Q(due_at__lte=Now()) & (Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))
    for kind, model in DUE_WORK.items():
        found = model.objects.filter(due_at__isnull=False).aggregate(
            now=models.Max(Now()),
            since=Min("due_at", filter=free),
            due=Count("pk", filter=free),
            claimed=Count("pk", filter=Q(lease_until__gte=Now())),
            expired=Count("pk", filter=Q(lease_until__lt=Now())),
        )
        waited = (found["now"] - found["since"]).total_seconds() if found["since"] else 0.0
        oldest.add_metric([kind], max(0.0, waited))
        due.add_metric([kind], found["due"])
        claimed.add_metric([kind], found["claimed"])
        expired.add_metric([kind], found["expired"])
    return (oldest, due, claimed, expired)


def _deployments() -> Metric:
    metric = GaugeMetricFamily(
        "deuteron_deployments", "Deployments by status and phase, finished ones included.", labels=["status", "phase"]
    )
    rows = Deployment.objects.order_by().values_list("status", "phase").annotate(count=Count("pk"))
    for status, phase, count in rows:
        metric.add_metric([status, phase], count)
    return metric


def _accounts() -> Metric:
    metric = GaugeMetricFamily(
        "deuteron_failing_accounts",
        "AWS accounts by what is wrong: no answer to a running deployment, or the last deployment of a target failed.",
        labels=["why"],
    )
    silent = Deployment.objects.filter(status__in=RUNNING, failures__gt=0)
    failed = [DeploymentStatus.FAILED, DeploymentStatus.DELETE_FAILED]
    targets = [
        model.objects.filter(latest__status__in=failed).values_list("latest__account_id", flat=True).distinct()
        for model in (Environment, ServiceInstance, ServicePipeline)
    ]
    metric.add_metric(["no_answer"], silent.order_by().values("account_id").distinct().count())
    metric.add_metric(["failed"], len({account for accounts in targets for account in accounts}))
    return metric


def _audit() -> Metric:
    metric = GaugeMetricFamily(
        "deuteron_oldest_unsealed_audit_seconds", "How long the oldest audit event that is not sealed has been there."
    )
    found = AuditEvent.objects.filter(seq__isnull=True).aggregate(now=models.Max(Now()), since=Min("at"))
    metric.add_metric([], max(0.0, (found["now"] - found["since"]).total_seconds()) if found["since"] else 0.0)
    return metric


def _versions() -> Metric:
    metric = GaugeMetricFamily(
        "deuteron_targets",
        "Environments, instances and pipelines by template and by how far they are behind its recommended version.",
        labels=["template_kind", "template", "distance"],
    )
    shown = Coalesce("version_id", "latest__version_id")
    running: Counter[int] = Counter()
    for model in (Environment, ServiceInstance, ServicePipeline):
        rows = model.objects.order_by().annotate(shown=shown).filter(shown__isnull=False).values_list("shown")
        running.update(dict(rows.annotate(count=Count("pk"))))
    published = distances.published_versions()
    counts: Counter[tuple[str, str, str]] = Counter()
    for version in (
        TemplateVersion.objects.filter(pk__in=running).select_related("template").defer("schema", "problems")
    ):
        newest_first = published.get(version.template_id, [])
        behind = distances.distance(version, newest_first[0] if newest_first else None, newest_first)
        counts[version.template.kind, version.template.name, DISTANCES[behind.status]] += running[version.pk]
    for labels, count in sorted(counts.items()):
        metric.add_metric(list(labels), count)
    return metric
