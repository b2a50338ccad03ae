"""What disappeared from an account: everything of it is deployed again on one press."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from portal import access
from portal.actions import resources as actions
from portal.enums import Role
from portal.web.page import done


@require_POST
def redeploy(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.PLATFORM)
    count = actions.redeploy_missing(by=request.user)
    said = f"{count} deployment{'s' if count != 1 else ''} started." if count else "Nothing is missing any more."
    return done(request, "dashboard", message=said)
