"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def live(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def ready(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
