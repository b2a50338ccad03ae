"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def sign_in(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def sign_out(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
