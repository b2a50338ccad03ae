"""Environments: list, page, wizard's start, edit, update, delete, cancel."""

from functools import partial

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import access
from portal.actions import deployments as deployment_actions
from portal.actions import environments as actions
from portal.enums import DeploymentStatus, DeploymentUpdateType, Role, TemplateKind
from portal.errors import Invalid
from portal.models import Environment, Team
from portal.queries import deployments, fleet, usage
from portal.queries import environments as queries
from portal.queries.distances import distance_of, distances_of
from portal.web.forms.details import EnvironmentEdit
from portal.web.forms.spec import summary
from portal.web.page import done, page
from portal.web.views import updates
from portal.web.views.lists import SHOWN_PULLS, Filters, deletion, state_choices
from portal.web.views.starts import start_wizard

PER_PAGE = 50


@require_GET
def environments(request: HttpRequest) -> HttpResponse:
    filters = Filters.of(request)
    rows = filters.search(
        queries.visible_to(request.user), "name", "description", "template__name", "target_account_id"
    )
    if filters.state:
        rows = rows.filter(latest__status=filters.state)
    if filters.team:
        rows = rows.filter(team__name=filters.team)
    found = Paginator(rows.order_by("name"), PER_PAGE).get_page(request.GET.get("page"))
    distances = distances_of((row, row.template) for row in found)
    context = {
        "environments": found.object_list,
        "page_obj": found,
        "distances": distances,
        "filters": filters,
        "states": state_choices(DeploymentStatus),
        "teams": Team.objects.all(),
        "may_create": request.user.at_least(Role.PLATFORM),
    }
    return page(request, "environments/list.html", context, partial="rows")


@require_http_methods(["GET", "POST"])
def environment_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.PLATFORM)
    return start_wizard(request, TemplateKind.ENVIRONMENT)


def _context(request: HttpRequest, found: Environment) -> dict[str, object]:
    pulls = fleet.pull_requests_of(found)
    return {
        "environment": found,
        "target": found,
        "versions": fleet.versions_of(found, pulls),
        "pulls": pulls[:SHOWN_PULLS],
        "distance": distance_of(found, found.template),
        "outputs": deployments.outputs_of(found),
        "resources": deployments.resources_of(found),
        "history": deployments.history_of(found)[:10],
        "intervals": usage.intervals_of(found),
        "instances": found.instances.select_related("service", "latest", "version__template"),
        "components": found.components.select_related("latest", "instance__service"),
        "component_role": queries.component_role(found),
        "takes_components": queries.takes_components(found),
        "ask_component": "" if request.user.is_platform else "a platform engineer",
        "blockers": queries.blockers_of_deletion(found),
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }


@require_GET
def environment(request: HttpRequest, name: str) -> HttpResponse:
    found = access.environment(request.user, name)
    return page(request, "environments/detail.html", _context(request, found), partial="now")


@require_http_methods(["GET", "POST"])
def environment_edit(request: HttpRequest, name: str) -> HttpResponse:
    """The details that change nothing that runs."""
    found = access.environment(request.user, name, write=True)
    kept = {
        "description": found.description,
        "team": found.team.name if found.team else "",
        "proton_service_role_arn": found.proton_service_role_arn,
        "component_role_arn": found.component_role_arn,
        "codebuild_role_arn": found.codebuild_role_arn,
        "environment_account_connection_id": str(found.connection_id or ""),
    }
    form = EnvironmentEdit(request.POST or None, initial=kept, user=request.user, environment=found)
    problems = []
    if request.method == "POST" and form.is_valid():
        details = form.cleaned_data
        try:
            actions.update(
                by=request.user,
                environment=found,
                deployment_type=DeploymentUpdateType.NONE,
                description=details["description"],
                team=Team.objects.filter(name=details["team"]).first(),
                proton_service_role_arn=details.get("proton_service_role_arn"),
                component_role_arn=details.get("component_role_arn"),
                connection=form.connections.get(details.get("environment_account_connection_id", "")),
                codebuild_role_arn=details.get("codebuild_role_arn"),
            )
        except Invalid as wrong:
            problems = list(wrong.problems)
        else:
            return done(request, "environment", name, message="The details are saved.")
    problems += form.problems() if form.is_bound else []
    fields = form.drawn(problems)
    context = {"environment": found, "fields": fields, "problems": summary(fields, problems)}
    return page(request, "environments/edit.html", context, status=422 if problems else 200)


@require_http_methods(["GET", "POST"])
def environment_update(request: HttpRequest, name: str) -> HttpResponse:
    found = access.environment(request.user, name, write=request.method == "POST")
    deploy = partial(actions.update, by=request.user, environment=found)
    return updates.update(request, found, deploy, updates.urls_of(found))


@require_http_methods(["GET", "POST"])
def environment_delete(request: HttpRequest, name: str) -> HttpResponse:
    found = access.environment(request.user, name, write=True)
    context = {
        "environment": found,
        "blockers": queries.blockers_of_deletion(found),
        "resources": deployments.resources_of(found),
    }
    return deletion(request, "environment", name, context, partial(actions.delete, by=request.user, environment=found))


@require_POST
def environment_cancel(request: HttpRequest, name: str) -> HttpResponse:
    found = access.environment(request.user, name, write=True)
    deployment_actions.cancel(by=request.user, target=found)
    return done(request, "environment", name, message="Cancelling was asked for.")
