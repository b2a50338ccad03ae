"""What the lists share: filters kept in the URL, and the typed confirmation before something is deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet, TextChoices
from django.http import HttpRequest, HttpResponse

from portal.web.page import done, page

SHOWN_PULLS = 5  # pull requests on the page of what they deliver
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Filters:
    """ "" filters nothing."""

    q: str = ""
    state: str = ""
    team: str = ""
    who: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Filters":
        return cls(**{name: request.GET.get(name, "").strip()[:200] for name in ("q", "state", "team", "who")})

    @property
    def any(self) -> bool:
        return bool(self.q or self.state or self.team or self.who)

    def search(self, rows: QuerySet[Row], *columns: str) -> QuerySet[Row]:
        """Rows in which each word of the search is found in some column."""
        for word in self.q.split():
            wanted = Q()
            for column in columns:
                wanted |= Q(**{f"{column}__icontains": word})
            rows = rows.filter(wanted)
        return rows


def state_choices(states: type[TextChoices]) -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in states.choices]


def confirmed(request: HttpRequest, name: str) -> bool:
    """Whether the person typed the name of what is to be deleted."""
    return request.POST.get("confirm", "").strip() == name


def deletion(
    request: HttpRequest, kind: str, name: str, context: dict[str, Any], delete: Callable[[], object]
) -> HttpResponse:
    """The page that asks for the name before something is deleted. ``kind``, such as "service", names the page of the
    thing, which shows how it goes, and the folder of its templates."""
    if request.method == "POST":
        if confirmed(request, name):
            delete()
            return done(request, kind, name, message=f"{name} is being deleted.")
        context["problem"] = f"Type {name} to confirm that you mean this {kind}."
    return page(request, f"{kind}s/delete.html", context, status=422 if "problem" in context else 200)
