"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def draft(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_details(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_inputs(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_review(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_field(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_submit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def draft_discard(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
