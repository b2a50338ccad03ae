"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def templates(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def template_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def template(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def template_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def template_delete(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
