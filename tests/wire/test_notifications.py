"""A run on this machine notifies the portal over the Proton API, with a key for its own resource and nothing else."""

import boto3
import pytest
from botocore.exceptions import ClientError

from portal.actions import environments, session_keys
from portal.models import Deployment, Environment
from tests.factories import command_bundles, rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.bubblewrap]
SPEC = "proton: EnvironmentSpec\nspec: {}\n"
NOTIFY = "aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN"


@pytest.fixture
def here(settings, tmp_path, aws_account, live_server):
    command_bundles.run_here(settings, tmp_path, PORTAL_PUBLIC_URL=live_server.url)
    settings.CELERY_TASK_ALWAYS_EAGER = False
    return live_server


def make(*provision: str) -> tuple[Environment, str]:
    version = rows.version(rows.template(), files=command_bundles.environment_files(*provision))
    made = environments.create(by=rows.person(), name="dev", template=version.template, spec=SPEC, major=1)
    command_bundles.drive_to_the_end()
    made = Environment.objects.get(pk=made.pk)
    log = made.latest.events.filter(status="OUTPUT").order_by("id").values_list("message", flat=True)
    return made, "\n".join(log)


def outputs(made: Environment) -> dict[str, str]:
    return {row.key: row.value for row in made.latest.outputs.all()}


def test_a_manifest_that_was_written_for_aws_proton_returns_its_outputs(here):
    made, log = make(
        """echo '[{"key": "Url", "valueString": "https://x"}]' > outputs.json""",
        f"{NOTIFY} --status IN_PROGRESS --outputs file://./outputs.json",
    )
    assert (made.deployment_status, made.status_message, outputs(made)) == ("SUCCEEDED", "", {"Url": "https://x"}), log
    assert made.latest.notified_status == "IN_PROGRESS"


def test_shorthand_and_global_options_are_read(here):
    given = "--no-cli-pager --outputs key=A,valueString=1 key=B,valueString=2"
    made, log = make(f"aws --region us-east-1 {NOTIFY.removeprefix('aws ')} {given}")
    assert (made.status_message, outputs(made)) == ("", {"A": "1", "B": "2"}), log


def test_a_build_that_fails_after_it_reported_success_has_failed(here):
    made, _ = make(f"{NOTIFY} --status SUCCEEDED", "exit 4")
    assert (made.deployment_status, made.latest.notified_status) == ("FAILED", "SUCCEEDED")
    assert made.status_message.startswith("A command ended with exit code 4.")


def test_a_run_cannot_speak_for_another_resource(here):
    made, log = make(NOTIFY.replace("$RESOURCE_ARN", "arn:aws:proton:us-east-1:123456789012:environment/other"))
    assert made.deployment_status == "FAILED"
    assert "AccessDeniedException" in log


@pytest.fixture
def proton(here, simulated):
    made = rows.environment("dev")
    Deployment.objects.filter(pk=made.latest_id).update(engine="command", status="IN_PROGRESS")

    def client(by, scope=""):
        issued = session_keys.issue(by=None, user=by, account_id="123456789012", scope=scope)
        return boto3.client(
            "proton",
            endpoint_url=here.url,
            region_name="us-east-1",
            aws_access_key_id=issued.key.key_id,
            aws_secret_access_key=issued.secret,
            aws_session_token=issued.token,
        )

    return client, made


def test_a_report_over_the_wire_is_taken(proton):
    client, made = proton
    client(rows.person(), made.arn).notify_resource_deployment_status_change(
        resourceArn=made.arn,
        status="SUCCEEDED",
        statusMessage="done",
        deploymentId=str(made.latest_id),
        outputs=[{"key": "a", "valueString": "1"}],
    )
    found = Deployment.objects.get(pk=made.latest_id)
    assert (found.notified_status, found.notified_message, found.notified_outputs) == ("SUCCEEDED", "done", {"a": "1"})


@pytest.mark.parametrize(
    ("scope", "role", "arn", "code"),
    [
        ("arn:aws:proton:us-east-1:123456789012:environment/other", "admin", "", "AccessDeniedException"),
        ("", "viewer", "", "AccessDeniedException"),
        ("", "developer", "", "AccessDeniedException"),
        ("", "admin", "arn:aws:proton:us-east-1:123456789012:environment/nope", "ResourceNotFoundException"),
    ],
)
def test_who_may_not_report_is_refused(proton, scope, role, arn, code):
    client, made = proton
    with pytest.raises(ClientError) as refused:
        client(rows.person(role=role), scope).notify_resource_deployment_status_change(
            resourceArn=arn or made.arn, status="SUCCEEDED"
        )
    assert refused.value.response["Error"]["Code"] == code
    assert Deployment.objects.get(pk=made.latest_id).notified_at is None
