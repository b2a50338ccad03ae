"""Reading deployments and what they left behind."""

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from portal.enums import DeploymentTargetType
from portal.models import (
    Component,
    Deployment,
    DeploymentEvent,
    Environment,
    Output,
    ProvisionedResource,
    ServiceInstance,
    ServicePipeline,
    User,
)
from portal.models.deployments import Deployable

# What lists of targets leave out: the texts of a version, and what a deployment was rendered with and from.
_HEAVY_OF_VERSIONS = ("schema", "problems")
HEAVY_OF_LATEST = (
    *(f"version__{name}" for name in _HEAVY_OF_VERSIONS),
    *(f"latest__{name}" for name in Deployment.HEAVY),
    *(f"latest__version__{name}" for name in _HEAVY_OF_VERSIONS),
)
HEAVY_OF_TARGETS = (*HEAVY_OF_LATEST, *(f"deployed__{name}" for name in Deployment.HEAVY))

# What deployments change; each is a Deployable.
TARGETS = (Environment, ServiceInstance, ServicePipeline, Component)


def visible_to(user: User) -> QuerySet[Deployment]:
    rows = Deployment.objects.select_related("version__template", "actor", "retry_of").defer(
        *Deployment.HEAVY,
        *(f"retry_of__{name}" for name in Deployment.HEAVY),
        *(f"version__{name}" for name in _HEAVY_OF_VERSIONS),
    )
    return rows.filter(removed_at__isnull=True) if user.is_authenticated and user.is_active else rows.none()


def history_of(target: Deployable) -> QuerySet[Deployment]:
    """Every attempt on this incarnation of the target, newest first."""
    rows = Deployment.objects.filter(
        target_arn=target.arn, target_created_at=target.created_at, removed_at__isnull=True
    )
    return rows.select_related("version__template", "actor").defer(*Deployment.HEAVY)


PRINTED = "OUTPUT"  # the status of events that are pieces of what commands printed


def attachment_of(deployment: Deployment) -> ServiceInstance | None:
    """The instance that a deployment of a component attached it to, or left it attached to; None when it is gone."""
    state = deployment.target_state
    rows = ServiceInstance.objects.select_related("version__template")
    names = {"service__name": state.get("service_name", ""), "name": state.get("service_instance_name", "")}
    return rows.filter(**names).first()


def events_of(deployment: Deployment) -> QuerySet[DeploymentEvent]:
    return deployment.events.exclude(status=PRINTED).order_by("at", "id")


def printed_by(deployment: Deployment, after: int = 0) -> QuerySet[DeploymentEvent]:
    """What its commands printed, in pieces of whole lines, from the piece after the one with that primary key."""
    return deployment.events.filter(status=PRINTED, pk__gt=after).order_by("id")


def outputs_of(target: Deployable) -> list[Output]:
    """What the last successful deployment returned."""
    return list(target.deployed.outputs.all()) if target.deployed_id else []


def resources_of(target: Deployable) -> list[ProvisionedResource]:
    """What the last successful deployment made; after a failed first attempt, what that one made."""
    source = target.deployed_id or target.latest_id
    return list(ProvisionedResource.objects.filter(deployment_id=source)) if source else []


def is_made_anew(target: Deployable) -> bool:
    """Its stack was lost and is being deployed again."""
    return target.is_busy and is_lost(target)


def is_lost(target: Deployable) -> bool:
    """Something that it made is gone, without anybody here having asked for it."""
    deployed = target.deployed
    return deployed is not None and deployed.provisioned_resources.filter(missing_since__isnull=False).exists()


def outputs_then(target: Deployable, id: UUID | str) -> list[Output] | None:
    """What one deployment of this target returned; None when it had no such deployment."""
    found = history_of(target).filter(pk=id).first()
    return None if found is None else list(found.outputs.all())


def output_values(target: Deployable) -> dict[str, str]:
    return {output.key: output.value for output in outputs_of(target)}


_SHOWN = (
    "id",
    "target_arn",
    "target_type",
    "target_created_at",
    "environment_name",
    "service_name",
    "instance_name",
    "component_name",
    "status",
    "succeeded_before",
    "created_at",
    "last_modified_at",
    "completed_at",
)


def shown(user: User, *, whole: bool = False) -> QuerySet[Any]:
    """What the wire shows of deployments, as dictionaries, in one query; ``whole`` is for a single one.

    AWS Proton names an environment on every record: for a pipeline it is that of the service's first instance
    (``with_environments`` where that is gone).
    """
    first = ServiceInstance.objects.filter(service__name=OuterRef("service_name")).order_by("position", "name")
    rows = visible_to(user).select_related(None).defer(None)
    more = ("status_message", "initial_state", "target_state") if whole else ()
    return rows.values(*_SHOWN, *more, pipeline_environment=Subquery(first.values("environment__name")[:1]))


def with_environments(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of ``shown``, where a pipeline whose service has no instance any more has the environment that one was
    deployed to last before. One query more, and only then."""
    gone = {str(row["id"]): row for row in rows if not (row["environment_name"] or row["pipeline_environment"])}
    if gone:
        before = Deployment.objects.filter(
            service_name=OuterRef("service_name"),
            target_type=DeploymentTargetType.SERVICE_INSTANCE,
            created_at__lte=OuterRef("created_at"),
        ).order_by("-created_at")
        named = Deployment.objects.filter(pk__in=gone).order_by()
        for id, name in named.values_list("pk", Subquery(before.values("environment_name")[:1])):
            gone[str(id)]["pipeline_environment"] = name
    return rows


def was_removed(user: User, id: UUID | str) -> bool:
    """Whether this deployment was taken out of the history."""
    signed_in = user.is_authenticated and user.is_active
    return signed_in and Deployment.objects.filter(pk=id, removed_at__isnull=False).exists()


def narrowed(
    rows: QuerySet[Any], *, environment: str | None, service: str | None, instance: str | None, component: str | None
) -> QuerySet[Any]:
    """Those of the named things."""
    if environment is not None:
        rows = rows.filter(environment_name=environment)
    if service is not None:
        rows = rows.filter(service_name=service)
    if instance is not None:
        rows = rows.filter(instance_name=instance)
    if component is not None:
        rows = rows.filter(target_type=DeploymentTargetType.COMPONENT, component_name=component)
    return rows
