"""The pages of environments."""

import re

import pytest
from django.test import Client

from portal.enums import DeploymentStatus, Role
from portal.models import Deployment, Environment, User
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform(client: Client) -> User:
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


NEWER = rows.ENVIRONMENT_SCHEMA.replace(
    "cluster_name: {type: string, minLength: 2}",
    "cluster_name: {type: string, minLength: 2}\n        owner: {type: string}",
).replace("required: [cluster_name]", "required: [cluster_name, owner]")
NEWER_CODE = rows.ENVIRONMENT_TEMPLATE.replace(
    "QueueName: '{{ environment.inputs.cluster_name }}'",
    "QueueName: '{{ environment.inputs.cluster_name }}'\n      VisibilityTimeout: 60",
)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, platform, simulated, count, django_assert_num_queries):
    for _ in range(count):
        rows.environment(team=rows.team())
    client.get("/environments/")
    with django_assert_num_queries(6):
        assert len(client.get("/environments/").context["environments"]) == count


def test_the_list_is_filtered_by_words_state_and_team(client, platform, simulated):
    team = rows.team("core")
    rows.environment("prod-east", team=team)
    rows.environment("prod-west")
    rows.environment("dev")

    def names(query: str) -> list[str]:
        return [row.name for row in client.get(f"/environments/{query}").context["environments"]]

    assert names("?q=prod") == ["prod-east", "prod-west"]
    assert names("?q=prod&team=core") == ["prod-east"]
    assert names("?state=FAILED") == []
    assert "No environment matches" in client.get("/environments/?state=FAILED").content.decode()


def test_the_empty_list_says_what_to_do_next(client, platform):
    assert "New environment" in client.get("/environments/").content.decode()


def test_a_viewer_sees_the_button_disabled_with_whom_to_ask(client, simulated):
    rows.environment("prod")
    client.force_login(rows.person("viewer", Role.VIEWER))
    page = client.get("/environments/prod/").content.decode()
    assert 'href="/environments/prod/delete/"' not in page
    assert "Ask a platform engineer" in page


def test_the_page_shows_outputs_resources_and_history(client, platform, simulated):
    rows.environment("prod")
    page = client.get("/environments/prod/").content.decode()
    assert "QueueUrl" in page
    assert "https://queue" in page
    assert 'data-copy="https://queue"' in page
    assert f'href="/deployments/{Deployment.objects.get().pk}/"' in page
    assert "hx-trigger" not in re.search(r'<div id="now"[^>]*>', page)[0]


def test_a_running_deployment_is_followed_and_a_finished_one_is_not(client, platform, simulated, settings):
    settings.SIMULATION = {"seconds": 3600}
    rows.environment("prod")
    part = client.get("/environments/prod/", headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part


def test_a_newer_version_is_announced_with_its_difference_and_new_questions_first(client, platform, simulated):
    made = rows.environment("prod")
    newer = rows.environment_files(NEWER, NEWER_CODE)
    rows.version(made.template, "2.0", files=newer)
    assert "A newer version is available: 2.0" in client.get("/environments/prod/").content.decode()
    page = client.get("/environments/prod/update/").content.decode()
    assert re.findall(r'name="(/spec/\w+)"', page) == ["/spec/owner", "/spec/vpc_cidr", "/spec/cluster_name"]
    assert "1 new question" in page
    typed = {"/spec/owner": "me", "/spec/cluster_name": "main", "_preview": "1"}
    changes = client.post("/environments/prod/update/", typed, headers={"HX-Request": "true"}).content.decode()
    assert re.search(r'diff-added">.*?VisibilityTimeout: 60', changes, re.DOTALL)


def test_the_engine_says_what_it_would_do_when_it_is_asked(client, platform, simulated):
    made = rows.environment("prod")
    rows.version(made.template, "2.0", files=rows.environment_files(NEWER, NEWER_CODE))
    typed = {"/spec/owner": "me", "/spec/cluster_name": "main"}
    asked = {"headers": {"HX-Request": "true"}}
    before = client.post("/environments/prod/update/", {**typed, "_preview": "1"}, **asked).content.decode()
    assert ("Ask CloudFormation" in before, "Memory::Thing" in before) == (True, False)
    after = client.post("/environments/prod/update/", {**typed, "_plan": "1"}, **asked).content.decode()
    stack = made.deployed.external_name
    assert re.findall(r'<li><span class="mono">([^<]+)</span> <span[^>]*>([^<]+)</span> (\w+)', after) == [
        (stack, "Memory::Thing", "Modify")
    ]
    assert Deployment.objects.count() == 1


def test_updating_asks_for_what_is_missing_and_then_deploys_the_new_version(client, platform, simulated):
    made = rows.environment("prod")
    newest = rows.version(made.template, "2.0", files=rows.environment_files(NEWER, NEWER_CODE))
    refused = client.post("/environments/prod/update/", {"/spec/cluster_name": "main", "/spec/owner": ""})
    assert refused.status_code == 422
    assert 'href="#f--spec--owner"' in refused.content.decode()
    answer = client.post("/environments/prod/update/", {"/spec/cluster_name": "main", "/spec/owner": "me"})
    latest = Deployment.objects.first()
    assert answer.headers["Location"] == f"/deployments/{latest.pk}/"
    rows.run_everything()
    assert Environment.objects.get().version == newest


def test_editing_inputs_keeps_the_version_and_marks_only_what_changed(client, platform, simulated):
    made = rows.environment("prod")
    rows.version(made.template, "1.1")
    url = "/environments/prod/update/?version=current"
    page = client.post(url, {"/spec/cluster_name": "ab", "_preview": "1"}).content.decode()
    assert page.count("field-changed") == 1
    assert re.search(r"Now: <span[^>]*>main<", page)
    client.post(url, {"/spec/cluster_name": "other"})
    latest = Deployment.objects.first()
    assert (latest.number, latest.inputs["cluster_name"]) == ("1.0", "other")


def test_a_lower_major_is_not_offered(client, platform, simulated):
    of = rows.template()
    rows.version(of, "1.0")
    rows.environment("prod", of=rows.version(of, "2.0"))
    assert client.get("/environments/prod/update/?version=1.0").status_code == 404
    assert "1.0" not in re.findall(
        r'<option value="([\d.]+)"', client.get("/environments/prod/update/").content.decode()
    )


def test_leaving_a_field_of_the_update_form_checks_it(client, platform, simulated):
    rows.environment("prod")
    answer = client.post("/environments/prod/update/?check=/spec/cluster_name", {"/spec/cluster_name": "a"})
    assert "at least 2 characters" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_details_are_edited_without_a_deployment(client, platform, simulated):
    rows.environment("prod")
    rows.team("core")
    answer = client.post("/environments/prod/edit/", {"/description": "Ours", "/team": "core"})
    made = Environment.objects.get()
    assert (answer.status_code, made.description, made.team.name) == (302, "Ours", "core")
    assert Deployment.objects.count() == 1


def test_a_wrong_role_is_said_at_its_field(client, platform, simulated):
    rows.environment("prod")
    answer = client.post("/environments/prod/edit/", {"/proton_service_role_arn": "admin"})
    assert answer.status_code == 422
    assert 'value="admin"' in answer.content.decode()
    assert "Give the role" in answer.content.decode()


def test_deleting_needs_the_name_typed(client, platform, simulated):
    rows.environment("prod")
    assert client.post("/environments/prod/delete/", {"confirm": "dev"}).status_code == 422
    assert client.post("/environments/prod/delete/", {"confirm": "prod"}).status_code == 302
    assert Deployment.objects.first().status == DeploymentStatus.DELETE_IN_PROGRESS


def test_what_blocks_a_deletion_is_said_with_its_reason(client, platform, simulated):
    rows.service("shop")
    home = Environment.objects.get()
    page = client.get(f"/environments/{home.name}/delete/").content.decode()
    assert "1 service instance runs in it: shop/dev" in page
    assert 'name="confirm"' not in page


def test_an_update_is_cancelled_from_the_page(client, platform, simulated, settings):
    made = rows.environment("prod")
    settings.SIMULATION = {"seconds": 3600}
    client.post("/environments/prod/update/?version=current", {"/spec/cluster_name": "other"})
    assert "Cancel the update" in client.get("/environments/prod/").content.decode()
    client.post("/environments/prod/cancel/")
    made.refresh_from_db()
    assert made.latest.status == DeploymentStatus.CANCELLING


def test_a_stranger_to_the_environment_gets_404_and_a_developer_may_not_write(client, simulated):
    rows.environment("prod")
    client.force_login(rows.person("dev", Role.DEVELOPER))
    assert client.get("/environments/nothing/").status_code == 404
    assert client.get("/environments/prod/").status_code == 200
    assert client.post("/environments/prod/update/", {}).status_code == 403
    assert client.get("/environments/prod/delete/").status_code == 403
