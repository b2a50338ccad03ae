import pytest
from django.db import connection

from portal.models import Template
from portal.queries import prepared
from tests.factories import rows

pytestmark = pytest.mark.django_db


def named(kind: str, name: str):
    return Template.objects.filter(name=name, kind=kind).order_by().values("name", "tags", "created_at")


def test_a_statement_gives_what_its_query_gives_whatever_the_order_of_its_values():
    rows.template(name="it's %s", tags={"team": "payments"})
    rows.template(name="other")
    ask = prepared.Statement(named)
    assert ask("ENVIRONMENT", "it's %s") == list(named("ENVIRONMENT", "it's %s"))
    assert [row["tags"] for row in ask("ENVIRONMENT", "it's %s")] == [{"team": "payments"}]
    assert (len(ask("ENVIRONMENT", "other")), ask("SERVICE", "other")) == (1, [])


def test_a_query_of_many_forms_gives_its_rows_and_none_when_none_can_be():
    rows.template(name="web")
    query = Template.objects.filter(name__in=["web", "db"], pk__gt=0).values("name")
    assert prepared.rows(query) == [{"name": "web"}]
    assert prepared.rows(Template.objects.none().values("name")) == []


def test_postgresql_plans_a_statement_once_for_each_connection():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite plans each time")
    ask = prepared.Statement(named)
    for name in ("a", "b", "c"):
        ask("ENVIRONMENT", name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(generic_plans + custom_plans) FROM pg_prepared_statements")
        assert cursor.fetchone() == (1, 3)


def test_a_list_that_nobody_filters_gives_the_rows_of_now_in_each_order():
    listing = prepared.Listing(lambda: Template.objects.values("name", "created_at"))
    for name in ("b", "a", "c"):
        rows.template(name=name)
    first = listing.first(("name",), 2)
    assert first == list(Template.objects.order_by("name").values("name", "created_at")[:2])
    Template.objects.filter(name="a").delete()
    assert [row["name"] for row in listing.first(("name",), 2)] == ["b", "c"]
    assert [row["name"] for row in listing.first(("-name",), 9)] == ["c", "b"]


def test_rows_are_counted():
    before = prepared.count(Template)
    rows.template()
    assert (prepared.count(Template), before) == (1, 0)
