"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def version_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def version(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def version_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def version_publish(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def version_delete(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def version_trust(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
