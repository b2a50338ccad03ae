"""For machines: is it alive, may it get traffic, and which parts are degraded."""

import ipaddress
import secrets

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from portal.queries import health
from portal.queries import metrics as queries

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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


@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus: from this machine itself, or with METRICS_TOKEN as bearer token."""
    if not (_has_token(request) or _is_from_here(request)):
        advice = "Metrics need METRICS_TOKEN as bearer token, or a request from the machine itself.\n"
        return HttpResponse(advice, content_type="text/plain", status=403)
    return HttpResponse(queries.text(), content_type=METRICS_TYPE)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    known = settings.METRICS_TOKEN
    return bool(known) and scheme.lower() == "bearer" and secrets.compare_digest(token.encode(), known.encode())


def _is_from_here(request: HttpRequest) -> bool:
    """From loopback and not through a proxy, which would make everybody come from here."""
    if any(name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
