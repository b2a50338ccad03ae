"""Recording which version runs where, in the transaction in which a deployment finishes, and rebuilding that."""

from django.db import connection, transaction

from portal.actions import audit
from portal.enums import DeploymentStatus, DeploymentTargetType, TemplateKind
from portal.models import Deployment, UsageRecord, User

BATCH = 1000


def _record(deployment: Deployment) -> UsageRecord:
    """The interval that begins with this deployment's end."""
    is_environment = deployment.target_type == DeploymentTargetType.ENVIRONMENT
    return UsageRecord(
        account_id=deployment.account_id,
        region=deployment.region,
        template_kind=TemplateKind.ENVIRONMENT if is_environment else TemplateKind.SERVICE,
        template_name=deployment.template_name,
        major=deployment.template_major,
        minor=deployment.template_minor,
        target_arn=deployment.target_arn,
        target_type=deployment.target_type,
        environment_name=deployment.environment_name,
        service_name=deployment.service_name,
        deployment=deployment,
        started_at=deployment.completed_at,
    )


def _continues(running: UsageRecord | None, begun: UsageRecord) -> bool:
    """Whether the same version runs on in the same account, so that the interval stays the same."""
    if running is None:
        return False
    members = ("account_id", "template_name", "major", "minor")
    return all(getattr(running, name) == getattr(begun, name) for name in members)


def began(deployment: Deployment) -> None:
    """Since its end the target runs this deployment's version. An unchanged version keeps its interval.

    Components have no version, and so no intervals.
    """
    if deployment.target_type == DeploymentTargetType.COMPONENT:
        return
    begun = _record(deployment)
    if not _continues(UsageRecord.objects.filter(target_arn=begun.target_arn, ended_at__isnull=True).first(), begun):
        ended(deployment)
        begun.save()


def ended(deployment: Deployment) -> None:
    """With this deployment's end the target stopped running what it ran."""
    running = UsageRecord.objects.filter(target_arn=deployment.target_arn, ended_at__isnull=True)
    running.update(ended_at=deployment.completed_at)


def rebuild(*, by: User | None = None) -> int:
    """Write every interval anew from the deployments; how many there are. Deployments that end meanwhile wait."""
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite's transactions that write wait for each other anyway
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {UsageRecord._meta.db_table} IN EXCLUSIVE MODE")
        UsageRecord.objects.all().delete()
        count = _write_intervals()
        audit.record(by=by, action="usage.rebuild", target="settings", count=count)
    return count


def _write_intervals() -> int:
    ends = (DeploymentStatus.SUCCEEDED, DeploymentStatus.DELETE_COMPLETE)
    rows = Deployment.objects.filter(status__in=ends).exclude(target_type=DeploymentTargetType.COMPONENT)
    rows = rows.order_by("completed_at", "created_at").defer(*Deployment.HEAVY)
    running: dict[str, UsageRecord] = {}
    over: list[UsageRecord] = []
    count = 0
    for deployment in rows.iterator(BATCH):
        begun = _record(deployment) if deployment.status == DeploymentStatus.SUCCEEDED else None
        before = running.get(deployment.target_arn)
        if begun is not None and _continues(before, begun):
            continue
        if before is not None:
            before.ended_at = deployment.completed_at
            over.append(running.pop(deployment.target_arn))
        if begun is not None:
            running[deployment.target_arn] = begun
        if len(over) >= BATCH:
            count += len(UsageRecord.objects.bulk_create(over))
            over = []
    return count + len(UsageRecord.objects.bulk_create([*over, *running.values()], batch_size=BATCH))
