"""Finding what disappeared from an account, and deploying it again."""

import logging
from collections import defaultdict

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import engines
from portal.actions import audit, places
from portal.actions.starting import start
from portal.actions.targets import Target
from portal.enums import DeploymentKind, Role
from portal.errors import Conflict, Forbidden, Invalid, Unavailable
from portal.models import Component, Environment, ProvisionedResource, ServiceInstance, ServicePipeline, User
from portal.queries.deployments import TARGETS
from provisioning.engines.base import EngineUnavailable
from provisioning.engines.base import Target as Place
from provisioning.engines.inventory import missing_stacks

log = logging.getLogger(__name__)


def _current() -> list[ProvisionedResource]:
    """The stacks that environments, instances, pipelines and components run on now."""
    ids: set[object] = set()
    for model in TARGETS:
        ids |= set(model.objects.filter(deployed__isnull=False).values_list("deployed_id", flat=True))
    rows = ProvisionedResource.objects.filter(deployment_id__in=ids, engine="CLOUDFORMATION")
    return list(rows.select_related("deployment"))


def find_missing(*, by: User | None = None) -> int:
    """Look into every account for the stacks that should be there; how many are gone. Raises Unavailable.

    Without ``by`` the machine asks: `make run` after the embedded AWS was not stopped cleanly.
    """
    if by is not None:
        _only_platform(by)
    current = [row for row in _current() if row.deployment.engine == "cloudformation"]
    known = places.of_deployments(row.deployment for row in current)
    by_place: dict[Place, list[ProvisionedResource]] = defaultdict(list)
    for row in current:
        if row.deployment_id in known:
            by_place[known[row.deployment_id]].append(row)
    unseen = [row.pk for row in current if row.deployment_id not in known]
    gone: list[int] = []
    for place, rows in by_place.items():
        try:
            missing = missing_stacks(engines.sessions(), place, {row.identifier for row in rows})
        except EngineUnavailable as trouble:
            raise Unavailable(str(trouble)) from trouble
        gone += [row.pk for row in rows if row.identifier in missing]
    with transaction.atomic():
        ProvisionedResource.objects.filter(missing_since__isnull=False).exclude(pk__in=gone + unseen).update(
            missing_since=None
        )
        ProvisionedResource.objects.filter(pk__in=gone, missing_since__isnull=True).update(missing_since=Now())
        if gone:
            audit.record(by=by, action="resources.missing", target="settings", count=len(gone))
    return len(gone)


def _only_platform(by: User) -> None:
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Only platform engineers deploy everything again. Ask a platform engineer.")


def missing() -> list[Target]:
    """What runs on a stack that is known to be gone; environments first."""
    gone = ProvisionedResource.objects.filter(missing_since__isnull=False).values("deployment_id")
    lost = {"deployed__in": gone, "latest": F("deployed")}
    return [
        *Environment.objects.filter(**lost).select_related("template", "version__template", "deployed", "latest"),
        *ServiceInstance.objects.filter(**lost).select_related(
            "service__template", "environment", "version__template", "deployed", "latest"
        ),
        *ServicePipeline.objects.filter(**lost).select_related(
            "service__template", "version__template", "deployed", "latest"
        ),
        *Component.objects.filter(**lost).select_related("environment", "instance__service", "deployed", "latest"),
    ]


def redeploy_missing(*, by: User) -> int:
    """Deploy again what is known to be gone. How many were started.

    Instances and components wait for their environments, and instances for their components.
    """
    _only_platform(by)
    return sum(_redeploy(by, target) for target in missing())


def _redeploy(by: User, target: Target) -> bool:
    """Whether it was started: somebody else may have been quicker, or its account may have shut us out."""
    if target.deployed is None or (target.version is None and not isinstance(target, Component)):
        return False
    try:
        with transaction.atomic():
            start(
                by=by,
                target=target,
                kind=DeploymentKind.UPDATE,
                version=target.version,
                spec=target.spec,
                inputs=target.deployed.inputs,
                template_file=target.deployed.template_file,
                lost=True,
            )
            audit.record(by=by, action="resources.redeploy", target=target.arn)
    except (Conflict, Invalid):
        return False
    return True
