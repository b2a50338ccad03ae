"""The start page: figures, counts by account, rows, filters in the URL, CSV."""

import csv
import io

import pytest

from portal.enums import DeploymentStatus
from portal.models import Deployment, Environment, Service
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    person = rows.person("admin")
    client.force_login(person)
    return person


@pytest.fixture
def fleet(simulated, admin):
    """vpc: 1.0 (major behind), 2.0 (minor behind), 2.1 (recommended), each with one environment."""
    template = rows.template(name="vpc")
    versions = [rows.version(template, number) for number in ("1.0", "2.0", "2.1")]
    payments = rows.team("payments")
    for name, version in zip(("old", "middle", "new"), versions, strict=True):
        rows.environment(name, by=admin, of=version, team=payments if name == "old" else None)
    Environment.objects.filter(name="old").update(target_account_id="210987654321")
    return template


def numbers(response) -> dict[str, str]:
    return {figure.label: figure.number for figure in response.context["figures"]}


def names(response) -> list[str]:
    return [row.name for row in response.context["page_obj"]]


def test_an_empty_portal_says_to_publish_a_template(client, admin):
    text = client.get("/").content.decode()
    assert "No templates yet" in text
    assert 'href="/templates/new/"' in text


def test_a_portal_without_deployments_says_to_create_an_environment(client, admin):
    rows.version(rows.template())
    assert "Nothing is deployed yet" in client.get("/").content.decode()


def test_figures_count_everything_in_scope(client, fleet):
    Deployment.objects.filter(environment_name="new").update(status=DeploymentStatus.FAILED)
    assert numbers(client.get("/")) == {
        "Deployed": "3",
        "Up to date": "33 %",
        "Behind, minor": "1",
        "Behind, major": "1",
        "Failing": "1",
        "In progress": "0",
    }


def test_rows_come_furthest_behind_first_and_say_how_far(client, fleet):
    response = client.get("/")
    found = [(row.name, row.distance.status, row.distance.versions) for row in response.context["page_obj"]]
    assert found == [("old", "BEHIND_MAJOR", 2), ("middle", "BEHIND_MINOR", 1), ("new", "UP_TO_DATE", 0)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=BEHIND_MAJOR", ["old"]),
        ("state=UP_TO_DATE", ["new"]),
        ("state=FAILED", []),
        ("account=210987654321", ["old"]),
        ("team=payments", ["old"]),
        ("team=-", ["middle", "new"]),
        ("template=ENVIRONMENT/vpc&version=2.0", ["middle"]),
        ("template=SERVICE/vpc", []),
        ("q=idd", ["middle"]),
        ("q=old+payments", ["old"]),
    ],
)
def test_filters_are_in_the_url_and_the_csv_has_the_same_rows(client, fleet, query, expected):
    assert names(client.get(f"/?{query}")) == expected
    lines = list(csv.DictReader(io.StringIO(client.get(f"/usage.csv?{query}").content.decode())))
    assert [line["name"] for line in lines] == expected


def test_each_number_leads_to_its_rows(client, fleet):
    response = client.get("/")
    for figure in response.context["figures"][1:4]:
        assert len(names(client.get("/" + figure.url.partition("#")[0]))) == 1
    for line in response.context["matrix"]:
        for cell in (*line.cells, line.total):
            assert len(names(client.get("/" + cell.url.partition("#")[0]))) == cell.count


def test_counts_by_account_name_every_version(client, fleet):
    response = client.get("/")
    assert [account for account, _ in response.context["account_columns"]] == ["123456789012", "210987654321"]
    assert [(line.use.version.number, [cell.count for cell in line.cells]) for line in response.context["matrix"]] == [
        ("2.1", [1, 0]),
        ("2.0", [1, 0]),
        ("1.0", [0, 1]),
    ]


def test_the_chart_has_the_same_numbers_as_its_table(client, fleet):
    (bar,) = client.get("/").context["chart"]
    assert [(version["number"], version["count"], version["state"]) for version in bar["versions"]] == [
        ("1.0", 1, "BEHIND_MAJOR"),
        ("2.0", 1, "BEHIND_MINOR"),
        ("2.1", 1, "UP_TO_DATE"),
    ]


def test_nothing_outdated_is_said(client, admin, simulated):
    rows.environment("prod", by=admin)
    assert "Nothing is outdated" in client.get("/").content.decode()


def test_htmx_gets_the_part_below_the_filters(client, fleet):
    text = client.get("/?q=old", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in text
    assert 'id="rows"' in text


def test_a_name_that_a_spreadsheet_would_run_is_quoted():
    from portal.web.usage import _safe

    assert [_safe(value) for value in ("=1+1", "@x", "prod", None, 3)] == ["'=1+1", "'@x", "prod", "", "3"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_dashboard_costs_the_same_for_any_length(client, admin, simulated, count, django_assert_num_queries):
    home = rows.environment("home", by=admin)
    of = rows.version(rows.template("SERVICE"), compatible=[home.template])
    for number in range(count):
        rows.service(f"web-{number}", by=admin, of=of, spec=rows.service_spec("home", "dev"))
    client.get("/")
    with django_assert_num_queries(13):
        assert len(names(client.get("/"))) == count + 1
    assert Service.objects.count() == count
