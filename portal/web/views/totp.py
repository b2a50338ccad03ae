"""One's own authenticator app."""

from collections.abc import Callable
from dataclasses import dataclass

import segno
from django import forms
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portal.actions import people, sign_in
from portal.actions import totp as actions
from portal.errors import PortalError
from portal.web.addresses import client_address
from portal.web.forms.base import Form
from portal.web.page import done, page, posted
from portal.web.second_factor import PROVED

MAY_SET_UP = "may_set_up_totp"  # in the session: the password was given


class ConfirmForm(Form):
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@dataclass(frozen=True)
class Question:
    """What the page says that asks for the password."""

    title: str
    lead: str
    button: str
    style: str = "btn-primary"


START = Question(
    "Set up an authenticator app",
    "First your password, so that nobody else sets one up at your desk.",
    "Go on",
)
RENEW = Question(
    "New recovery codes",
    "The codes that you have now will open nothing any more.",
    "Make new codes",
)
OFF = Question(
    "Turn the authenticator app off",
    "You sign in with your password alone from then on, and your recovery codes open nothing any more.",
    "Turn it off",
    "btn-danger",
)


class FirstCodeForm(Form):
    code = forms.CharField(
        label="Code",
        max_length=10,
        widget=forms.TextInput(attrs={"class": "mono", "inputmode": "numeric", "autocomplete": "one-time-code"}),
        help_text="Six digits that the app shows now.",
    )


@require_safe
def totp(request: HttpRequest) -> HttpResponse:
    context = {
        "enabled": actions.enabled(request.user),
        "left": actions.codes_left(request.user),
        "required": actions.required(request.user),
        "elsewhere": not request.user.has_usable_password(),
    }
    return page(request, "people/totp.html", context)


def _with_password(request: HttpRequest, question: Question, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Ask for the password, then act. A stolen session has as few tries as a stranger."""
    form = ConfirmForm(posted(request))
    status = 200
    if request.method == "POST" and form.is_valid():
        name, address = request.user.username, client_address(request)
        try:
            sign_in.take_try(account=name, address=address)
            people.check_own_password(request.user, form.cleaned_data["password"], "/password")
            sign_in.forget_tries(account=name, address=address)
            return act()
        except sign_in.MustWait as wait:
            form.add_error(None, wait.message)
            status = 429
        except PortalError as refusal:
            form.take(refusal)
    if form.errors and status == 200:
        status = 422
    return page(request, "people/totp_password.html", {"form": form, "question": question}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def totp_start(request: HttpRequest) -> HttpResponse:
    def act() -> HttpResponse:
        actions.start(by=request.user)
        request.session[MAY_SET_UP] = True
        return redirect("totp-confirm")

    return _with_password(request, START, act)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def totp_confirm(request: HttpRequest) -> HttpResponse:
    """The QR code, and the first code. The answer to that holds the recovery codes, this once."""
    row = actions.offered(request.user)
    if row is None or not request.session.get(MAY_SET_UP):
        return redirect("totp")
    form = FirstCodeForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            codes = actions.confirm(by=request.user, code=form.cleaned_data["code"])
        except PortalError as refusal:
            form.take(refusal)
        else:
            update_session_auth_hash(request, request.user)
            request.session.pop(MAY_SET_UP)
            request.session[PROVED] = True
            return page(request, "people/totp_codes.html", {"codes": codes})
    picture = segno.make(actions.address_of(row), error="m").svg_data_uri(scale=5, border=2, light="#fff")
    secret = actions.secret_of(row)
    context = {"form": form, "picture": picture, "secret": secret}
    return page(request, "people/totp_confirm.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def totp_codes(request: HttpRequest) -> HttpResponse:
    def act() -> HttpResponse:
        return page(request, "people/totp_codes.html", {"codes": actions.renew_codes(by=request.user)})

    return _with_password(request, RENEW, act)


@require_http_methods(["GET", "HEAD", "POST"])
def totp_off(request: HttpRequest) -> HttpResponse:
    def act() -> HttpResponse:
        actions.turn_off(by=request.user)
        update_session_auth_hash(request, request.user)
        request.session.pop(PROVED, None)
        return done(request, "totp", message="The authenticator app is turned off. Other sessions of yours have ended.")

    return _with_password(request, OFF, act)
