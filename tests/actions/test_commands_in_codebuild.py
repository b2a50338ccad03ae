"""The portal with AWS CodeBuild, the liar's, whose builds really run and report over the Proton API."""

import pytest

from portal.actions import environments
from portal.models import Deployment, Environment
from tests.factories import command_bundles, rows
from tests.faults.aws_liar import Liar

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.bubblewrap]
ROLE = "arn:aws:iam::123456789012:role/codebuild"
SPEC = "proton: EnvironmentSpec\nspec:\n  password: canary-that-was-typed\n"


@pytest.fixture
def liar(aws, aws_account, monkeypatch):
    made = Liar(aws.upstream.removeprefix("http://"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    yield made
    made.close()


@pytest.fixture
def here(settings, tmp_path, liar, live_server):
    command_bundles.run_here(settings, tmp_path, COMMAND_RUNNER="codebuild", PORTAL_PUBLIC_URL=live_server.url)


def test_a_build_provisions_an_environment_and_another_one_removes_it(here, liar):
    files = command_bundles.environment_files(
        "bash deploy.sh blue; cat proton-inputs.json",
        """echo '[{"key": "Url", "valueString": "https://x"}]' > proton-outputs.json""",
        project_properties={"TimeoutInMinutes": "30"},
    )
    version = rows.version(rows.template(), files=files)
    person = rows.person()
    environments.create(by=person, name="dev", template=version.template, spec=SPEC, major=1, codebuild_role_arn=ROLE)
    command_bundles.drive_to_the_end(60)
    made = Environment.objects.get()
    log = "\n".join(made.latest.events.filter(status="OUTPUT").order_by("id").values_list("message", flat=True))
    assert (made.status_message, made.deployment_status, made.latest.engine) == ("", "SUCCEEDED", "codebuild"), log
    assert {row.key: row.value for row in made.latest.outputs.all()} == {"Url": "https://x"}
    assert ("\ndeploying blue" in log, "canary-that-was-typed" in log) == (True, False)
    [project] = liar.builds.projects.values()
    assert (project["name"], project["serviceRole"], project["timeoutInMinutes"]) == (
        made.latest.external_name,
        ROLE,
        30,
    )
    assert project["name"].startswith("AWSProton-dev-codebuild-")
    environments.delete(by=person, environment=made)
    command_bundles.drive_to_the_end(60)
    last = Deployment.objects.order_by("-created_at").first()
    assert (last.status, Environment.objects.exists()) == ("DELETE_COMPLETE", False)
    assert [entry.action for entry in liar.entries] == ["CreateProject", "StartBuild", "StartBuild"]
