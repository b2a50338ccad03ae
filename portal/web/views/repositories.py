"""Linked repositories: list, page, link, make one on this machine, test, unlink, files."""

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import access, forges
from portal.actions import repositories as actions
from portal.enums import Role
from portal.errors import PortalError
from portal.models import Repository
from portal.queries import forge_pages
from portal.queries import repositories as queries
from portal.web.forms.repositories import LinkForm, LocalRepositoryForm
from portal.web.page import done, page, posted

PER_PAGE = 50


@require_http_methods(["GET", "POST"])
def repositories(request: HttpRequest) -> HttpResponse:
    """The list, and the form that links one."""
    form = LinkForm(posted(request))
    if request.method == "POST":
        access.require(request.user, Role.PLATFORM)
        if form.is_valid():
            try:
                made = actions.link(by=request.user, **form.cleaned_data)
            except PortalError as refusal:
                form.take(refusal)
            else:
                return done(
                    request, "repository", made.provider, made.owner, made.short_name, message=f"{made} is linked."
                )
    return _list(request, form, LocalRepositoryForm())


@require_http_methods(["GET", "POST"])
def repository_new(request: HttpRequest) -> HttpResponse:
    """Makes a repository in the forge of this machine, and links it."""
    access.require(request.user, Role.PLATFORM)
    form = LocalRepositoryForm(posted(request))
    if form.is_valid():
        try:
            made = actions.create_local(by=request.user, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "repository", made.provider, made.owner, made.short_name, message=f"{made} is there.")
    return _list(request, LinkForm(), form)


def _list(request: HttpRequest, link: LinkForm, new: LocalRepositoryForm) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:200]
    rows = queries.search(queries.visible_to(request.user), words)
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "repositories": queries.with_open_counts(found.object_list),
        "page_obj": found,
        "q": words,
        "link": link,
        "new": new if forges.local_forge() is not None else None,
        "ready": forges.forges().providers(),
        "ask": "" if request.user.is_platform else "a platform engineer",
    }
    return page(request, "repositories/list.html", context, status=422 if link.errors or new.errors else 200)


@require_safe
def repository(request: HttpRequest, provider: str, owner: str, name: str) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}")
    pulls = Paginator(queries.pull_requests_of(found), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **about(request, found),
        "pulls": pulls.object_list,
        "page_obj": pulls,
        "uses": queries.uses_of(found),
        "webhook": f"{settings.PORTAL_PUBLIC_URL}/webhooks/github",
        "signed": bool(settings.GITHUB_WEBHOOK_SECRETS),
        "delivery": queries.last_delivery(found),
    }
    return page(request, "repositories/detail.html", context)


def about(request: HttpRequest, found: Repository) -> dict[str, Any]:
    """What every page of a repository needs."""
    return {
        "repository": found,
        "is_local": forges.is_local(found.provider),
        "provider_name": "this machine" if forges.is_local(found.provider) else found.get_provider_display(),
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }


@require_POST
def repository_test(request: HttpRequest, provider: str, owner: str, name: str) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}", write=True)
    tested = actions.check_again(by=request.user, repository=found)
    message = "" if tested.problem else f"{found} can be used."
    return done(request, "repository", provider, owner, name, message=message)


@require_POST
def repository_unlink(request: HttpRequest, provider: str, owner: str, name: str) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}", write=True)
    actions.unlink(by=request.user, repository=found)
    return done(request, "repositories", message=f"{found} is not linked any more. Nothing in it was changed.")


@require_safe
def repository_files(request: HttpRequest, provider: str, owner: str, name: str) -> HttpResponse:
    found = access.repository(request.user, provider, f"{owner}/{name}")
    head, files = forge_pages.files(found)
    return page(request, "repositories/files.html", {**about(request, found), "head": head, "files": files})


@require_safe
def repository_file(request: HttpRequest, provider: str, owner: str, name: str, path: str) -> HttpResponse:
    """A file as plain text, whatever it is."""
    found = access.repository(request.user, provider, f"{owner}/{name}")
    return HttpResponse(forge_pages.file(found, path), content_type="text/plain; charset=utf-8")
