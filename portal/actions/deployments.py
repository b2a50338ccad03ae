"""Starting, cancelling, retrying and finishing deployments."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import audit, claims, usage
from portal.actions.names import unless_taken
from portal.enums import (
    RUNNING,
    DeploymentKind,
    DeploymentPhase,
    DeploymentStatus,
    DeploymentTargetType,
)
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import (
    AccountSettings,
    Deployment,
    DeploymentEvent,
    Environment,
    Output,
    ProvisionedResource,
    ServiceChange,
    ServiceInstance,
    ServicePipeline,
    TemplateVersion,
    User,
)
from portal.queries import templates as template_queries
from provisioning.engines.base import Event, Outcome
from provisioning.engines.names import stack_name
from provisioning.problems import Problem

Target = Environment | ServiceInstance | ServicePipeline
ENGINES_HERE = {"cloudformation"}


def _where(target: Target) -> dict[str, str]:
    """Account, region and role that a target deploys with. Pipelines go to the management account."""
    if isinstance(target, ServicePipeline):
        return {
            "account_id": settings.PORTAL_ACCOUNT_ID,
            "region": settings.PORTAL_REGION,
            "role_arn": AccountSettings.get().pipeline_service_role_arn,
        }
    environment = target if isinstance(target, Environment) else target.environment
    return {
        "account_id": environment.target_account_id,
        "region": environment.region,
        "role_arn": environment.proton_service_role_arn,
    }


def _who(target: Target) -> dict[str, str]:
    if isinstance(target, Environment):
        return {"target_type": DeploymentTargetType.ENVIRONMENT, "environment_name": target.name}
    if isinstance(target, ServicePipeline):
        return {"target_type": DeploymentTargetType.SERVICE_PIPELINE, "service_name": target.service.name}
    return {
        "target_type": DeploymentTargetType.SERVICE_INSTANCE,
        "environment_name": target.environment.name,
        "service_name": target.service.name,
        "instance_name": target.name,
    }


def part_of(target: Target) -> str:
    """The part of a bundle that provisions this target."""
    return {Environment: "infrastructure", ServiceInstance: "instance", ServicePipeline: "pipeline"}[type(target)]


def engine_for(target: Target, version: TemplateVersion) -> str:
    """Which engine the version's bundle asks for. Raises Invalid when this portal has none of that kind."""
    part = template_queries.bundle_of(version).parts.get(part_of(target))
    if part is None:
        return "none"
    if part.manifest.engine not in ENGINES_HERE:
        message = f"{version} is provisioned with {part.manifest.engine}, which this portal cannot run yet."
        raise Invalid(message, [Problem("/version", message)])
    return "memory" if settings.SIMULATION is not None else part.manifest.engine


def _state(version: TemplateVersion | None, spec: str) -> dict[str, Any]:
    if version is None:
        return {}
    return {
        "spec": spec,
        "template_name": version.template.name,
        "template_major_version": str(version.major),
        "template_minor_version": str(version.minor),
    }


def _name_of_stack(target: Target, name: str) -> str:
    return stack_name(name, "cloudformation", f"{target.arn}#{target.created_at.isoformat()}")


def start(
    *,
    by: User,
    target: Target,
    kind: str,
    version: TemplateVersion,
    spec: str,
    inputs: Mapping[str, Any],
    retry_of: Deployment | None = None,
    allow_replace_empty: bool = False,
    lost: bool = False,
) -> Deployment:
    """Write the row that a worker will drive, inside the caller's transaction.

    ``lost``: what earlier deployments made is known to be gone, so make it anew.
    Raises Conflict when a deployment of the target is running: the unique index is the lock.
    """
    return _start(
        by=by,
        target=target,
        kind=kind,
        version=version,
        spec=spec,
        inputs=dict(inputs),
        status=DeploymentStatus.IN_PROGRESS,
        engine=engine_for(target, version),
        retry_of=retry_of,
        allow_replace_empty=allow_replace_empty,
        identifier="" if lost or target.latest is None else target.latest.identifier,
        target_state=_state(version, spec),
    )


def start_removal(*, by: User, target: Target, retry_of: Deployment | None = None) -> Deployment:
    """Write the row that removes what the target's deployments made. Raises Conflict while one is running."""
    source = target.deployed or target.latest
    return _start(
        by=by,
        target=target,
        kind=DeploymentKind.DELETE,
        version=target.shown_version,
        spec=target.spec,
        inputs=source.inputs if source else {},
        status=DeploymentStatus.DELETE_IN_PROGRESS,
        engine=source.engine if source else "none",
        retry_of=retry_of,
        allow_replace_empty=False,
        identifier=target.latest.identifier if target.latest else "",
        target_state={},
    )


def _start(*, by: User, target: Target, kind: str, version: TemplateVersion | None, **fields: Any) -> Deployment:
    previous = target.latest
    who = _who(target)
    named = version or (previous.version if previous else None)
    deployment = unless_taken(
        lambda: Deployment.objects.create(
            target_arn=target.arn,
            target_created_at=target.created_at,
            kind=kind,
            template_name=named.template.name if named else (previous.template_name if previous else ""),
            template_major=named.major if named else (previous.template_major if previous else 0),
            template_minor=named.minor if named else (previous.template_minor if previous else 0),
            version=named,
            bundle=named.bundle if named else None,
            initial_state=_state(target.version, target.spec),
            external_name=_name_of_stack(
                target, "-".join(part for part in (who.get("service_name"), _short_name(target)) if part)
            ),
            actor=by,
            actor_name=by.username,
            due_at=Now(),
            doing="Waiting for a worker",
            **who,
            **_where(target),
            **fields,
        ),
        f"A deployment of {target} is running. Wait for its end, or cancel it.",
    )
    target.latest = deployment
    target.save(update_fields=["latest"])
    nudges.after_commit(tasks.drive_deployment, deployment.pk)
    return deployment


def _short_name(target: Target) -> str:
    return "pipeline" if isinstance(target, ServicePipeline) else target.name


def target_of(deployment: Deployment) -> Target | None:
    """The row that a deployment changes, of the same incarnation; None when it is gone."""
    model = {
        DeploymentTargetType.ENVIRONMENT: Environment,
        DeploymentTargetType.SERVICE_INSTANCE: ServiceInstance,
        DeploymentTargetType.SERVICE_PIPELINE: ServicePipeline,
    }[DeploymentTargetType(deployment.target_type)]
    return model.objects.filter(arn=deployment.target_arn, created_at=deployment.target_created_at).first()


def require_change(by: User, target: Target) -> None:
    """Whether this person may deploy this target; repeated here so that no door can forget it. Raises Forbidden."""
    if by.is_platform:
        return
    if isinstance(target, Environment):
        raise Forbidden("Environments are made and changed by platform engineers. Ask a platform engineer.")
    service = target.service
    mine = (
        service.team_id in {team.pk for team in by.teams.all()} if service.team_id else service.created_by_id == by.pk
    )
    if not (by.is_developer and mine):
        owner = f"team {service.team.name}" if service.team else "a platform engineer"
        raise Forbidden(f"You may not change {service.name}. Ask {owner}.")


def cancel(*, by: User, target: Target) -> Deployment:
    """Ask a running update to stop. Three ends are possible: cancelled, failed, or succeeded before it was stopped.

    AWS Proton cancels updates only: for a create or delete, and when nothing is running, Conflict.
    """
    require_change(by, target)
    with transaction.atomic():
        latest = Deployment.objects.filter(pk=target.latest_id).first()
        if latest is None or not latest.is_running:
            raise Conflict(f"No deployment of {target} is running.")
        if latest.status == DeploymentStatus.CANCELLING:
            return latest
        if latest.kind != DeploymentKind.UPDATE:
            verb = "first deployment" if latest.kind == DeploymentKind.CREATE else "deletion"
            hint = " Delete it when the deployment has ended." if latest.kind == DeploymentKind.CREATE else ""
            raise Conflict(f"The {verb} of {target} cannot be cancelled.{hint}")
        moved = Deployment.objects.filter(pk=latest.pk, status=DeploymentStatus.IN_PROGRESS).update(
            status=DeploymentStatus.CANCELLING,
            status_message="User initiated cancellation.",
            cancel_requested_at=Now(),
            due_at=Now(),
        )
        if not moved:
            raise Conflict(f"The deployment of {target} has just ended.")
        audit.record(by=by, action="deployment.cancel", target=latest.arn)
        nudges.after_commit(tasks.drive_deployment, latest.pk)
    latest.refresh_from_db()
    return latest


def retry(*, by: User, deployment: Deployment) -> Deployment:
    """A new attempt with the same version and spec. Only of a target's last attempt, when that did not succeed."""
    target = target_of(deployment)
    if target is None:
        raise Conflict(f"{deployment.target_name} does not exist any more.")
    require_change(by, target)
    if target.latest_id != deployment.pk or deployment.is_running:
        raise Conflict("Only the last deployment of a target can be retried, once it has ended.")
    if deployment.status == DeploymentStatus.SUCCEEDED:
        raise Conflict("This deployment succeeded: there is nothing to retry. Deploy again from its page instead.")
    if deployment.kind != DeploymentKind.DELETE and deployment.version is None:
        raise Conflict("Its template version was deleted: choose another version instead.")
    with transaction.atomic():
        audit.record(by=by, action="deployment.retry", target=deployment.arn)
        if deployment.kind == DeploymentKind.DELETE:
            again = start_removal(by=by, target=target, retry_of=deployment)
        else:
            assert deployment.version is not None
            again = start(
                by=by,
                target=target,
                kind=deployment.kind,
                version=deployment.version,
                spec=deployment.spec,
                inputs=deployment.inputs,
                retry_of=deployment,
                allow_replace_empty=True,
            )
        _resume_service(by, target)
    return again


def _resume_service(by: User, target: Target) -> None:
    from portal.actions import service_changes

    if not isinstance(target, Environment):
        service_changes.resume(by=by, service=target.service)


def resolve_attention(*, by: User, deployment: Deployment, decision: str, reason: str) -> Deployment:
    """A person decides about an unclear outcome: "resume" looks again, "fail" ends the deployment as failed."""
    target = target_of(deployment)
    if target is not None:
        require_change(by, target)
    if not reason.strip():
        raise Invalid("reason", [Problem("/reason", "Say why, so that others can follow the decision.")])
    waiting = Deployment.objects.filter(pk=deployment.pk, phase=DeploymentPhase.ATTENTION, status__in=RUNNING)
    with transaction.atomic():
        if decision == "resume":
            moved = waiting.update(phase=DeploymentPhase.APPLYING, due_at=Now(), failures=0, attempts=0)
            nudges.after_commit(tasks.drive_deployment, deployment.pk)
        elif decision == "fail":
            taken = waiting.filter(due_at__isnull=True).first()
            moved = 1 if taken else 0
            if taken:
                finish(taken, Outcome("failed", reason=f"Ended by {by.username}: {reason.strip()}"))
        else:
            raise Invalid("decision", [Problem("/decision", "Choose resume or fail.")])
        if not moved:
            raise Conflict("This deployment is not waiting for a decision any more.")
        audit.record(by=by, action=f"deployment.attention_{decision}", target=deployment.arn, reason=reason.strip())
    deployment.refresh_from_db()
    return deployment


def add_events(deployment: Deployment, events: tuple[Event, ...]) -> None:
    """Append to the live log; an event that is there already is left alone."""
    DeploymentEvent.objects.bulk_create(
        [
            DeploymentEvent(
                deployment=deployment,
                external_id=event.id[:200],
                at=datetime.fromtimestamp(event.at, UTC),
                resource=event.resource[:300],
                resource_type=event.type[:200],
                status=event.status[:60],
                message=event.message,
                failed=event.failed,
            )
            for event in events
        ],
        ignore_conflicts=True,
    )


def _end_status(kind: str, outcome: Outcome) -> DeploymentStatus:
    if outcome.status == "cancelled":
        return DeploymentStatus.CANCELLED
    if kind == DeploymentKind.DELETE:
        return DeploymentStatus.DELETE_COMPLETE if outcome.status == "succeeded" else DeploymentStatus.DELETE_FAILED
    return DeploymentStatus.SUCCEEDED if outcome.status == "succeeded" else DeploymentStatus.FAILED


def finish(deployment: Deployment, outcome: Outcome) -> None:
    """Status, outputs, resources, the target's pointers, usage and audit, in one transaction, while the fence is ours.

    Raises ``claims.LostClaim``, having written nothing, when it is not.
    """
    status = _end_status(deployment.kind, outcome)
    with transaction.atomic():
        claims.release(
            deployment,
            wait=None,
            status=status,
            phase=DeploymentPhase.FINISHED,
            status_message=outcome.reason or ("User initiated cancellation." if outcome.status == "cancelled" else ""),
            doing="Nothing had to change" if outcome.unchanged else "",
            next_action=outcome.next_action,
            identifier=outcome.resources[0].identifier if outcome.resources else deployment.identifier,
            completed_at=Now(),
            last_modified_at=Now(),
            failures=0,
        )
        add_events(deployment, outcome.events)
        ProvisionedResource.objects.bulk_create(
            ProvisionedResource(
                deployment=deployment, name=row.name[:200], identifier=row.identifier[:300], engine=row.engine
            )
            for row in outcome.resources
        )
        if status == DeploymentStatus.SUCCEEDED:
            Output.objects.bulk_create(
                Output(deployment=deployment, key=row.key, value=row.value, description=row.description)
                for row in outcome.outputs
            )
        target = target_of(deployment)
        if target is not None and status == DeploymentStatus.SUCCEEDED:
            target.version, target.spec, target.deployed = deployment.version, deployment.spec, deployment
            target.save(update_fields=["version", "spec", "deployed"])
            usage.began(deployment)
        if target is not None and status == DeploymentStatus.DELETE_COMPLETE:
            usage.ended(deployment)
            target.delete()
        audit.record(by=deployment.actor, action=f"deployment.{status.lower()}", target=deployment.arn)
        _wake_service(deployment)


def _wake_service(deployment: Deployment) -> None:
    """The service's edit under way looks at once, instead of at its next poll."""
    if not deployment.service_name:
        return
    changes = ServiceChange.objects.filter(service__name=deployment.service_name, finished_at__isnull=True)
    for change in changes:
        ServiceChange.objects.filter(pk=change.pk).update(due_at=Now())
        nudges.after_commit(tasks.drive_service_change, change.pk)
