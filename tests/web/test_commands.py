"""The page of a deployment whose commands run: a log that grows, masked, and what was reported."""

import pytest
from django.utils import timezone

from portal.models import Deployment, DeploymentEvent
from tests.factories import command_bundles, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def deployment(simulated):
    spec = rows.ENVIRONMENT_SPEC + "  password: canary-typed\n"
    of = rows.version(rows.template(), files=command_bundles.environment_files("true"))
    made = rows.environment("dev", of=of, spec=spec)
    Deployment.objects.filter(pk=made.latest_id).update(engine="command", status="IN_PROGRESS", phase="applying")
    return Deployment.objects.get(pk=made.latest_id)


def printed(deployment, text) -> DeploymentEvent:
    common = {"external_id": text[:50], "at": timezone.now(), "resource": "commands", "status": "OUTPUT"}
    return DeploymentEvent.objects.create(deployment=deployment, message=text, **common)


@pytest.fixture
def client(client):
    client.force_login(rows.person())
    return client


def test_the_page_shows_the_log_apart_from_the_events(client, deployment):
    printed(deployment, "[1 of 1] true")
    printed(deployment, "the secret is canary-typed <b>")
    page = client.get(f"/deployments/{deployment.pk}/").content.decode()
    log = page.split('role="log"')[1].split("</pre>")[0]
    assert "[1 of 1] true\nthe secret is •••••• &lt;b&gt;\n" in log
    assert "canary-typed" not in page
    assert "OUTPUT" not in page
    assert "on a worker of this portal" in page


def test_the_log_grows_by_what_is_new_and_stops_at_the_end(client, deployment):
    first = printed(deployment, "one")
    url = f"/deployments/{deployment.pk}/log/"
    ask = {"HTTP_HX_REQUEST": "true"}
    assert f"{url}?after={first.pk}" in client.get(f"/deployments/{deployment.pk}/").content.decode()
    assert client.get(f"{url}?after={first.pk}", **ask).content.decode().startswith("<span")
    second = printed(deployment, "two")
    more = client.get(f"{url}?after={first.pk}", **ask).content.decode()
    assert (more.startswith("two\n"), f"after={second.pk}" in more) == (True, True)
    Deployment.objects.filter(pk=deployment.pk).update(status="SUCCEEDED", phase="finished")
    assert client.get(f"{url}?after={second.pk}", **ask).content == b""


def test_the_whole_log_is_a_text_file(client, deployment):
    printed(deployment, "one <script>")
    answer = client.get(f"/deployments/{deployment.pk}/log/")
    assert (answer.content, answer["Content-Type"], answer["X-Content-Type-Options"]) == (
        b"one <script>\n",
        "text/plain; charset=utf-8",
        "nosniff",
    )


@pytest.mark.parametrize("after", ["x", "", "9" * 30, "-1"])
def test_a_position_that_is_none_gives_the_file(client, deployment, after):
    printed(deployment, "one")
    answer = client.get(f"/deployments/{deployment.pk}/log/?after={after}", HTTP_HX_REQUEST="true")
    assert (answer.status_code, answer.content) == (200, b"one\n")


def test_a_long_log_begins_with_its_end(client, deployment):
    for number in range(40):
        printed(deployment, f"{number:02d}" + "x" * 8000)
    page = client.get(f"/deployments/{deployment.pk}/").content.decode()
    assert ("39x" in page, "00x" in page, "Only its end is shown here." in page) == (True, False, True)


def test_a_part_of_the_page_leaves_the_log_alone(client, deployment):
    part = client.get(f"/deployments/{deployment.pk}/?phase=queued", HTTP_HX_REQUEST="true").content.decode()
    assert ("run-log" in part, "progress" in part) == (False, True)


def test_a_deployment_of_a_stack_has_no_log(client, simulated):
    made = rows.environment("plain")
    assert "run-log" not in client.get(f"/deployments/{made.latest_id}/").content.decode()


def test_the_page_of_a_version_lists_its_commands(client):
    of = rows.version(rows.template(), files=command_bundles.environment_files("./deploy {{ environment.name }}"))
    page = client.get(f"/templates/environment/{of.template.name}/1.0/").content.decode()
    assert "<li><code>./deploy {{ environment.name }}</code></li>" in page
    assert "<li><code>echo removed</code></li>" in page


@pytest.mark.parametrize(
    ("runner", "without", "said"),
    [
        ("local", False, "on the workers, in a sandbox"),
        ("local", True, "on the workers, without a sandbox"),
        ("codebuild", False, "in AWS CodeBuild, in the target account"),
    ],
)
def test_the_settings_say_where_commands_run(client, settings, runner, without, said):
    settings.COMMAND_RUNNER, settings.COMMANDS_WITHOUT_SANDBOX = runner, without
    assert said in client.get("/settings/").content.decode()
