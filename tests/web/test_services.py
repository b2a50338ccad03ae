"""The pages of services and their instances."""

import re

import pytest
from django.test import Client

from portal.enums import Role, ServiceStatus
from portal.models import Deployment, Environment, Service, ServiceInstance, User
from tests.factories import rows
from tests.web.reading import values

pytestmark = pytest.mark.django_db


@pytest.fixture
def developer(client: Client) -> User:
    person = rows.person("dev", Role.DEVELOPER, [rows.team("payments")])
    client.force_login(person)
    return person


@pytest.fixture
def shop(developer: User, simulated) -> Service:
    return rows.service("shop", by=developer)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, developer, simulated, count, django_assert_num_queries):
    for _ in range(count):
        rows.service(by=developer)
    client.get("/services/")
    with django_assert_num_queries(8):
        assert len(client.get("/services/").context["rows"]) == count


def test_the_list_is_filtered_and_says_when_nothing_matches(client, shop):
    def names(query: str) -> list[str]:
        return [row.name for row, _ in client.get(f"/services/{query}").context["rows"]]

    assert (names("?q=sho"), names("?q=other"), names("?team=payments")) == (["shop"], [], ["shop"])
    assert "No service matches" in client.get("/services/?q=other").content.decode()


def test_the_page_shows_each_instance_with_its_environment_and_distance(client, shop):
    page = client.get("/services/shop/").content.decode()
    assert 'href="/services/shop/instances/dev/"' in page
    assert f'href="/environments/{Environment.objects.get().name}/"' in page
    assert "up to date" in page


def test_a_service_that_is_being_made_shows_its_phases(client, developer, simulated, settings):
    settings.SIMULATION = {"seconds": 3600}
    home = Environment.objects.first() or _home(settings)
    of = rows.version(rows.template("SERVICE"), compatible=[home.template])
    rows.service("shop", by=developer, of=of, spec=rows.service_spec(home.name))
    part = client.get("/services/shop/", headers={"HX-Request": "true"}).content.decode()
    assert "Deploying instances" in part
    assert 'hx-trigger="every 2s"' in part


def _home(settings) -> Environment:
    wishes, settings.SIMULATION = settings.SIMULATION, {"seconds": 0}
    made = rows.environment("home")
    settings.SIMULATION = wishes
    return made


def test_an_instance_is_added_and_another_removed(client, shop):
    home = Environment.objects.get().name
    typed = {"/instances/1/name": "prod", "/instances/1/environment": home, "/instances/1/spec/image": "app:2"}
    answer = client.post("/services/shop/edit/", typed | {"_drop": "dev", "/description": "Sells", "/team": ""})
    assert answer.status_code == 302
    rows.run_everything()
    made = Service.objects.get()
    assert (made.status, made.description) == (ServiceStatus.ACTIVE, "Sells")
    assert [row.name for row in made.instances.all()] == ["prod"]


def test_adding_a_row_keeps_what_was_typed_and_what_is_to_be_removed(client, shop):
    page = client.post("/services/shop/edit/", {"_add": "/instances", "_drop": "dev", "/description": "typed"})
    text = page.content.decode()
    assert 'name="/instances/1/name"' in text
    assert 'name="/instances/0/name"' not in text
    assert re.search(r'name="_drop" value="dev" checked', text)
    assert "typed" in text


def test_a_new_instance_with_problems_is_shown_again(client, shop):
    typed = {"/instances/1/name": "prod", "/instances/1/environment": "", "/instances/1/spec/image": ""}
    answer = client.post("/services/shop/edit/", typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#f--instances--1--environment"' in page
    assert 'href="#f--instances--1--spec--image"' in page
    assert 'value="prod"' in page


def test_a_description_alone_changes_nothing_that_runs(client, shop):
    client.post("/services/shop/edit/", {"/description": "Sells", "/team": ""})
    assert Service.objects.get().description == "Sells"
    assert Deployment.objects.filter(service_name="shop").count() == 1


def test_an_instance_is_updated_to_a_newer_version(client, shop):
    home = Environment.objects.get()
    code = rows.SERVICE_TEMPLATE + "    DependsOn: []\n"
    rows.version(shop.template, "1.1", files=rows.service_files(code=code), compatible=[home.template])
    assert "A newer version is available: 1.1" in client.get("/services/shop/instances/dev/").content.decode()
    url = "/services/shop/instances/dev/update/"
    changes = client.post(url, {"/instances/0/spec/image": "app:1", "_preview": "1"}, headers={"HX-Request": "true"})
    assert "diff-added" in changes.content.decode()
    client.post(url, {"/instances/0/spec/image": "app:1"})
    rows.run_everything()
    assert ServiceInstance.objects.get().version.number == "1.1"


def test_inputs_of_an_instance_are_edited_and_its_neighbour_is_left_alone(client, developer, simulated):
    home = rows.environment()
    of = rows.version(rows.template("SERVICE"), compatible=[home.template])
    rows.service("shop", by=developer, of=of, spec=rows.service_spec(home.name, "dev", "prod"))
    url = client.get("/services/shop/instances/prod/edit/").headers["Location"]
    page = client.get(url).content.decode()
    assert values(page, "/instances/1/spec/image") == ["app:1"]
    assert "/instances/0/" not in page
    client.post(url, {"/instances/1/spec/image": "app:9"})
    rows.run_everything()
    assert {row.name: row.deployed.inputs["image"] for row in ServiceInstance.objects.all()} == {
        "dev": "app:1",
        "prod": "app:9",
    }


def test_deleting_a_service_needs_its_name(client, shop):
    assert "its 1 instance" in client.get("/services/shop/delete/").content.decode()
    assert client.post("/services/shop/delete/", {"confirm": ""}).status_code == 422
    client.post("/services/shop/delete/", {"confirm": "shop"})
    rows.run_everything()
    assert Service.objects.count() == 0


def test_somebody_of_another_team_reads_and_sees_whom_to_ask(client, shop):
    client.force_login(rows.person("other", Role.DEVELOPER, [rows.team("search")]))
    page = client.get("/services/shop/").content.decode()
    assert "Ask team payments" in page
    assert client.get("/services/shop/edit/").status_code == 403
    assert client.post("/services/shop/instances/dev/update/", {}).status_code == 403
    assert client.get("/services/shop/instances/dev/update/").status_code == 200
