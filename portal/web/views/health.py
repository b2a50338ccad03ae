"""For machines: is it alive, may it get traffic, and which parts are degraded."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from portal.queries import health


@login_not_required
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """{"status": "ready"|"not ready", "blockers": {part: why}, "degraded": {part: why}}; 503 when not ready."""
    blockers = health.blockers()
    degraded = {} if blockers else health.degraded()
    status = "not ready" if blockers else "ready"
    return JsonResponse({"status": status, "blockers": blockers, "degraded": degraded}, status=503 if blockers else 200)
