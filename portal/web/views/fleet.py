"""Every pull request that the portal opened: the list, and what is done with the chosen ones."""

from dataclasses import dataclass, fields

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from portal import access
from portal.actions import fleet as actions
from portal.actions.targets import target_of
from portal.errors import Invalid
from portal.models import PullRequest
from portal.queries import fleet as queries
from portal.queries.fleet import FleetFilters
from portal.web.page import done, page
from portal.web.views.lists import state_choices

PER_PAGE = 50
TROUBLES = (
    ("conflict", "It conflicts"),
    ("checks", "Its checks failed"),
    ("merged", "Merged, never applied"),
)
WORDS = {
    "render_again": (
        "Render again",
        "Each target is deployed again with the same version and inputs. Where that renders something else than "
        "before, the next pull request replaces this one.",
    ),
    "close": ("Close", "They are closed without being merged. A deployment that waits for one ends as cancelled."),
    "open_again": (
        "Open again",
        "Each target is deployed again with the same version and inputs, and a new pull request is opened, although "
        "somebody closed the last one.",
    ),
}


@dataclass(frozen=True)
class Row:
    pull: PullRequest
    waits_for: str


@require_GET
def pull_requests(request: HttpRequest) -> HttpResponse:
    filters = FleetFilters(**{each.name: request.GET.get(each.name, "").strip()[:200] for each in fields(FleetFilters)})
    found = Paginator(queries.filtered(request.user, filters), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": [Row(pull, queries.waits_for(pull)) for pull in found],
        "page_obj": found,
        "filters": filters,
        "states": [*state_choices(PullRequest.State), ("any", "Any")],
        "troubles": TROUBLES,
        "repositories": queries.repositories(request.user),
    }
    return page(request, "fleet/list.html", context, partial="rows")


def _chosen(request: HttpRequest) -> tuple[str, list[PullRequest]]:
    """The action, and the pull requests that it is for. Raises Invalid without any."""
    action = request.POST.get("action", "")
    ids = [int(id) for id in request.POST.getlist("id") if id.isdecimal()][: actions.MOST + 1]
    rows = list(queries.visible_to(request.user).filter(pk__in=ids).order_by("opened_at", "pk"))
    if action not in WORDS:
        raise Invalid("There is no such action.")
    if not rows:
        raise Invalid("Choose at least one pull request.")
    if len(rows) > actions.MOST:
        raise Invalid(f"At most {actions.MOST} pull requests can be chosen at once.")
    return action, rows


def _effect(request: HttpRequest, action: str, row: PullRequest) -> tuple[str, bool]:
    """What the action would do to one, as a sentence, and whether it can."""
    deployment = row.deployment
    target = target_of(deployment)
    if not access.may_change(request.user, target or deployment):
        return f"Nothing: ask {access.whom_to_ask(target or deployment)}.", False
    if action == "close":
        if row.state != PullRequest.State.OPEN:
            return "Nothing: it is not open.", False
        return ("It is closed, and its deployment ends." if deployment.is_running else "It is closed."), True
    last = actions.last_deployment(row)
    if last is None:
        return "Nothing: a later one has replaced it, or its target is gone.", False
    if deployment.is_running:
        return "Nothing: a deployment waits for it. Close it first.", False
    if last.is_running:
        return f"Nothing: a deployment of {deployment.target_name} is running.", False
    if action == "render_again" and row.state == PullRequest.State.MERGED:
        return "Nothing: it is merged.", False
    if action == "open_again" and row.state != PullRequest.State.CLOSED:
        return "Nothing: it is not closed.", False
    return f"{deployment.target_name} is deployed again with {last.number or 'the same files'}.", True


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """What will happen, before it does."""
    try:
        action, rows = _chosen(request)
    except Invalid as wrong:
        messages.error(request, wrong.message)
        return done(request, "pull-requests")
    effects = [(row, *_effect(request, action, row)) for row in rows]
    verb, meaning = WORDS[action]
    context = {
        "action": action,
        "verb": verb,
        "meaning": meaning,
        "rows": effects,
        "possible": sum(1 for _, _, may in effects if may),
    }
    return page(request, "fleet/confirm.html", context)


@require_POST
def do(request: HttpRequest) -> HttpResponse:
    try:
        action, rows = _chosen(request)
        finished, refused = actions.all_of(by=request.user, rows=rows, action=action)
    except Invalid as wrong:
        messages.error(request, wrong.message)
        return done(request, "pull-requests")
    for row, reason in refused:
        messages.error(request, f"{row}: {reason}")
    message = f"{WORDS[action][0]}: done for {', '.join(str(row) for row in finished)}." if finished else ""
    return done(request, "pull-requests", message=message)
