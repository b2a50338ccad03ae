import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError

from portal.models import Template
from portal.queries import prepared
from tests.factories import rows

pytestmark = pytest.mark.django_db


def known():
    return Template.objects.order_by("-created_at").values("name", "tags", "created_at")


def test_a_statement_gives_what_its_query_gives_whatever_the_order_of_its_values():
    rows.template(name="it's %s", tags={"team": "payments"})
    rows.template(name="other")
    ask = prepared.Statement(known, "kind", "name")
    assert ask("ENVIRONMENT", "it's %s") == list(known().filter(name="it's %s"))
    assert [row["tags"] for row in ask("ENVIRONMENT", "it's %s")] == [{"team": "payments"}]
    assert (len(ask("ENVIRONMENT", "other")), ask("SERVICE", "other")) == (1, [])


def test_postgresql_plans_a_statement_once_for_each_connection():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite plans each time")
    ask = prepared.Statement(known, "kind", "name")
    for name in ("a", "b", "c"):
        ask("ENVIRONMENT", name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(generic_plans + custom_plans) FROM pg_prepared_statements")
        assert cursor.fetchone() == (1, 3)


def test_a_list_that_nobody_filters_gives_the_rows_of_now_in_each_order():
    listing = prepared.Listing(lambda: Template.objects.values("name", "created_at"))
    for name in ("b", "a", "c"):
        rows.template(name=name)
    first = listing.page(("name",), 2)
    assert first == list(Template.objects.order_by("name").values("name", "created_at")[:2])
    Template.objects.filter(name="a").delete()
    assert [row["name"] for row in listing.page(("name",), 2)] == ["b", "c"]
    assert [row["name"] for row in listing.page(("name",), 9, descending=True)] == ["c", "b"]


def test_a_list_goes_on_after_values_of_any_kind():
    listing = prepared.Listing(lambda: Template.objects.values("name", "kind", "created_at", "pk"))
    for name in ("b", "a", "c", "d"):
        rows.template(name=name)
    _, _, c, d = listing.page(("name",), 9)
    for by in (("kind", "name"), ("created_at", "pk"), ("pk",)):
        everything = listing.page(by, 9)
        places = [[row[column] for column in by] for row in everything]
        assert [listing.page(by, 2, after=place) for place in places] == [
            everything[1:3], everything[2:4], everything[3:], []
        ]  # fmt: skip
        assert listing.page(by, 9, after=places[3], descending=True) == everything[2::-1]
    assert listing.page(("kind", "name"), 2, after=("ENVIRONMENT", "bb")) == [c, d]


def test_a_statement_that_fails_fails_as_any_other_query():
    with pytest.raises(DatabaseError), transaction.atomic():
        prepared.fetch("SELECT nothing FROM nowhere")
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            prepared.fetch("SELECT 1")


def test_a_statement_is_counted_as_any_other_query(django_assert_num_queries):
    with django_assert_num_queries(2) as asked:
        assert prepared.fetch("SELECT 1 + %s", (1,)) == [(2,)]
        assert prepared.count(Template) == 0
    assert "1" in asked[0]["sql"]


def test_rows_are_counted():
    before = prepared.count(Template)
    rows.template()
    assert (prepared.count(Template), before) == (1, 0)
