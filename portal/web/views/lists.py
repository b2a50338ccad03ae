"""What the lists share: filters kept in the URL, and the typed confirmation before something is deleted."""

from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, Q, QuerySet, TextChoices
from django.http import HttpRequest

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
