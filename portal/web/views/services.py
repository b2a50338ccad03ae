"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def services(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def service_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def service(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def service_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def service_delete(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
