"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def deployments(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def deployment(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def deployment_cancel(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def deployment_retry(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def deployment_attention(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
