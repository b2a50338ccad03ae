"""Names of secrets to choose from, for a field that holds one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import access
from portal.actions import secret_references
from portal.enums import Role
from portal.templatetags.ui import pointer_id


@require_GET
def secret_names(request: HttpRequest) -> HttpResponse:
    """Those that begin with what the field ``for`` holds. For people who may deploy what the field is of."""
    path = request.GET.get("for", "")[:500]
    access.require(request.user, Role.DEVELOPER if path.startswith(("/instances", "/pipeline")) else Role.PLATFORM)
    found = secret_references.names(request.GET.get(path, "").strip()[:600])
    return render(request, "forms/secret_names.html", {"id": pointer_id(path), "found": found})
