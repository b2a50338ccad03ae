"""Pipelines of services: inputs, update, cancel. A pipeline is shown on the page of its service."""

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import access
from portal.actions import deployments as deployment_actions
from portal.actions import pipelines as actions
from portal.web.page import done
from portal.web.views import updates


@require_GET
def pipeline_edit(request: HttpRequest, name: str) -> HttpResponse:
    """Editing inputs is an update that keeps the version."""
    access.service_pipeline(request.user, name)
    return redirect(reverse("pipeline-update", args=[name]) + "?version=current")


@require_http_methods(["GET", "POST"])
def pipeline_update(request: HttpRequest, name: str) -> HttpResponse:
    found = access.service_pipeline(request.user, name, write=request.method == "POST")
    deploy = partial(actions.update, by=request.user, service=found.service)
    return updates.update(request, found, deploy, updates.urls_of(found))


@require_POST
def pipeline_cancel(request: HttpRequest, name: str) -> HttpResponse:
    found = access.service_pipeline(request.user, name, write=True)
    deployment_actions.cancel(by=request.user, target=found)
    return done(request, "service", name, message="Cancelling was asked for.")
