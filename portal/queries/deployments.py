"""Reading deployments and what they left behind."""

from django.db.models import QuerySet

from portal.models import Deployment, DeploymentEvent, Output, ProvisionedResource, User
from portal.models.deployments import Deployable

# What lists of targets leave out: the texts of a version, and what a deployment was rendered with and from.
_HEAVY_OF_VERSIONS = ("schema", "problems")
HEAVY_OF_LATEST = (
    *(f"version__{name}" for name in _HEAVY_OF_VERSIONS),
    *(f"latest__{name}" for name in Deployment.HEAVY),
    *(f"latest__version__{name}" for name in _HEAVY_OF_VERSIONS),
)
HEAVY_OF_TARGETS = (*HEAVY_OF_LATEST, *(f"deployed__{name}" for name in Deployment.HEAVY))


def visible_to(user: User) -> QuerySet[Deployment]:
    rows = Deployment.objects.select_related("version__template", "actor", "retry_of").defer(
        *Deployment.HEAVY,
        *(f"retry_of__{name}" for name in Deployment.HEAVY),
        *(f"version__{name}" for name in _HEAVY_OF_VERSIONS),
    )
    return rows if user.is_authenticated and user.is_active else rows.none()


def history_of(target: Deployable) -> QuerySet[Deployment]:
    """Every attempt on this incarnation of the target, newest first."""
    rows = Deployment.objects.filter(target_arn=target.arn, target_created_at=target.created_at)
    return rows.select_related("version__template", "actor").defer(*Deployment.HEAVY)


PRINTED = "OUTPUT"  # the status of events that are pieces of what commands printed


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


def output_values(target: Deployable) -> dict[str, str]:
    return {output.key: output.value for output in outputs_of(target)}
