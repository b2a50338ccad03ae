"""Deployments: list, live page, cancel, retry, and the decision about an unclear outcome."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from portal import access
from portal.actions import deployments as actions
from portal.enums import DeploymentKind, DeploymentPhase, DeploymentStatus, DeploymentTargetType
from portal.errors import Conflict, Invalid
from portal.models import Deployment, DeploymentEvent
from portal.queries import deployments as queries
from portal.queries import fleet, sensitive
from portal.web.page import done, page
from portal.web.views.lists import Filters, state_choices
from provisioning.masking import HIDDEN, mask

PER_PAGE = 50
SHOWN_LOG = 200_000  # characters of a log that a page starts with
PHASES = (
    DeploymentPhase.QUEUED,
    DeploymentPhase.RENDERING,
    DeploymentPhase.APPLYING,
    DeploymentPhase.DELIVERING,
    DeploymentPhase.FINISHED,
)


@require_GET
def deployments(request: HttpRequest) -> HttpResponse:
    filters = Filters.of(request)
    columns = ("environment_name", "service_name", "instance_name", "component_name", "template_name", "target_arn")
    rows = filters.search(queries.visible_to(request.user), *columns)
    if filters.state:
        rows = rows.filter(status=filters.state)
    if filters.who:
        rows = rows.filter(actor_name__icontains=filters.who)
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "deployments": found.object_list,
        "page_obj": found,
        "filters": filters,
        "states": state_choices(DeploymentStatus),
    }
    return page(request, "deployments/list.html", context, partial="rows")


def target_url(deployment: Deployment) -> str:
    """Where the target is shown, whether or not it still exists."""
    if deployment.target_type == DeploymentTargetType.ENVIRONMENT:
        return reverse("environment", args=[deployment.environment_name])
    if deployment.target_type == DeploymentTargetType.SERVICE_PIPELINE:
        return reverse("service", args=[deployment.service_name])
    if deployment.target_type == DeploymentTargetType.COMPONENT:
        return reverse("component", args=[deployment.component_name])
    return reverse("instance", args=[deployment.service_name, deployment.instance_name])


def steps(deployment: Deployment) -> list[dict[str, str]]:
    """The phases as steps: done, current, failed or later. What failed in a phase stopped there."""
    phase, delivery = DeploymentPhase(deployment.phase), deployment.delivery or {}
    if phase == DeploymentPhase.ATTENTION:
        phase = DeploymentPhase.DELIVERING if "made" in delivery else DeploymentPhase.APPLYING
    at = PHASES.index(phase)
    failed = deployment.status in {DeploymentStatus.FAILED, DeploymentStatus.DELETE_FAILED}
    removing = deployment.kind == DeploymentKind.DELETE
    labels = {
        DeploymentPhase.APPLYING: "Removing" if removing else "Applying",
        DeploymentPhase.FINISHED: "Failed" if failed else "Finished",
    }
    absent = {DeploymentPhase.RENDERING} if removing else set()
    if deployment.engine == "workflow" or not delivery.get("workflow"):
        absent.add(DeploymentPhase.DELIVERING)
    shown = [each for each in PHASES if each not in absent]
    made = []
    for each in shown:
        order = PHASES.index(each)
        state = "done" if order < at else "later"
        if order == at:
            state = "current" if deployment.is_running else "failed" if failed else "done"
        made.append({"label": labels.get(each, str(each.label)), "state": state})
    return made


def first_cause(events: list[DeploymentEvent]) -> DeploymentEvent | None:
    """The first thing that really failed: what AWS cancels because of it fails later, and says so."""
    failed = [event for event in events if event.failed]
    real = [event for event in failed if "cancelled" not in event.message.lower()]
    return next(iter(real or failed), None)


ADVICE = {
    "edit": "Change the inputs, then try again.",
    "retry": "Mend the cause, then try again with the same inputs, or edit them.",
    "delete": "Delete it: what was left behind cannot be updated any more.",
    "continue-rollback": "Continue the rollback of the stack in the CloudFormation console, then try again.",
}


def _context(request: HttpRequest, found: Deployment) -> dict[str, Any]:
    events = list(queries.events_of(found))
    target = actions.target_of(found)
    is_last = target is not None and target.latest_id == found.pk
    ended_badly = found.status in {DeploymentStatus.FAILED, DeploymentStatus.DELETE_FAILED, DeploymentStatus.CANCELLED}
    end = found.completed_at or datetime.now(UTC)
    kinds = {
        DeploymentTargetType.ENVIRONMENT: "environment-update",
        DeploymentTargetType.SERVICE_INSTANCE: "instance-update",
        DeploymentTargetType.SERVICE_PIPELINE: "pipeline-update",
        DeploymentTargetType.COMPONENT: "component-update",
    }
    names = [name for name in (found.service_name, found.instance_name, found.component_name) if name]
    names = names or [found.environment_name]
    edit_url = ""
    if found.kind != DeploymentKind.DELETE:
        same = target is not None and target.shown_version is not None and target.shown_version.number == found.number
        version = "current" if same else found.number
        edit_url = (
            f"{reverse(kinds[DeploymentTargetType(found.target_type)], args=names)}?version={version}&from={found.pk}"
        )
    return {
        "deployment": found,
        "target": target,
        "target_url": target_url(found) if target else "",
        "steps": steps(found),
        "events": events,
        "cause": first_cause(events) if ended_badly else None,
        "advice": ADVICE.get(found.next_action, found.next_action),
        "elapsed": end - (found.started_at or found.created_at),
        "outputs": list(found.outputs.all()),
        "resources": list(found.provisioned_resources.all()),
        "touched": _touched(events),
        "pulls": fleet.of_deployment(found),
        "self_managed": found.engine == "pull-request",
        "may_retry": is_last and ended_badly,
        "edit_url": edit_url if is_last and ended_badly else "",
        "may_cancel": found.status == DeploymentStatus.IN_PROGRESS and found.kind == DeploymentKind.UPDATE,
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
        "can_retry": found.version_id is not None or found.target_type == DeploymentTargetType.COMPONENT,
    }


def _touched(events: list[DeploymentEvent]) -> list[DeploymentEvent]:
    """The newest event of each resource, in the order in which they began."""
    latest = {event.resource: event for event in events if event.resource}
    return list(latest.values())


def _files(found: Deployment) -> dict[str, Any]:
    """What was rendered and asked for, without secret values."""
    hidden = {*sensitive.values(found), *sensitive.in_spec_of(found)}
    return {
        "files": [
            (f"file-{index}", path, mask(text, hidden)) for index, (path, text) in enumerate(found.rendered.items())
        ],
        "inputs": sensitive.shown_inputs(found),
        "spec": mask(found.spec, hidden) if found.version is not None or not found.service_name else HIDDEN,
        "template_file": found.template_file,
    }


def _printed(found: Deployment, after: int, limit: int = 0) -> dict[str, Any]:
    """What its commands printed beyond a piece of the log; with a ``limit`` of characters only the end of that."""
    pieces = list(queries.printed_by(found, after))
    newest = pieces[-1].pk if pieces else after
    size = 0
    shown: list[str] = []
    for piece in reversed(pieces):
        size += len(piece.message)
        if limit and shown and size > limit:
            break
        shown.append(piece.message)
    text = mask("".join(f"{message}\n" for message in reversed(shown)), sensitive.values(found))
    return {"log_text": text, "log_after": newest, "log_is_cut": len(shown) < len(pieces)}


@require_GET
def deployment_log(request: HttpRequest, id: UUID) -> HttpResponse:
    """What its commands printed: as a text file, or for the page the lines after those that it has."""
    found = access.deployment(request.user, id)
    after = request.GET.get("after", "")
    if request.htmx and after.isascii() and after.isdecimal() and len(after) < 19:
        context = {"deployment": found, **_printed(found, int(after))}
        return render(request, "deployments/log.html#more", context)
    answer = HttpResponse(_printed(found, 0)["log_text"], content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'inline; filename="deployment-{found.pk}.log"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@require_GET
def deployment(request: HttpRequest, id: UUID) -> HttpResponse:
    """The page, and its part that is asked for every two seconds while it runs. A part that finds another phase than
    the one in the page brings the files along."""
    found = access.deployment(request.user, id)
    context = _context(request, found)
    if found.runs_commands and not request.htmx:
        context |= _printed(found, 0, limit=SHOWN_LOG)
    moved = request.GET.get("phase") != found.phase
    if not request.htmx or moved:
        context |= _files(found)
    context["oob"] = bool(request.htmx) and moved
    return page(request, "deployments/detail.html", context, partial="progress")


def _target(found: Deployment) -> Any:
    target = actions.target_of(found)
    if target is None:
        raise Conflict(f"{found.target_name} does not exist any more.")
    return target


@require_POST
def deployment_cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    found = access.deployment(request.user, id, write=True)
    cancelled = actions.cancel(by=request.user, target=_target(found))
    return done(request, "deployment", cancelled.pk, message="Cancelling was asked for.")


@require_POST
def deployment_retry(request: HttpRequest, id: UUID) -> HttpResponse:
    found = access.deployment(request.user, id, write=True)
    again = actions.retry(by=request.user, deployment=found)
    return done(request, "deployment", again.pk)


@require_POST
def deployment_attention(request: HttpRequest, id: UUID) -> HttpResponse:
    found = access.deployment(request.user, id, write=True)
    decision, reason = request.POST.get("decision", ""), request.POST.get("reason", "")
    try:
        actions.resolve_attention(by=request.user, deployment=found, decision=decision, reason=reason)
    except Invalid as wrong:
        context = {
            **_context(request, found),
            **_files(found),
            **(_printed(found, 0, limit=SHOWN_LOG) if found.runs_commands else {}),
            "attention_problems": wrong.problems,
            "decision": decision,
            "reason": reason,
        }
        return page(request, "deployments/detail.html", context, status=422)
    return done(request, "deployment", found.pk)
