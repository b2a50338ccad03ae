"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def people(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def person_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def person(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def teams(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def team_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def team(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def team_delete(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def keys(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def key_new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def key_revoke(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
