"""Coming in and going out."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import logout, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from portal.web.forms.base import style
from portal.web.page import done, wants_part


class SignInForm(AuthenticationForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        style(self)


class SignInView(views.LoginView):
    template_name = "people/sign_in.html"
    form_class = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


_sign_in = SignInView.as_view()


@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """A part of a page that polls after its session ended takes the whole page here, and back afterwards."""
    if wants_part(request):
        current = urlsplit(request.htmx.current_url_abs_path or "/")
        address = current.path + (f"?{current.query}" if current.query else "")
        return HttpResponseClientRedirect(f"{reverse('sign-in')}?{urlencode({'next': address})}")
    return _sign_in(request)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return done(request, "sign-in", message="You are signed out.")
