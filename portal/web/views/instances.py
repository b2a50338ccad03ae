"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def instance(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def instance_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def instance_update(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def instance_cancel(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
