"""How every view answers: a whole page, the part of it that htmx asked for, or the way to the next page."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page. Boosted and history requests want the whole page."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form was sent with, for the form to read; None for a page that is only looked at."""
    return request.POST if request.method == "POST" else None


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    partial: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, or the partial of it named after the DOM id that it fills when htmx asks for it.

    ``status`` is 422 for a form with problems: htmx swaps it like any other answer.
    """
    if partial and wants_part(request):
        response = render(request, f"{template}#{partial}", context, status=status)
    else:
        response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def done(request: HttpRequest, to: Any, *args: Any, message: str = "", **kwargs: Any) -> HttpResponse:
    """Go to ``to`` (a URL name with its arguments, or an address), saying ``message`` there. htmx goes as well."""
    if message:
        messages.success(request, message)
    address = resolve_url(to, *args, **kwargs)
    if wants_part(request):
        return HttpResponseClientRedirect(address)
    return redirect(address)


@dataclass(frozen=True)
class NavItem:
    label: str
    url: str
    icon: str
    active: bool


# label, URL name, icon, first parts of the paths
NAV = (
    ("Usage", "dashboard", "chart-bar", ("",)),
    ("Templates", "templates", "template", ("templates",)),
    ("Environments", "environments", "stack-2", ("environments",)),
    ("Services", "services", "apps", ("services",)),
    ("Components", "components", "puzzle", ("components",)),
    ("Repositories", "repositories", "git-branch", ("repositories",)),
    ("Deployments", "deployments", "rocket", ("deployments", "pull-requests")),
    ("Accounts", "accounts", "cloud", ("accounts",)),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """What base.html needs on every page: the navigation, and whether this is the embedded demo."""
    section = request.path.split("/")[1]
    nav = []
    if getattr(request, "user", None) is not None and request.user.is_authenticated:
        nav = [NavItem(label, reverse(name), icon, section in parts) for label, name, icon, parts in NAV]
    return {"nav": nav, "embedded": settings.EMBEDDED}
