"""The template catalogue and a template's page."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from portal import access
from portal.actions import templates as actions
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import PortalError
from portal.models import Component, Environment, ServiceInstance, ServicePipeline, Template, TemplateVersion
from portal.queries import templates as queries
from portal.web.forms.templates import NewTemplateForm, TemplateForm
from portal.web.page import done, page, posted, wants_part

CARDS_PER_PAGE = 60


@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    search, kind = request.GET.get("q", "")[:200], request.GET.get("kind", "").upper()
    kind = kind if kind in TemplateKind.values else ""
    rows = queries.catalogue(request.user, search=search, kind=kind)
    context = {
        "search": search,
        "kind": kind,
        "kinds": [("", "All"), *TemplateKind.choices],
        "page_obj": Paginator(rows, CARDS_PER_PAGE).get_page(request.GET.get("page")),
        "may_use_drafts": access.may_use_drafts(request.user),
    }
    return page(request, "templates/list.html", context, partial="catalogue")


@require_safe
def template(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    found = access.template(request.user, kind, name)
    versions = visible_versions(request, found)
    running = queries.users_by_version(found)
    registering = any(row.status == TemplateVersionStatus.REGISTRATION_IN_PROGRESS for row in versions)
    context = {
        "template": found,
        "versions": versions,
        "recommended": next((row for row in versions if row.is_recommended), None),
        "registering": registering,
        "users": [
            (row, [(user, address_of(user)) for user in running[row.pk]]) for row in versions if row.pk in running
        ],
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }
    if wants_part(request) and not registering:
        return HttpResponseClientRefresh()
    return page(request, "templates/detail.html", context, partial="versions")


def visible_versions(request: HttpRequest, found: Template) -> list[TemplateVersion]:
    drafts = access.may_use_drafts(request.user)
    return [row for row in queries.versions(request.user, found) if row.is_published or drafts]


def address_of(user: Environment | ServiceInstance | ServicePipeline | Component) -> str:
    """The page of an environment, an instance, a component, or the service of a pipeline."""
    if isinstance(user, Environment):
        return reverse("environment", args=[user.name])
    if isinstance(user, Component):
        return reverse("component", args=[user.name])
    if isinstance(user, ServiceInstance):
        return reverse("instance", args=[user.service.name, user.name])
    return reverse("service", args=[user.service.name])


def template_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.ADMIN)
    form = NewTemplateForm(posted(request), initial={"kind": request.GET.get("kind", "ENVIRONMENT")})
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            made = actions.create_template(
                by=request.user,
                kind=fields["kind"],
                name=fields["name"],
                display_name=fields["display_name"],
                description=fields["description"],
                provisioning=form.provisioning,
            )
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(
                request,
                "version-new",
                made.kind,
                made.name,
                message=f"Template {made.name} is there. Now its first version.",
            )
    return page(request, "templates/form.html", {"form": form}, status=422 if form.errors else 200)


def template_edit(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    found = access.template(request.user, kind, name, write=True)
    form = TemplateForm(posted(request), initial={"display_name": found.display_name, "description": found.description})
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_template(by=request.user, template=found, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "template", kind, name, message="Saved.")
    return page(request, "templates/form.html", {"form": form, "template": found}, status=422 if form.errors else 200)


def template_delete(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    found = access.template(request.user, kind, name, write=True)
    if request.method == "POST":
        actions.delete_template(by=request.user, template=found)
        return done(request, "templates", message=f"Template {name} is deleted.")
    return page(
        request,
        "templates/delete.html",
        {
            "template": found,
            "versions": queries.versions(request.user, found),
            "in_use": [
                *((row, reverse("environment", args=[row.name])) for row in found.environments.all()[:20]),
                *((row, reverse("service", args=[row.name])) for row in found.services.all()[:20]),
            ],
        },
    )
