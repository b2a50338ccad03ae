"""Being written."""

from typing import Any

from django.http import HttpRequest, HttpResponse


def accounts(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")


def account_edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("")
