"""What is reported to the portal about a resource: ``NotifyResourceDeploymentStatusChange`` of AWS Proton.

Builds report outputs while they run, and a customer's own automation how its deployment ended. A report is written on
the deployment and wakes it; its engine decides what it means. The end of commands is their result, never a report.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import audit
from portal.actions.targets import Target
from portal.enums import RUNNING, DeploymentPhase, DeploymentStatus
from portal.errors import Conflict, Invalid
from portal.models import Deployment, DeploymentEvent, User
from portal.models import Output as OutputRow
from portal.queries.rights import require_change
from provisioning.engines.base import Notified
from provisioning.outputs import Output
from provisioning.problems import Problem

ENGINES = frozenset({"command", "codebuild", "pull-request"})  # those that are told from outside what became of it
STATUSES = ("IN_PROGRESS", "SUCCEEDED", "FAILED")
MOST_OUTPUTS, LONGEST_OUTPUT, LONGEST_MESSAGE = 50, 1024, 5000


def of(deployment: Deployment) -> Notified | None:
    """What was reported about a deployment last, as its engine reads it."""
    if deployment.notified_at is None:
        return None
    outputs = tuple(Output(key, value) for key, value in sorted((deployment.notified_outputs or {}).items()))
    return Notified(deployment.notified_status, deployment.notified_message, outputs)


def newer(deployment: Deployment) -> bool:
    """Whether something was reported since the row was read."""
    if deployment.engine not in ENGINES:
        return False
    now = Deployment.objects.values_list("notified_at", flat=True).get(pk=deployment.pk)
    return bool(now != deployment.notified_at)


def notify(
    *,
    by: User,
    target: Target,
    status: str = "",
    deployment_id: str = "",
    message: str = "",
    outputs: Sequence[Output] | None = None,
) -> Deployment:
    """Take a report about the target's last deployment. None as outputs leaves those of an earlier report.

    AWS Proton does not say what it does with a report about another deployment than the last one, or about one that
    has ended: the first is a Conflict. The second may change the outputs of a deployment that succeeded, when it names
    that, or gives outputs and nothing else, as pipelines do that report the tag of an image long after they were
    deployed. It is a Conflict otherwise. Raises Invalid for outputs and statuses that there cannot be.
    """
    require_change(by, target)
    _check(status, message, outputs or ())
    with transaction.atomic():
        deployment = Deployment.objects.select_for_update().filter(pk=target.latest_id).first()
        if deployment is None:
            raise Conflict(f"{target} was never deployed.")
        named = _named(deployment_id)
        if named is not None and named != deployment.pk:
            raise Conflict(f"Deployment {named} is not the last one of {target}: that is {deployment.pk}.")
        if deployment.engine not in ENGINES:
            raise Conflict(
                f"{target} is deployed by {_PROVIDERS.get(deployment.engine, 'the portal')}: nobody reports it."
            )
        if deployment.status in RUNNING:
            _take(deployment, status, message, outputs)
        elif outputs is not None and _refreshes(deployment, status, named):
            _refresh(deployment, outputs)
        else:
            raise Conflict(
                f"No deployment of {target} is in progress: the last one ended as {deployment.status}. A report may "
                "still change the outputs of one that succeeded, when it has its deploymentId, or outputs alone."
            )
        said = {"status": status} if status else {}
        audit.record(by=by, action="deployment.notify", target=deployment.arn, outputs=len(outputs or ()), **said)
    return deployment


_PROVIDERS = {
    "cloudformation": "CloudFormation, which says itself how it ends",
    "none": "nobody: it is customer managed",
}


def _named(deployment_id: str) -> UUID | None:
    try:
        return UUID(deployment_id) if deployment_id else None
    except ValueError:
        message = "A deployment id is a UUID."
        raise Invalid(message, [Problem("/deployment_id", message)]) from None


def _check(status: str, message: str, outputs: Sequence[Output]) -> None:
    problems = []
    if status and status not in STATUSES:
        problems.append(Problem("/status", f"status is one of {', '.join(STATUSES)}."))
    if len(message) > LONGEST_MESSAGE:
        problems.append(Problem("/status_message", f"A message has at most {LONGEST_MESSAGE} characters."))
    if len(outputs) > MOST_OUTPUTS:
        problems.append(Problem("/outputs", f"There are at most {MOST_OUTPUTS} outputs; these are {len(outputs)}."))
    for index, output in enumerate(outputs):
        if not 1 <= len(output.key) <= LONGEST_OUTPUT or not 1 <= len(output.value) <= LONGEST_OUTPUT:
            text = f"Keys and values of outputs have 1 to {LONGEST_OUTPUT} characters."
            problems.append(Problem(f"/outputs/{index}", text))
    if len({output.key for output in outputs}) < len(outputs):
        problems.append(Problem("/outputs", "Each key is there once."))
    if problems:
        raise Invalid(" ".join(problem.message for problem in problems), problems)


def _take(deployment: Deployment, status: str, message: str, outputs: Sequence[Output] | None) -> None:
    """Write it down and wake the deployment, unless that waits for a person."""
    rows = Deployment.objects.filter(pk=deployment.pk)
    fields: dict[str, object] = {"notified_at": Now()}
    if status:
        fields |= {"notified_status": status, "notified_message": message}
    elif message:
        fields["notified_message"] = message
    if outputs is not None:
        fields["notified_outputs"] = {output.key: output.value for output in outputs}
    rows.update(**fields)
    rows.exclude(phase=DeploymentPhase.ATTENTION).update(due_at=Now())
    counted = f"{len(outputs)} output{'' if len(outputs) == 1 else 's'}" if outputs is not None else ""
    deployment.refresh_from_db(fields=["notified_at"])
    at = deployment.notified_at
    DeploymentEvent.objects.create(
        deployment=deployment,
        external_id=f"notified-{at.isoformat() if at else ''}-{deployment.events.count()}",
        at=at,
        resource="notification",
        status=f"NOTIFIED {status}".strip(),
        message=" ".join(part for part in (message, f"({counted})" if counted else "") if part),
    )
    nudges.after_commit(tasks.drive_deployment, deployment.pk)


def _refreshes(deployment: Deployment, status: str, named: UUID | None) -> bool:
    """Whether outputs that are reported after the end belong to what runs. What tells a status may be an older build
    than the last: it must name its deployment."""
    agreeing = ("",) if named is None else ("", "SUCCEEDED", "IN_PROGRESS")
    return deployment.status == DeploymentStatus.SUCCEEDED and status in agreeing


def _refresh(deployment: Deployment, outputs: Sequence[Output]) -> None:
    """The outputs of what runs, as its automation sees them now."""
    deployment.outputs.all().delete()
    OutputRow.objects.bulk_create(
        OutputRow(deployment=deployment, key=output.key, value=output.value) for output in outputs
    )
