"""The pipeline of a service: on its page, its inputs, its version."""

import pytest

from portal.enums import Role
from portal.models import ServicePipeline
from tests.factories import rows
from tests.web.reading import values

pytestmark = pytest.mark.django_db
FILES = rows.service_files(schema=rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)


@pytest.fixture
def developer(client):
    person = rows.person("dev", Role.DEVELOPER, [rows.team("payments")])
    client.force_login(person)
    return person


@pytest.fixture
def shop(developer, simulated):
    home = rows.environment("home")
    of = rows.version(rows.template("SERVICE"), files=FILES, compatible=[home.template])
    return rows.service("shop", by=developer, of=of, spec=rows.service_spec("home"))


def newer(shop):
    """Version 1.1 of its template, whose pipeline differs."""
    code = rows.PIPELINE_TEMPLATE + "    DependsOn: []\n"
    files = rows.service_files(schema=rows.PIPELINE_SCHEMA, pipeline=code)
    home = shop.instances.get().environment
    return rows.version(shop.template, "1.1", files=files, compatible=[home.template])


def test_the_service_shows_its_pipeline_with_its_history(client, shop):
    page = client.get("/services/shop/").content.decode()
    assert 'id="pipeline"' in page
    assert f'href="/deployments/{shop.pipeline.latest_id}/"' in page
    assert 'href="/services/shop/pipeline/update/?version=current"' in page


def test_inputs_of_a_pipeline_are_edited_and_instances_are_left_alone(client, shop):
    url = client.get("/services/shop/pipeline/edit/")["Location"]
    page = client.get(url).content.decode()
    assert values(page, "/pipeline/unit_test_command") == ["make test"]
    assert "/instances/" not in page
    instance = shop.instances.get()
    answer = client.post(url, {"/pipeline/unit_test_command": "make check"})
    pipeline = ServicePipeline.objects.get()
    assert answer["Location"] == f"/deployments/{pipeline.latest_id}/"
    rows.run_everything()
    pipeline.refresh_from_db()
    assert pipeline.deployed.inputs == {"unit_test_command": "make check"}
    assert shop.instances.get().latest_id == instance.latest_id


def test_a_pipeline_goes_to_a_newer_version_after_its_difference_was_seen(client, shop):
    newer(shop)
    assert "See what changes and update" in client.get("/services/shop/").content.decode()
    url, typed = "/services/shop/pipeline/update/", {"/pipeline/unit_test_command": "make test"}
    changes = client.post(url, typed | {"_preview": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert "diff-added" in changes
    assert "update-service-pipeline" in changes
    client.post(url, typed)
    rows.run_everything()
    assert ServicePipeline.objects.get().version.number == "1.1"


def test_a_version_without_a_pipeline_is_not_offered(client, shop):
    home = shop.instances.get().environment
    rows.version(shop.template, "2.0", compatible=[home.template])
    assert client.get("/services/shop/pipeline/update/?version=2.0").status_code == 404


def test_a_failed_pipeline_is_edited_and_tried_again(client, shop, settings):
    newer(shop)
    settings.SIMULATION = {"seconds": 0, "fail": "The name is taken in S3"}
    client.post("/services/shop/pipeline/update/", {"/pipeline/unit_test_command": "false"})
    rows.run_everything()
    failed = ServicePipeline.objects.get().latest_id
    page = client.get(f"/deployments/{failed}/").content.decode()
    assert f'href="/services/shop/pipeline/update/?version=1.1&amp;from={failed}"' in page
    again = client.get(f"/services/shop/pipeline/update/?version=1.1&from={failed}").content.decode()
    assert values(again, "/pipeline/unit_test_command") == ["false"]


def test_a_service_without_a_pipeline_has_no_such_page(client, developer, simulated):
    rows.service("plain", by=developer)
    assert client.get("/services/plain/pipeline/update/").status_code == 404
