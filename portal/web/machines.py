"""What every request goes through first: its id, one line in the log, and addresses that machines ask by any name."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal import logs

log = logging.getLogger("portal.requests")
FOR_MACHINES = ("/healthz/live", "/healthz/ready", "/metrics")  # SECURE_REDIRECT_EXEMPT has them as well


class RequestMiddleware:
    """``X-Request-ID`` is taken over or made, bound to the logs, and sent back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        known = logs.new_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        machine = request.path_info in FOR_MACHINES
        if machine:  # a probe knows an address, not the name that people use; these pages make no links
            request.get_host = lambda: "localhost"
        with logs.bound(request_id=known):
            response = self.get_response(request)
            response.headers["X-Request-ID"] = known
            log.log(
                logging.DEBUG if machine or request.path_info.startswith(f"/{settings.STATIC_URL}") else logging.INFO,
                "%s %s %s",
                request.method,
                request.path_info.encode("unicode_escape").decode(),  # a line break in it makes no second line
                response.status_code,
                extra={"milliseconds": round(1000 * (time.monotonic() - began)), "person": _person(request)},
            )
        return response


def _person(request: HttpRequest) -> str:
    """Who asked, when the request got as far as that; never a query for it."""
    user = request.__dict__.get("_cached_user")
    return str(user.get_username()) if user is not None else ""
