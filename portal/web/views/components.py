"""Components: list, page, new, edit, update, detach, delete, cancel."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import access
from portal.actions import components as actions
from portal.actions import deployments as deployment_actions
from portal.enums import DeploymentStatus, DeploymentUpdateType
from portal.errors import Invalid, PortalError
from portal.models import Component, Deployment, Environment
from portal.queries import components as queries
from portal.queries import deployments, sensitive
from portal.web.errors import ANSWERS
from portal.web.forms.components import ComponentEditForm, ComponentForm, ComponentUpdateForm
from portal.web.page import done, page, posted
from portal.web.views.lists import Filters, deletion, state_choices
from provisioning.masking import mask
from provisioning.spec import CURRENT_VALUE

PER_PAGE = 50


@dataclass(frozen=True)
class _Where:
    """AWS Proton's filters of components, kept in the URL."""

    environment: str = ""
    service: str = ""
    instance: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "_Where":
        return cls(*(request.GET.get(name, "").strip()[:100] for name in ("environment", "service", "instance")))


@require_GET
def components(request: HttpRequest) -> HttpResponse:
    filters, where = Filters.of(request), _Where.of(request)
    rows = queries.filtered(
        request.user,
        environment_name=where.environment,
        service_name=where.service,
        instance_name=where.instance,
    )
    columns = ("name", "description", "environment__name", "instance__service__name", "instance__name")
    rows = filters.search(rows, *columns)
    if filters.state:
        rows = rows.filter(latest__status=filters.state)
    found = Paginator(rows.order_by("name"), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "components": found.object_list,
        "page_obj": found,
        "filters": filters,
        "where": where,
        "any": filters.any or where != _Where(),
        "states": state_choices(DeploymentStatus),
        "environments": Environment.objects.filter(components__isnull=False).order_by("name").distinct(),
        "ask": "" if access.may_use_components(request.user) else "a platform engineer",
    }
    return page(request, "components/list.html", context, partial="rows")


def _hidden(*attempts: Deployment | None) -> list[str]:
    """The secrets of these attempts, the longest first."""
    rows = {row.pk: row for row in attempts if row is not None}
    return sorted({text for row in rows.values() for text in sensitive.values(row)}, key=len, reverse=True)


def _context(request: HttpRequest, found: Component) -> dict[str, Any]:
    content = queries.content_of(found)
    hidden = _hidden(found.latest, found.deployed)
    return {
        "component": found,
        "target": found,
        "distance": None,
        "unversioned": True,
        "outputs": deployments.outputs_of(found),
        "resources": deployments.resources_of(found),
        "history": deployments.history_of(found)[:10],
        "template_file": content.template_file,
        "spec": mask(content.spec, hidden),
        "news": queries.is_news(found.instance, found) if found.instance else False,
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }


@require_GET
def component(request: HttpRequest, name: str) -> HttpResponse:
    found = access.component(request.user, name)
    return page(request, "components/detail.html", _context(request, found), partial="now")


@require_http_methods(["GET", "POST"])
def component_new(request: HttpRequest) -> HttpResponse:
    access.require_components(request.user)
    instances = queries.instances_for(request.user)
    environments = queries.environments_for(request.user)
    wanted = {name: request.GET.get(name, "") for name in ("instance_name", "environment_name")}
    form = ComponentForm(
        posted(request),
        request.FILES,
        instances=instances,
        environments=environments,
        alone=request.user.is_platform,
        initial={**wanted, "place": "environment" if wanted["environment_name"] or not instances else "instance"},
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = actions.create(by=request.user, **form.members)
            except PortalError as refusal:
                form.take(refusal)
                status = ANSWERS[type(refusal)].status
            else:
                return done(request, "deployment", made.latest_id)
    context = {"form": form, "nowhere": not instances and not (environments and request.user.is_platform)}
    return page(request, "components/new.html", context, status=status)


@require_http_methods(["GET", "POST"])
def component_edit(request: HttpRequest, name: str) -> HttpResponse:
    """The description, which changes nothing that runs."""
    found = access.component(request.user, name, write=True)
    form = ComponentEditForm(posted(request), initial={"description": found.description})
    if request.method == "POST" and form.is_valid():
        try:
            actions.update(
                by=request.user, component=found, deployment_type=DeploymentUpdateType.NONE, **form.cleaned_data
            )
        except Invalid as wrong:
            form.take(wrong)
        else:
            return done(request, "component", name, message="The details are saved.")
    context = {"component": found, "form": form}
    return page(request, "components/edit.html", context, status=422 if form.errors else 200)


def _content(request: HttpRequest, found: Component) -> queries.Content:
    """What the update form starts from: what runs, or an earlier attempt ("edit and retry"), without secrets."""
    content, attempt = queries.content_of(found), None
    if wanted := request.GET.get("from"):
        attempt = access.deployment(request.user, wanted)
        if attempt.target_arn == found.arn:
            content = queries.Content(attempt.template_file, attempt.spec)
    for value in _hidden(found.latest, found.deployed, attempt):
        content = replace(content, spec=content.spec.replace(value, CURRENT_VALUE))
    return content


@require_http_methods(["GET", "POST"])
def component_update(request: HttpRequest, name: str) -> HttpResponse:
    found = access.component(request.user, name, write=True)
    content = _content(request, found)
    attachable = [] if found.instance else queries.instances_for(request.user, found.environment)
    initial = {"template_file": content.template_file, "service_spec": content.spec}
    initial["instance_name"] = request.GET.get("instance_name", "")
    form = ComponentUpdateForm(posted(request), request.FILES, component=found, instances=attachable, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                changed = actions.update(
                    by=request.user,
                    component=found,
                    deployment_type=DeploymentUpdateType.CURRENT_VERSION,
                    **form.members,
                )
            except PortalError as refusal:
                form.take(refusal)
                status = ANSWERS[type(refusal)].status
            else:
                return done(request, "deployment", changed.latest_id)
    context = {"component": found, "form": form, "attachable": bool(found.instance or attachable)}
    return page(request, "components/update.html", context, status=status)


@require_POST
def component_detach(request: HttpRequest, name: str) -> HttpResponse:
    found = access.component(request.user, name, write=True)
    changed = actions.update(
        by=request.user,
        component=found,
        deployment_type=DeploymentUpdateType.CURRENT_VERSION,
        service_name="",
        instance_name="",
    )
    return done(request, "deployment", changed.latest_id, message=f"{name} is detached, and deployed without inputs.")


@require_http_methods(["GET", "POST"])
def component_delete(request: HttpRequest, name: str) -> HttpResponse:
    found = access.component(request.user, name, write=True)
    context: dict[str, Any] = {
        "component": found,
        "blockers": queries.blockers_of_deletion(found),
        "resources": deployments.resources_of(found),
    }
    return deletion(request, "component", name, context, partial(actions.delete, by=request.user, component=found))


@require_POST
def component_cancel(request: HttpRequest, name: str) -> HttpResponse:
    found = access.component(request.user, name, write=True)
    deployment_actions.cancel(by=request.user, target=found)
    return done(request, "component", name, message="Cancelling was asked for.")
