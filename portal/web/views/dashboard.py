"""The start page: which template version runs where, and what is behind."""

from dataclasses import replace

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.actions import resources
from portal.models import Team, Template
from portal.queries import accounts, components, fleet, usage
from portal.queries.resources import missing_since
from portal.queries.usage import UsageFilters
from portal.web import usage as words
from portal.web.page import page
from portal.web.views.templates import address_of

ROWS_PER_PAGE = 100
STATES = (
    ("UP_TO_DATE", "Up to date"),
    ("BEHIND_MINOR", "Behind, minor"),
    ("BEHIND_MAJOR", "Behind, major"),
    ("FAILED", "Failing"),
    ("IN_PROGRESS", "In progress"),
)


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    filters = UsageFilters.from_query(request.GET)
    scope = usage.rows(request.user, replace(filters, state=""))
    rows = [row for row in scope if usage.matches(row, filters)]
    counts = usage.summary(scope)
    names = accounts.names()
    uses = usage.matrix(rows)
    columns = sorted({account for use in uses for account in use.by_account})
    templates = list(Template.objects.order_by("kind", "name"))
    since = missing_since()
    lost = [(str(thing), address_of(thing)) for thing in resources.missing()] if since else []
    context = {
        "lost": lost,
        "lost_since": since,
        "filters": filters,
        "counts": counts,
        "component_counts": components.counts(),
        "pull_request_counts": fleet.counts(request.user),
        "figures": words.figures(counts, filters),
        "page_obj": Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        "account_names": names,
        "account_columns": [(account, names.get(account, "")) for account in columns],
        "chart": words.chart(uses, filters),
        "matrix": words.matrix_table(uses, columns, filters),
        "csv_query": filters.as_query(),
        "templates": templates,
        "teams": list(Team.objects.all()),
        "states": STATES,
        "now": timezone.now(),
    }
    return page(request, "usage/dashboard.html", context, partial="usage")


@require_safe
def usage_csv(request: HttpRequest) -> HttpResponse:
    """Exactly the rows that the page shows with the same query string, all pages of it."""
    rows = usage.rows(request.user, UsageFilters.from_query(request.GET))
    response = HttpResponse(words.as_csv(rows, accounts.names()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="usage-{timezone.now():%Y-%m-%d}.csv"'
    return response
