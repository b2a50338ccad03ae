"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def dashboard(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def usage_csv(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
