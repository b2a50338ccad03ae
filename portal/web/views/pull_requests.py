"""Pull requests of the forge of this machine: their page, and the two decisions."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from portal import access
from portal.actions import pull_requests as actions
from portal.errors import Conflict, Invalid
from portal.queries import forge_pages
from portal.queries import repositories as queries
from portal.web.diffs import files_of
from portal.web.page import done, page
from portal.web.views.repositories import about


@require_safe
def repository_pull(request: HttpRequest, provider: str, owner: str, name: str, number: int) -> HttpResponse:
    return _page(request, provider, owner, name, number)


def _page(
    request: HttpRequest, provider: str, owner: str, name: str, number: int, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}")
    shown = forge_pages.pull_request(found, number)
    decided_by = actions.decided_by(found, number)
    files, too_long = files_of(shown.diff)
    context = {
        **about(request, found),
        "ask": "" if access.may_change(request.user, decided_by) else access.whom_to_ask(decided_by),
        "pull": shown.pull,
        "comments": shown.comments,
        "files": files,
        "too_long": too_long,
        "row": queries.pull_requests_of(found).filter(number=number).first(),
        "refusal": refusal,
    }
    return page(request, "repositories/pull.html", context, status=status)


@require_POST
def repository_pull_merge(request: HttpRequest, provider: str, owner: str, name: str, number: int) -> HttpResponse:
    """Merges what the person saw: a branch that moved meanwhile is shown again first."""
    found = access.repository(request.user, provider, f"{owner}/{name}")
    try:
        actions.merge(by=request.user, repository=found, number=number, head=request.POST.get("head", ""))
    except (Conflict, Invalid) as refused:
        status = 409 if isinstance(refused, Conflict) else 422
        return _page(request, provider, owner, name, number, refusal=refused.message, status=status)
    return done(request, "repository-pull", provider, owner, name, number, message="It is merged.")


@require_POST
def repository_pull_close(request: HttpRequest, provider: str, owner: str, name: str, number: int) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}")
    actions.close(by=request.user, repository=found, number=number)
    return done(request, "repository-pull", provider, owner, name, number, message="It is closed, and not merged.")
