"""The web door's table of refusals: each of the family becomes one page, or one notice when htmx asked."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import reswap, retarget

from portal.errors import Conflict, Forbidden, Invalid, NotFound, PortalError, QuotaExceeded, Unavailable
from portal.web.page import wants_part


@dataclass(frozen=True)
class Answer:
    """``status`` of the response, and how the page calls the refusal."""

    status: int
    title: str
    icon: str
    advice: str


ANSWERS: dict[type[PortalError], Answer] = {
    NotFound: Answer(404, "Not found", "map-search", "Check the address, or look for it in its list."),
    Forbidden: Answer(403, "You may not do that", "lock", "Nothing was changed."),
    Conflict: Answer(409, "Not possible at the moment", "arrows-cross", "Nothing was changed."),
    Invalid: Answer(422, "That cannot be done as asked", "alert-triangle", "Nothing was changed."),
    QuotaExceeded: Answer(409, "A limit is reached", "gauge", "Nothing was changed."),
    Unavailable: Answer(503, "No answer from outside", "cloud-off", "Nothing was changed. Trying again is safe."),
}


def refuse(request: HttpRequest, refusal: PortalError) -> HttpResponse:
    """The refusal as a page; for htmx as a notice, wherever the request wanted to put its answer."""
    answer = ANSWERS[type(refusal)]
    context = {"refusal": refusal, "answer": answer, "problems": getattr(refusal, "problems", ())}
    if wants_part(request):
        response = render(request, "errors/refusal.html#notice", context, status=answer.status)
        return reswap(retarget(response, "#notices"), "innerHTML")
    return render(request, "errors/refusal.html", context, status=answer.status)


class RefusalMiddleware:
    """Turns the refusals that views let through into answers. What is not of the family stays an error."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refuse(request, exception) if isinstance(exception, PortalError) else None
