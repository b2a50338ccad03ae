"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def environments(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment_update(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment_delete(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def environment_cancel(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
