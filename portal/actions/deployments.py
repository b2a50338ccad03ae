"""What people ask of deployments: cancel, retry, decide about an unclear outcome."""

from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import audit, service_changes
from portal.actions.finishing import finish
from portal.actions.starting import start, start_removal
from portal.actions.targets import Target, target_of
from portal.enums import RUNNING, DeploymentKind, DeploymentPhase, DeploymentStatus
from portal.errors import Conflict, Invalid
from portal.models import Deployment, Environment, User
from portal.queries.rights import require_change
from provisioning.engines.base import Outcome
from provisioning.problems import Problem


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
        if not isinstance(target, Environment):
            service_changes.resume(by=by, service=target.service)
    return again


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
