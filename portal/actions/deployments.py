"""What people ask of deployments: cancel, retry, decide about an unclear outcome, take one out of the history."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import audit, edits
from portal.actions.bundles import drop_unused
from portal.actions.finishing import finish
from portal.actions.starting import start, start_removal
from portal.actions.targets import Target, locked_target_of, target_of
from portal.enums import RUNNING, DeploymentKind, DeploymentPhase, DeploymentStatus, Role
from portal.errors import Conflict, Invalid, NotFound
from portal.models import Component, Deployment, Environment, User
from portal.queries.rights import require, require_change
from provisioning.engines.base import Outcome
from provisioning.problems import Problem


def cancel(*, by: User, target: Target) -> Deployment:
    """Ask a running update to stop. Three ends are possible: cancelled, failed, or succeeded before it was stopped.

    AWS Proton cancels updates only: for a create or delete, and when nothing is running, Conflict. One that waits for
    a person's decision goes on at once: cancelling it is a decision.
    """
    require_change(by, target)
    with transaction.atomic():
        running = Deployment.objects.select_for_update().filter(target_arn=target.arn, status__in=RUNNING).first()
        if running is None:
            raise Conflict(f"No deployment of {target} is running.")
        if running.status == DeploymentStatus.CANCELLING:
            return running
        if running.kind != DeploymentKind.UPDATE:
            verb = "first deployment" if running.kind == DeploymentKind.CREATE else "deletion"
            hint = " Delete it when the deployment has ended." if running.kind == DeploymentKind.CREATE else ""
            raise Conflict(f"The {verb} of {target} cannot be cancelled.{hint}")
        Deployment.objects.filter(pk=running.pk).update(
            status=DeploymentStatus.CANCELLING,
            phase=_resumed(running) if running.phase == DeploymentPhase.ATTENTION else running.phase,
            status_message="User initiated cancellation.",
            cancel_requested_at=Now(),
            due_at=Now(),
        )
        audit.record(by=by, action="deployment.cancel", target=running.arn)
        nudges.after_commit(tasks.drive_deployment, running.pk)
    running.refresh_from_db()
    return running


def _resumed(deployment: Deployment) -> DeploymentPhase:
    """Where a parked deployment goes on: from its beginning, unless something was called already."""
    if deployment.intent_at is None:
        return DeploymentPhase.QUEUED
    handed_over = "made" in (deployment.delivery or {})
    return DeploymentPhase.DELIVERING if handed_over else DeploymentPhase.APPLYING


def retry(*, by: User, deployment: Deployment, delivered: bool = False, again: bool = False) -> Deployment:
    """A new attempt with the same version and spec. Only of a target's last attempt, when that did not succeed.

    ``delivered``: it may have succeeded, because its pull request is what is wanted anew; ``again``: even when somebody
    closed that.
    What waits for it follows: a service whose creation or deletion had failed goes on. Raises Conflict.
    """
    with transaction.atomic():
        target = locked_target_of(deployment)
        if target is None:
            raise Conflict(f"{deployment.target_name} does not exist any more.")
        require_change(by, target)
        last = Deployment.objects.select_related("version__template").get(pk=deployment.pk)
        if target.latest_id != last.pk or last.is_running:
            raise Conflict("Only the last deployment of a target can be retried, once it has ended.")
        if last.status == DeploymentStatus.SUCCEEDED and not delivered:
            raise Conflict("This deployment succeeded: there is nothing to retry. Deploy again from its page instead.")
        if not isinstance(target, Environment | Component):
            edits.require_free(target)
        audit.record(by=by, action="deployment.retry", target=last.arn)
        if last.kind == DeploymentKind.DELETE:
            again = start_removal(by=by, target=target, retry_of=last)
        elif last.version is None and not isinstance(target, Component):
            raise Conflict("Its template version was deleted: choose another version instead.")
        else:
            again = start(
                by=by,
                target=target,
                kind=DeploymentKind.UPDATE if target.deployed_id else last.kind,
                version=last.version,
                spec=last.spec,
                inputs=last.inputs,
                template_file=last.template_file,
                retry_of=last,
                allow_replace_empty=True,
                again=again,
            )
        if not isinstance(target, Environment | Component):
            edits.resume(by=by, target=target)
    return again


def resolve_attention(*, by: User, deployment: Deployment, decision: str, reason: str) -> Deployment:
    """A person decides about an unclear outcome: "resume" looks again, "fail" ends the deployment as failed.

    Raises Invalid without a reason, Conflict when it does not wait for a decision any more.
    """
    require_change(by, target_of(deployment) or deployment)
    reason = reason.strip()
    if not reason:
        raise Invalid("reason", [Problem("/reason", "Say why, so that others can follow the decision.")])
    if decision not in {"resume", "fail"}:
        raise Invalid("decision", [Problem("/decision", "Choose resume or fail.")])
    with transaction.atomic():
        rows = Deployment.objects.select_for_update().filter(pk=deployment.pk, status__in=RUNNING)
        waiting = rows.filter(phase=DeploymentPhase.ATTENTION).first()
        if waiting is None:
            raise Conflict("This deployment is not waiting for a decision any more.")
        if decision == "resume":
            rows.update(phase=_resumed(waiting), status_message="", due_at=Now(), failures=0, attempts=0)
            nudges.after_commit(tasks.drive_deployment, waiting.pk)
        else:
            finish(waiting, Outcome("failed", reason=f"Ended by {by.username}: {reason}"))
        audit.record(by=by, action=f"deployment.attention_{decision}", target=waiting.arn, reason=reason)
    deployment.refresh_from_db()
    return deployment


EMPTIED: dict[str, Any] = {
    "spec": "",
    "inputs": {},
    "template_file": "",
    "context": {},
    "rendered": {},
    "initial_state": {},
    "target_state": {},
    "handle": "",
    "delivery": None,
    "status_message": "",
    "notified_status": "",
    "notified_message": "",
    "notified_outputs": None,
    "version": None,
    "bundle": None,
}


def delete(*, by: User, deployment: Deployment) -> None:
    """Take a finished attempt out of its target's history, with everything that it holds.

    The row itself stays, emptied and shown nowhere: usage of versions is made of it, and can still be rebuilt.
    Raises Invalid for one that runs, and for a target's last attempt and last success: what the target shows.
    """
    require(by, Role.PLATFORM)
    with transaction.atomic():
        target = locked_target_of(deployment)
        row = Deployment.objects.select_for_update().filter(pk=deployment.pk, removed_at__isnull=True).first()
        if row is None:
            raise NotFound(f"deployment {deployment.pk} does not exist any more")
        if row.is_running:
            raise Invalid(f"Deployment {row.pk} is running: only finished deployments can be deleted.")
        if target is not None and row.pk in {target.latest_id, target.deployed_id}:
            which = "last successful" if row.pk == target.deployed_id else "last"
            raise Invalid(f"Deployment {row.pk} is the {which} one of {target}, which cannot be deleted.")
        for related in (row.events, row.outputs, row.provisioned_resources):
            related.all().delete()
        Deployment.objects.filter(pk=row.pk).update(**EMPTIED, removed_at=Now())
        drop_unused(row.bundle_id)
        audit.record(by=by, action="deployment.delete", target=row.arn)
