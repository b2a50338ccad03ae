"""Sign-in by OpenID Connect.

allauth goes to the provider and checks what comes back; who that is and what they may do, the portal decides.
"""

import logging
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from requests import RequestException

from portal.actions import identities, sign_in
from portal.errors import Forbidden
from portal.web.addresses import client_address
from portal.web.second_factor import PROVIDED

log = logging.getLogger("portal.sign_in")
PROVIDER = "oidc"
BACKEND = "django.contrib.auth.backends.ModelBackend"
UNREACHABLE = "{name} does not answer. Try again in a while; admins see why in the portal's log."


def _refused(request: HttpRequest, message: str, *, status: int) -> ImmediateHttpResponse:
    context = {"message": message, "name": settings.OIDC_NAME}
    return ImmediateHttpResponse(render(request, "people/not_in.html", context, status=status))


class Adapter(DefaultSocialAccountAdapter):
    """The provider is the one of the settings; allauth makes no person and lets nobody in by itself."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        if not settings.OIDC_ISSUER:
            return []
        app = SocialApp(
            provider="openid_connect",
            provider_id=PROVIDER,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_ISSUER, "oauth_pkce_enabled": True},
        )
        return [app]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Always ends allauth's own way: with a session, or with a page that says why not."""
        told = sociallogin.account.extra_data
        try:
            claims = identities.read_claims(id_token=told.get("id_token") or {}, userinfo=told.get("userinfo") or {})
            user = identities.arrive(claims)
        except Forbidden as refusal:
            raise _refused(request, refusal.message, status=403) from None
        login(request, user, backend=BACKEND)
        request.session[PROVIDED] = True
        sign_in.record_sign_in(user, method="openid connect", address=client_address(request))
        wanted = sociallogin.state.get("next") or ""
        safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
        raise ImmediateHttpResponse(HttpResponseRedirect(wanted if safe else resolve_url(settings.LOGIN_REDIRECT_URL)))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        if error == AuthError.CANCELLED:
            raise _refused(request, f"{settings.OIDC_NAME} was left without signing in.", status=403)
        if isinstance(exception, RequestException):
            log.warning("the identity provider did not answer: %s", type(exception).__name__)
            raise _refused(request, UNREACHABLE.format(name=settings.OIDC_NAME), status=503)
        log.warning("the identity provider's answer was refused: %s", type(exception).__name__ if exception else error)
        message = "This sign-in was begun somewhere else, took too long, or was answered wrongly. Begin again."
        raise _refused(request, message, status=403)


@login_not_required
@never_cache
@require_safe
def start(request: HttpRequest, provider_id: str) -> HttpResponse:
    """To the provider. 404 when there is none."""
    try:
        return views.login(request, provider_id)
    except RequestException as silent:
        log.warning("the identity provider did not answer: %s", type(silent).__name__)
        return _refused(request, UNREACHABLE.format(name=settings.OIDC_NAME), status=503).response


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Back from the provider."""
    return views.callback(request, provider_id)
