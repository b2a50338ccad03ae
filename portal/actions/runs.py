"""Driving a deployment: claim the row, take one step, write when to look again. The only place where engines run.

A step that changes something outside is: intent committed (``intent_at``, names that derive from the deployment),
lease renewed and fence checked, one call of the engine (which observes first), result written while the fence is ours.
Kill this process anywhere: the next claim goes on, and finds what the last one made.

Whoever asked must have the right at every step, not only at the first: rights may go while a deployment waits. Then it
stops, and to stop means: nothing new is begun, a change set that was not executed is taken away, and what AWS carries
out already is followed to its end and recorded as it ended. Nothing is rolled back for want of a right.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import engines
from portal.actions import (
    claims,
    command_jobs,
    contexts,
    heartbeats,
    notifications,
    pull_request_jobs,
    rendering,
    surroundings,
)
from portal.actions.crashpoints import crashpoint
from portal.actions.finishing import add_events, finish
from portal.actions.targets import Target as Changed
from portal.actions.targets import part_of, target_of, where
from portal.enums import RUNNING, DeploymentKind, DeploymentPhase, DeploymentStatus
from portal.errors import PortalError
from portal.models import Component, Deployment, ServiceInstance
from portal.queries import sensitive
from portal.queries.components import attached_to
from portal.queries.deployments import is_made_anew
from portal.queries.rights import may_change, whom_to_ask
from provisioning.engines.base import (
    EngineUnavailable,
    Event,
    Intent,
    Job,
    Outcome,
    Progress,
    Target,
    Unclear,
)
from provisioning.masking import mask
from provisioning.problems import ProblemsFound

log = logging.getLogger(__name__)
surroundings.provide()
STEPS_AT_ONCE = 30  # then the row goes back to the queue, so that one deployment cannot hold a thread
MAX_ATTEMPTS = 8  # claims in a row that wrote nothing: whatever this is, it kills workers


def drive(deployment_id: UUID | str) -> None:
    """Take every step that is due now. A repeated, late or lost call is harmless."""
    for _ in range(STEPS_AT_ONCE):
        deployment = claims.claim(Deployment, deployment_id)
        if deployment is None:
            return
        crashpoint("after_claim", deployment)
        try:
            with heartbeats.kept(deployment), claims.apart(deployment) as may_go:
                if not may_go:
                    return
                _step(deployment)
        except claims.LostClaim as lost:
            log.warning("stale write dropped: %s", lost)
            return
        crashpoint("after_commit", deployment)


def _step(deployment: Deployment) -> None:
    if deployment.status not in RUNNING:
        return claims.release(deployment, wait=None)
    if deployment.attempts > MAX_ATTEMPTS:
        return _park(deployment, f"{MAX_ATTEMPTS} workers in a row did not survive this step.")
    if deployment.status == DeploymentStatus.CANCELLING and deployment.intent_at is None:
        return finish(deployment, Outcome("cancelled"))
    return STEPS[DeploymentPhase(deployment.phase)](deployment)


def _begin(deployment: Deployment) -> None:
    reason = lost_right(deployment)
    if reason:
        return _refuse(deployment, reason)
    reason = _shut_out(deployment)
    if reason:
        return _refuse(deployment, reason)
    phase = DeploymentPhase.APPLYING if deployment.kind == DeploymentKind.DELETE else DeploymentPhase.RENDERING
    return claims.release(deployment, wait=0, phase=phase, started_at=Now(), doing=phase.label, last_modified_at=Now())


def lost_right(deployment: Deployment) -> str:
    """Why the person who asked may not have this any more, or "". Stopping it was somebody else's right already."""
    if deployment.status == DeploymentStatus.CANCELLING:
        return ""
    if deployment.actor is None:
        return f"{deployment.actor_name}, who asked for this, does not exist any more."
    target = target_of(deployment) or deployment
    if may_change(deployment.actor, target):
        return ""
    return f"{deployment.actor_name}, who asked for this, may not change {target} any more. Ask {whom_to_ask(target)}."


def _refuse(deployment: Deployment, reason: str, result: Outcome | None = None) -> None:
    events = result.events if result else ()
    return finish(deployment, Outcome("failed", reason=reason, events=events, next_action="retry"))


def _shut_out(deployment: Deployment) -> str:
    """Why its account cannot be entered any more, or "": roles and connections change while a deployment waits.

    The row keeps the role and external id of now.
    """
    target = target_of(deployment)
    if target is None:
        return "" if not deployment.external_id else "The target is gone, and its account connection with it."
    try:
        now = where(target, deployment.engine, removing=deployment.kind == DeploymentKind.DELETE)
    except PortalError as refusal:
        return refusal.message
    changed = {name: now[name] for name in ("role_arn", "external_id") if getattr(deployment, name) != now[name]}
    if changed:
        claims.record(deployment, **changed)
    return ""


def _render(deployment: Deployment) -> None:
    """Gather the namespaces, render in a limited child process, and freeze both on the row."""
    reason = lost_right(deployment)
    if reason:
        return _refuse(deployment, reason)
    target = target_of(deployment)
    if target is None or (deployment.version is None and not isinstance(target, Component)):
        return finish(deployment, Outcome("failed", reason="The target or its template version is gone."))
    source = _awaited(target)
    if source is not None:
        return claims.release(deployment, wait=3, doing=f"Waiting for {source}, which is made anew")
    try:
        context = contexts.gather(target, deployment.inputs)
        if deployment.engine == pull_request_jobs.PULL_REQUEST:
            rendered = pull_request_jobs.terraform_files(deployment, target, context)
        elif isinstance(target, Component):
            rendered = rendering.render_component(target.manifest, deployment.template_file, context)
        elif deployment.engine == pull_request_jobs.WORKFLOW:
            rendered = pull_request_jobs.workflow_files(deployment, context, ())
        else:
            rendered = rendering.render(deployment.version, part_of(target), context)
    except ProblemsFound as found:
        reason = "The template could not be rendered.\n" + "\n".join(str(problem) for problem in found.problems)
        return finish(deployment, Outcome("failed", reason=reason, next_action="edit"))
    except PortalError as refusal:
        return finish(deployment, Outcome("failed", reason=refusal.message, next_action="retry"))
    crashpoint("after_rendering_before_commit", deployment)
    return claims.release(
        deployment,
        wait=0,
        phase=DeploymentPhase.APPLYING,
        context=context,
        rendered=rendered,
        doing="Starting",
        last_modified_at=Now(),
    )


def _awaited(target: Changed) -> str | None:
    """What the target reads outputs of and whose stack was lost and is being deployed again: they are about to change.

    AWS Proton: instances read their environment and the component attached to them, components their environment.
    """
    if not isinstance(target, ServiceInstance | Component):
        return None
    if is_made_anew(target.environment):
        return f"environment {target.environment.name}"
    component = attached_to(target) if isinstance(target, ServiceInstance) else None
    return str(component) if component is not None and is_made_anew(component) else None


def _job(deployment: Deployment, *, begins: bool = True) -> Job:
    target = target_of(deployment)
    intent: Intent = "apply"
    if deployment.kind == DeploymentKind.DELETE:
        intent = "remove"
    elif deployment.status == DeploymentStatus.CANCELLING or not begins:
        intent = "cancel"
    wishes: dict[str, Any] = {"template_bucket": settings.TEMPLATE_BUCKET, **(settings.SIMULATION or {})}
    if deployment.engine == "none":
        wishes = {"outputs": {key: str(value) for key, value in deployment.inputs.items()}}
    job = Job(
        deployment=str(deployment.pk),
        intent=intent,
        name=deployment.external_name,
        target=Target(deployment.account_id, deployment.region, deployment.role_arn, deployment.external_id),
        template=next(iter(pull_request_jobs.own_files(deployment).values()), ""),
        files=pull_request_jobs.own_files(deployment),
        tags=contexts.tags(target) if target is not None else {},
        identifier=deployment.identifier,
        allow_replace_empty=deployment.allow_replace_empty,
        begins=begins,
        settings=wishes,
        resource_arn=deployment.target_arn,
        notified=notifications.of(deployment),
    )
    if pull_request_jobs.current_engine(deployment) in pull_request_jobs.ENGINES:
        return replace(job, **pull_request_jobs.fields(deployment, target))
    if deployment.runs_commands:
        return replace(job, template="", **command_jobs.fields(deployment, target))
    return job


def _advance(deployment: Deployment) -> None:
    reason = lost_right(deployment)
    if reason and deployment.intent_at is None:
        return _refuse(deployment, reason)
    if deployment.external_id and (shut_out := _shut_out(deployment)):
        if deployment.intent_at is None:
            return _refuse(deployment, shut_out)
        return _park(deployment, f"{shut_out} What was begun goes on in AWS, and its end cannot be seen from here.")
    job = _job(deployment, begins=not reason)
    if deployment.intent_at is None:
        claims.record(deployment, intent_at=Now())
        crashpoint("after_intent", deployment)
    claims.still_ours(deployment)
    crashpoint("before_call", deployment)
    try:
        result = engines.engine(pull_request_jobs.current_engine(deployment)).advance(job, deployment.handle or None)
    except EngineUnavailable as trouble:
        return _not_answered(deployment, trouble)
    crashpoint("after_call_before_commit", deployment)
    if reason and isinstance(result, Outcome) and result.status == "cancelled":
        return _refuse(deployment, reason, result)
    if isinstance(result, Outcome) and notifications.newer(deployment):
        return claims.release(deployment, wait=0)  # what was notified meanwhile belongs to the outcome
    if isinstance(result, Outcome):
        follow = result.status == "succeeded" and pull_request_jobs.workflows_follow(deployment)
        return _deliver(deployment, result) if follow else finish(deployment, result)
    if isinstance(result, Unclear):
        with transaction.atomic():
            _park(deployment, result.reason, handle=result.handle, events=result.events)
            return pull_request_jobs.record(deployment, result.pull_requests)
    return _wait(deployment, result)


def _deliver(deployment: Deployment, made: Outcome) -> None:
    """The infrastructure is there, or gone: keep what it made, render what reads its outputs, and go on with that."""
    delivery = {**(deployment.delivery or {}), "made": pull_request_jobs.kept(made)}
    deployment.delivery = delivery
    try:
        removing = deployment.kind == DeploymentKind.DELETE
        files = {} if removing else pull_request_jobs.workflow_files(deployment, deployment.context, made.outputs)
    except ProblemsFound as found:
        reason = "The workflows could not be rendered.\n" + "\n".join(str(problem) for problem in found.problems)
        return finish(deployment, Outcome("failed", reason, events=made.events, next_action="edit"))
    with transaction.atomic():
        claims.release(
            deployment,
            wait=0,
            phase=DeploymentPhase.DELIVERING,
            handle="",
            delivery=delivery,
            rendered={**deployment.rendered, **files},
            doing=DeploymentPhase.DELIVERING.label,
            failures=0,
            last_modified_at=Now(),
        )
        add_events(deployment, made.events)
        pull_request_jobs.record(deployment, made.pull_requests)
        return crashpoint("before_commit_of_progress", deployment)


def _wait(deployment: Deployment, progress: Progress) -> None:
    with transaction.atomic():
        claims.release(
            deployment,
            wait=progress.wait,
            handle=progress.handle,
            doing=mask(progress.doing, sensitive.values(deployment))[:500],
            failures=0,
            last_modified_at=Now(),
        )
        add_events(deployment, progress.events)
        pull_request_jobs.record(deployment, progress.pull_requests)
        crashpoint("before_commit_of_progress", deployment)


def _not_answered(deployment: Deployment, trouble: EngineUnavailable) -> None:
    """Nothing may be concluded: wait longer each time, and at last ask a person."""
    failures = deployment.failures + 1
    asked = "The forge" if pull_request_jobs.current_engine(deployment) in pull_request_jobs.ENGINES else "AWS"
    if failures >= settings.MAX_STEP_FAILURES:
        return _park(deployment, f"{asked} did not answer {failures} times in a row. Last: {trouble}")
    said = mask(str(trouble), sensitive.values(deployment))
    wait = min(60.0, 2.0 ** min(failures, 6)) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, not a secret)
    return claims.release(
        deployment,
        wait=wait,
        failures=failures,
        doing=f"{asked} does not answer, trying again ({failures} of {settings.MAX_STEP_FAILURES}): {said}"[:500],
        last_modified_at=Now(),
    )


def _park(deployment: Deployment, reason: str, *, handle: str | None = None, events: tuple[Event, ...] = ()) -> None:
    """Hold the lock and ask a person."""
    with transaction.atomic():
        claims.release(
            deployment,
            wait=None,
            phase=DeploymentPhase.ATTENTION,
            status_message=mask(reason, sensitive.values(deployment)),
            doing="Waiting for somebody to decide",
            handle=deployment.handle if handle is None else handle,
            last_modified_at=Now(),
        )
        add_events(deployment, events)


STEPS: dict[DeploymentPhase, Callable[[Deployment], None]] = {
    DeploymentPhase.QUEUED: _begin,
    DeploymentPhase.RENDERING: _render,
    DeploymentPhase.APPLYING: _advance,
    DeploymentPhase.DELIVERING: _advance,
}
