"""The list of deployments and the live page of one."""

import re

import pytest
from django.test import Client

from portal.enums import DeploymentPhase, DeploymentStatus, Role
from portal.models import Deployment, DeploymentEvent, Environment, User
from portal.web.views.deployments import first_cause
from tests.factories import rows
from tests.web.reading import values

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform(client: Client) -> User:
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


@pytest.fixture
def failed(platform, simulated, settings) -> Deployment:
    settings.SIMULATION = {"seconds": 0, "fail": "The name is taken in S3"}
    rows.environment("prod", by=platform)
    return Deployment.objects.get()


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, platform, simulated, count, django_assert_num_queries):
    for _ in range(count):
        rows.environment()
    client.get("/deployments/")
    with django_assert_num_queries(4):
        assert len(client.get("/deployments/").context["deployments"]) == count


def test_the_list_is_filtered_by_target_state_and_person(client, failed):
    def count(query: str) -> int:
        return len(client.get(f"/deployments/{query}").context["deployments"])

    assert (count("?q=prod"), count("?q=dev"), count("?state=FAILED"), count("?state=SUCCEEDED")) == (1, 0, 1, 0)
    assert (count("?who=pat"), count("?who=kim")) == (1, 0)


def test_a_finished_deployment_shows_outputs_files_and_inputs_and_asks_no_more(client, platform, simulated):
    rows.environment("prod", by=platform)
    found = Deployment.objects.get()
    page = client.get(f"/deployments/{found.pk}/").content.decode()
    assert "https://queue" in page
    assert "AWS::SQS::Queue" in page
    assert "cluster_name" in page
    assert "hx-trigger" not in re.search(r'<div id="progress"[^>]*>', page)[0]


def test_a_running_deployment_is_asked_for_every_two_seconds_until_it_ends(client, platform, simulated, settings):
    settings.SIMULATION = {"seconds": 3600}
    rows.environment("prod", by=platform)
    found = Deployment.objects.get()
    headers = {"HX-Request": "true"}
    same = client.get(f"/deployments/{found.pk}/?phase={found.phase}", headers=headers).content.decode()
    assert f'hx-get="/deployments/{found.pk}/?phase={found.phase}" hx-trigger="every 2s"' in same
    assert "files-part" not in same
    moved = client.get(f"/deployments/{found.pk}/?phase=queued", headers=headers).content.decode()
    assert 'id="files-part" class="stack" hx-swap-oob="true"' in moved


def test_a_failure_shows_its_first_cause_and_what_to_do_next(client, failed):
    page = client.get(f"/deployments/{failed.pk}/").content.decode()
    assert "The name is taken in S3" in page
    assert "Next:" in page
    assert "Retry with the same inputs" in page
    assert f"/environments/prod/update/?version=current&amp;from={failed.pk}" in page


def test_what_was_cancelled_because_of_another_failure_is_not_the_cause():
    events = [
        DeploymentEvent(resource="Queue", message="Resource creation cancelled", failed=True),
        DeploymentEvent(resource="Bucket", message="Name taken", failed=True),
        DeploymentEvent(resource="Topic", message="Denied", failed=True),
    ]
    assert first_cause(events).resource == "Bucket"
    assert first_cause(events[:1]).resource == "Queue"
    assert first_cause([]) is None


def test_retrying_leads_to_the_new_attempt(client, failed, settings):
    settings.SIMULATION = {"seconds": 0}
    answer = client.post(f"/deployments/{failed.pk}/retry/")
    again = Deployment.objects.exclude(pk=failed.pk).get()
    assert (answer.headers["Location"], again.retry_of) == (f"/deployments/{again.pk}/", failed)


def test_edit_and_retry_starts_from_the_spec_that_failed(client, platform, simulated, settings):
    rows.environment("prod", by=platform)
    settings.SIMULATION = {"seconds": 0, "fail": "no"}
    client.post("/environments/prod/update/?version=current", {"/spec/cluster_name": "broken"})
    rows.run_everything()
    failed = Deployment.objects.first()
    page = client.get(f"/environments/prod/update/?version=current&from={failed.pk}").content.decode()
    assert values(page, "/spec/cluster_name") == ["broken"]
    assert re.search(r"Now: <span[^>]*>main<", page)


def test_a_person_decides_about_an_unclear_outcome_with_a_reason(client, platform, simulated, settings):
    settings.SIMULATION = {"seconds": 3600}
    rows.environment("prod", by=platform)
    found = Deployment.objects.get()
    Deployment.objects.update(phase=DeploymentPhase.ATTENTION, due_at=None, status_message="AWS does not answer")
    url = f"/deployments/{found.pk}/"
    assert "A person has to decide" in client.get(url).content.decode()
    refused = client.post(f"{url}attention/", {"decision": "fail", "reason": " "})
    assert refused.status_code == 422
    assert "Say why" in refused.content.decode()
    client.post(f"{url}attention/", {"decision": "fail", "reason": "the stack is gone"})
    found.refresh_from_db()
    assert found.status == DeploymentStatus.FAILED


def test_a_first_deployment_cannot_be_cancelled_and_says_so(client, platform, simulated, settings):
    settings.SIMULATION = {"seconds": 3600}
    rows.environment("prod", by=platform)
    found = Deployment.objects.get()
    assert "A first deployment cannot be cancelled" in client.get(f"/deployments/{found.pk}/").content.decode()
    assert client.post(f"/deployments/{found.pk}/cancel/").status_code == 409


def test_a_viewer_is_told_whom_to_ask(client, failed):
    client.force_login(rows.person("viewer", Role.VIEWER))
    page = client.get(f"/deployments/{failed.pk}/").content.decode()
    assert "Ask a platform engineer" in page
    assert client.post(f"/deployments/{failed.pk}/retry/").status_code == 403


def test_secret_inputs_are_not_shown(client, platform, simulated):
    schema = rows.ENVIRONMENT_SCHEMA.replace("minLength: 2}", "minLength: 2, writeOnly: true}")
    of = rows.version(rows.template(), files=rows.environment_files(schema))
    rows.environment("prod", by=platform, of=of, spec="proton: EnvironmentSpec\nspec: {cluster_name: s3cret-value}\n")
    page = client.get(f"/deployments/{Deployment.objects.get().pk}/").content.decode()
    assert "s3cret-value" not in page
    update = client.get("/environments/prod/update/?version=current").content.decode()
    assert "s3cret-value" not in update
    preview = client.post("/environments/prod/update/?version=current", {"_preview": "1"}).content.decode()
    assert "s3cret-value" not in preview
    client.post("/environments/prod/update/?version=current", {"/spec/cluster_name": ""})
    assert Environment.objects.get().latest.inputs["cluster_name"] == "s3cret-value"


NESTED = "database: {type: object, properties: {password: {type: string, writeOnly: true}}}"


def test_a_secret_inside_an_input_is_not_shown_nor_when_the_version_is_gone(client, platform, simulated):
    schema = rows.ENVIRONMENT_SCHEMA.replace("cluster_name: {type", f"{NESTED}\n        cluster_name: {{type")
    code = rows.ENVIRONMENT_TEMPLATE + "    Description: '{{ environment.inputs.database.password }}'\n"
    of = rows.version(rows.template(), files=rows.environment_files(schema, code))
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: main, database: {password: s3cret-value}}\n"
    rows.environment("prod", by=platform, of=of, spec=spec)
    address = f"/deployments/{Deployment.objects.get().pk}/"
    assert "s3cret-value" not in client.get(address).content.decode()
    Deployment.objects.update(version=None)
    assert "s3cret-value" not in client.get(address).content.decode()


def test_a_secret_that_the_provider_repeats_is_neither_kept_nor_shown(client, platform, simulated):
    schema = rows.ENVIRONMENT_SCHEMA.replace("minLength: 2}", "minLength: 2, writeOnly: true}")
    of = rows.version(rows.template(), files=rows.environment_files(schema))
    simulated["fail"] = "Value 's3cret-value' at 'name' failed to satisfy constraint"
    rows.environment("prod", by=platform, of=of, spec="proton: EnvironmentSpec\nspec: {cluster_name: s3cret-value}\n")
    row = Deployment.objects.get()
    assert row.status_message == "Value '••••••' at 'name' failed to satisfy constraint"
    assert [event.message for event in row.events.filter(failed=True)] == [row.status_message]
    assert "s3cret-value" not in client.get(f"/deployments/{row.pk}/").content.decode()


def test_the_difference_of_an_update_shows_neither_the_new_secret_nor_the_old_one(client, platform, simulated):
    schema = rows.ENVIRONMENT_SCHEMA.replace("minLength: 2}", "minLength: 2, writeOnly: true}")
    of = rows.version(rows.template(), files=rows.environment_files(schema))
    rows.environment("prod", by=platform, of=of, spec="proton: EnvironmentSpec\nspec: {cluster_name: s3cret-old}\n")
    typed = {"_preview": "1", "/spec/cluster_name": "s3cret-new"}
    page = client.post("/environments/prod/update/?version=current", typed).content.decode()
    assert ("s3cret-old" in page, "s3cret-new" in page) == (False, False)
