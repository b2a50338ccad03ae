"""Coming in and going out."""

import time
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth import login, logout, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from portal.actions import sign_in as actions
from portal.actions import totp
from portal.errors import PortalError
from portal.models import User
from portal.web.addresses import client_address
from portal.web.forms.base import Form, style
from portal.web.page import done, page, posted, wants_part
from portal.web.second_factor import PROVED

HALF = "password_was_right"  # in the session, between the password and the code
HALF_SECONDS = 300


class SignInForm(AuthenticationForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        style(self)

    def clean(self) -> dict[str, Any]:
        """Whom LOCAL_SIGN_IN does not let in gets the answer of a wrong password."""
        cleaned: dict[str, Any] = super().clean()
        if self.user_cache is not None and not actions.may_use_password(self.user_cache):
            raise self.get_invalid_login_error()
        return cleaned


class CodeForm(Form):
    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "one-time-code", "autofocus": True}),
        help_text="Six digits of your authenticator app, or one of your recovery codes.",
    )


class SignInView(views.LoginView):
    template_name = "people/sign_in.html"
    form_class = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        wanted = self.get_redirect_url()
        provider = reverse("openid_connect_login") + (f"?{urlencode({'next': wanted})}" if wanted else "")
        return super().get_context_data(
            provider=provider if settings.OIDC_ISSUER else "",
            provider_name=settings.OIDC_NAME,
            local=settings.LOCAL_SIGN_IN,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = request.POST.get("username", "")
        if name and request.POST.get("password"):
            try:
                actions.take_try(account=name, address=client_address(request))
            except actions.MustWait as wait:
                form = SignInForm(request, initial={"username": name})
                return _wait(self.render_to_response(self.get_context_data(form=form, wait=wait), status=429), wait)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user, address = form.get_user(), client_address(self.request)
        actions.forget_tries(account=self.request.POST["username"], address=address)
        if totp.enabled(user):
            self.request.session.cycle_key()
            self.request.session[HALF] = {
                "user": user.pk,
                "hash": user.get_session_auth_hash(),
                "at": time.time(),
                "to": self.get_success_url(),
            }
            return redirect("sign-in-code")
        actions.record_sign_in(user, method="password", address=address)
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


def _wait(response: HttpResponse, wait: actions.MustWait) -> HttpResponse:
    response.headers["Retry-After"] = str(wait.seconds)
    return response


_sign_in = SignInView.as_view()


@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """A part of a page that polls after its session ended takes the whole page here, and back afterwards."""
    if wants_part(request):
        current = urlsplit(request.htmx.current_url_abs_path or "/")
        address = current.path + (f"?{current.query}" if current.query else "")
        return HttpResponseClientRedirect(f"{reverse('sign-in')}?{urlencode({'next': address})}")
    return _sign_in(request)


def _half_in(request: HttpRequest) -> User | None:
    """Who gave the right password in this session, a few minutes ago, and has changed nothing since."""
    half = request.session.get(HALF)
    if not half or time.time() - half["at"] > HALF_SECONDS:
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == half["hash"] else None


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second step, for those with an authenticator app."""
    user = _half_in(request)
    if user is None:
        request.session.pop(HALF, None)
        return redirect("sign-in")
    form = CodeForm(posted(request))
    address = client_address(request)
    if request.method == "POST" and form.is_valid():
        try:
            actions.take_try(account=user.username, address=address, kind="code")
            method = totp.check(user=user, code=form.cleaned_data["code"])
        except actions.MustWait as wait:
            answer = page(request, "people/sign_in_code.html", {"form": CodeForm(), "wait": wait}, status=429)
            return _wait(answer, wait)
        except PortalError as refusal:
            form.take(refusal)
        else:
            actions.forget_tries(account=user.username, address=address, kind="code")
            to = request.session.pop(HALF)["to"]
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            request.session[PROVED] = True
            actions.record_sign_in(user, method=f"password and {method}", address=address)
            return redirect(resolve_url(to))
    return page(request, "people/sign_in_code.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return done(request, "sign-in", message="You are signed out.")
