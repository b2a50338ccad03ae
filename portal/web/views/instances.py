"""Service instances: page, inputs, update, cancel. They are added and removed by editing their service."""

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import access
from portal.actions import deployments as deployment_actions
from portal.actions import instances as actions
from portal.queries import components, deployments, fleet, usage
from portal.queries.distances import distance_of
from portal.web.page import done, page
from portal.web.views import updates
from portal.web.views.lists import SHOWN_PULLS


@require_GET
def instance(request: HttpRequest, name: str, instance: str) -> HttpResponse:
    found = access.service_instance(request.user, name, instance)
    pulls = fleet.pull_requests_of(found)
    attached = components.attached_to(found)
    context = {
        "instance": found,
        "service": found.service,
        "target": found,
        "versions": fleet.versions_of(found, pulls),
        "pulls": pulls[:SHOWN_PULLS],
        "distance": distance_of(found, found.service.template),
        "outputs": deployments.outputs_of(found),
        "resources": deployments.resources_of(found),
        "history": deployments.history_of(found)[:10],
        "intervals": usage.intervals_of(found),
        "component": attached,
        "component_news": components.is_news(found, attached),
        "takes_components": components.supports(found.version),
        "ask_component": "" if access.may_use_components(request.user) else "a platform engineer",
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }
    return page(request, "services/instance.html", context, partial="now")


@require_GET
def instance_edit(request: HttpRequest, name: str, instance: str) -> HttpResponse:
    """Editing inputs is an update that keeps the version."""
    access.service_instance(request.user, name, instance)
    return redirect(reverse("instance-update", args=[name, instance]) + "?version=current")


@require_http_methods(["GET", "POST"])
def instance_update(request: HttpRequest, name: str, instance: str) -> HttpResponse:
    found = access.service_instance(request.user, name, instance, write=request.method == "POST")
    deploy = partial(actions.update, by=request.user, instance=found)
    return updates.update(request, found, deploy, updates.urls_of(found))


@require_POST
def instance_cancel(request: HttpRequest, name: str, instance: str) -> HttpResponse:
    found = access.service_instance(request.user, name, instance, write=True)
    deployment_actions.cancel(by=request.user, target=found)
    return done(request, "instance", name, instance, message="Cancelling was asked for.")
