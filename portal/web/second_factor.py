"""A person whose role requires an authenticator app sets one up before anything else."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.actions import totp
from portal.web.page import done

PROVIDED = "came_from_provider"  # in the session: the identity provider asked for whatever it asks for
PROVED = "second_factor"  # in the session: a code was given
OPEN = {"totp", "totp-start", "totp-confirm", "sign-out", "health-live", "health-ready", "metrics"}


class EnrolmentMiddleware:
    """Leads to the set-up of the app from every page.

    Sessions end when an app is taken away, so what they say of a second factor holds.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not settings.REQUIRE_TOTP_FOR or not request.user.is_authenticated or not totp.required(request.user):
            return None
        if request.resolver_match.url_name in OPEN or request.session.get(PROVIDED) or request.session.get(PROVED):
            return None
        if totp.enabled(request.user):
            return None
        return done(request, "totp")
