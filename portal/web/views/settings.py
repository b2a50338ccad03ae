"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def settings(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def roles(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def audit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
