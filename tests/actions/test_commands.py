"""Environments and services that a bundle's own commands provision, run on this machine."""

import json

import pytest

from portal.actions import deployments, environments
from portal.enums import TemplateKind
from portal.errors import Conflict, Invalid
from portal.models import Deployment, Environment, ServiceInstance, SessionKey
from provisioning.commands import runs
from tests.factories import command_bundles, rows

pytestmark = [pytest.mark.django_db, pytest.mark.bubblewrap]
SPEC = "proton: EnvironmentSpec\nspec:\n  cluster_name: blue\n"
CONNECTION = "arn:aws:codestar-connections:us-east-1:123456789012:connection/x"


@pytest.fixture(autouse=True)
def here(settings, tmp_path, aws_account):
    command_bundles.run_here(settings, tmp_path)


def version_of(*provision: str, **more):
    return rows.version(rows.template(), files=command_bundles.environment_files(*provision, **more))


def make(version, spec=SPEC, **more) -> Environment:
    made = environments.create(by=rows.person(), name="dev", template=version.template, spec=spec, major=1, **more)
    command_bundles.drive_to_the_end()
    return Environment.objects.get(pk=made.pk)


def log_of(deployment: Deployment) -> str:
    return "\n".join(deployment.events.filter(status="OUTPUT").order_by("id").values_list("message", flat=True))


def test_commands_provision_an_environment_and_their_outputs_are_kept():
    version = version_of(
        "bash deploy.sh {{ environment.inputs.cluster_name }} for $RESOURCE_ARN",
        'echo "account $AWS_ACCESS_KEY_ID in $AWS_REGION"',
        """echo '[{"key": "Url", "valueString": "https://x"}]' > proton-outputs.json""",
    )
    made = make(version)
    assert (made.deployment_status, made.status_message) == ("SUCCEEDED", "")
    assert made.latest.engine == "command"
    assert [(one.key, one.value) for one in made.latest.outputs.all()] == [("Url", "https://x")]
    assert "\ndeploying blue\n" in log_of(made.latest)
    assert f"account {made.target_account_id} in us-east-1" in log_of(made.latest)
    assert json.loads(made.latest.rendered["infrastructure/proton-inputs.json"]) == {
        "environment": {"name": "dev", "inputs": {"cluster_name": "blue"}}
    }
    assert "bash deploy.sh blue for $RESOURCE_ARN" in made.latest.rendered["infrastructure/manifest.yaml"]


def test_deleting_runs_the_other_commands_as_they_were_rendered():
    version = version_of(
        "true", deprovision=["echo gone {{ environment.inputs.cluster_name }}", "cat proton-inputs.json"]
    )
    made = make(version)
    environments.delete(by=rows.person(), environment=made)
    command_bundles.drive_to_the_end()
    last = Deployment.objects.order_by("-created_at").first()
    assert (last.status, Environment.objects.exists()) == ("DELETE_COMPLETE", False)
    assert "\ngone blue\n" in log_of(last)
    assert '"cluster_name": "blue"' in log_of(last)


def test_what_was_never_run_is_deleted_without_running_anything():
    made = make(version_of("echo {{ nope }}", deprovision=["exit 1"]))
    assert made.deployment_status == "FAILED"
    assert "infrastructure/manifest.yaml:" in made.status_message
    environments.delete(by=rows.person(), environment=made)
    command_bundles.drive_to_the_end()
    assert not Environment.objects.exists()


def test_a_value_that_would_change_a_command_stops_the_deployment_and_is_named():
    made = make(version_of("echo {{ environment.inputs.cluster_name }}"), SPEC.replace("blue", "'a; id'"))
    assert made.deployment_status == "FAILED"
    assert "/environment/inputs/cluster_name: the value 'a; id' stands outside of quotes" in made.status_message
    assert not runs_exist(made)


def runs_exist(made) -> bool:
    from django.conf import settings

    return (settings.DATA_DIR / "runs").exists()


CAUSE = "A command ended with exit code 3. no such bucket"


def test_a_failure_says_the_last_words_and_a_retry_runs_again():
    version = version_of("test -e /nowhere || { echo 'no such bucket' >&2; exit 3; }")
    made = make(version)
    assert (made.deployment_status, made.status_message) == (
        "FAILED",
        "A command ended with exit code 3. no such bucket",
    )
    again = deployments.retry(by=rows.person(), deployment=made.latest)
    command_bundles.drive_to_the_end()
    again.refresh_from_db()
    assert (again.status, again.retry_of_id) == ("FAILED", made.latest_id)


def test_an_update_is_cancelled_and_its_commands_end():
    made = make(version_of("sleep {{ 30 if environment.inputs.cluster_name == 'slow' else 0 }}"))
    person = rows.person()
    environments.update(
        by=person, environment=made, deployment_type="CURRENT_VERSION", spec=SPEC.replace("blue", "slow")
    )
    for _ in range(3):
        rows.run_everything(1)
    made = Environment.objects.get(pk=made.pk)
    place = next(here_is(made).glob(f"{made.latest_id}-*"))
    deployments.cancel(by=person, target=made)
    command_bundles.drive_to_the_end()
    made = Environment.objects.get(pk=made.pk)
    assert (made.deployment_status, runs.look(place).state) == ("CANCELLED", "ended")


def here_is(made):
    from django.conf import settings

    return settings.DATA_DIR / "runs"


def test_a_command_that_never_ends_is_ended(settings, tmp_path):
    command_bundles.run_here(settings, tmp_path, COMMAND_TIMEOUT=1)
    made = make(version_of("sleep 60"))
    assert (made.deployment_status, made.status_message) == (
        "FAILED",
        "The run took longer than 1 seconds and was ended.",
    )


def test_a_full_disk_is_a_failure_with_its_cause(settings, tmp_path):
    made = make(version_of("head -c 200M /dev/zero > big"))
    assert made.deployment_status == "FAILED"
    assert made.status_message.startswith("A command ended with exit code 1")


def test_without_bubblewrap_a_deployment_says_what_to_install(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = make(version_of("true"))
    assert (made.deployment_status, "bubblewrap is not installed" in made.status_message) == ("FAILED", True)


def test_secrets_reach_the_run_and_no_log(aws_account):
    import boto3

    keys = {"aws_access_key_id": aws_account, "aws_secret_access_key": "embedded", "region_name": "us-east-1"}
    boto3.client("secretsmanager", **keys).create_secret(
        Name="app/db", SecretString='{"password": "canary-of-the-store"}'
    )
    version = version_of(
        'test "$DB" = canary-of-the-store && echo "db $DB"',
        "grep -o canary-that-was-typed proton-inputs.json; env",
        env={"secrets_manager": {"DB": "app/db:password"}},
    )
    made = make(version, SPEC + "  password: canary-that-was-typed\n", account_id=aws_account)
    assert (made.deployment_status, made.status_message) == ("SUCCEEDED", "")
    assert "db ****" in log_of(made.latest)
    assert "canary" not in log_of(made.latest)
    key = SessionKey.objects.get()
    assert (key.scope, key.user) == (made.arn, made.latest.actor)


def test_a_secret_that_is_not_there_fails_before_anything_runs(aws_account):
    made = make(version_of("true", env={"secrets_manager": {"DB": "nope"}}), account_id=aws_account)
    assert (made.deployment_status, runs_exist(made)) == ("FAILED", False)


def test_a_service_runs_its_commands_with_the_outputs_of_its_environment():
    home = make(version_of("""echo '{"Subnets": "a b"}' > proton-outputs.json"""))
    files = command_bundles.service_files(
        "echo {{ environment.outputs.Subnets }} {{ service_instance.inputs.image }}", pipeline=["echo piped"]
    )
    version = rows.version(rows.template(TemplateKind.SERVICE), files=files, compatible=[home.template])
    rows.services.create(
        by=rows.person(),
        name="web",
        template=version.template,
        spec=rows.service_spec("dev", "prod"),
        major=1,
        branch_name="main",
        repository_connection_arn=CONNECTION,
        repository_id="a/b",
    )
    command_bundles.drive_to_the_end()
    instance = ServiceInstance.objects.get()
    assert (instance.deployment_status, instance.status_message) == ("SUCCEEDED", "")
    assert "\na b app:1" in log_of(instance.latest)
    pipeline = Deployment.objects.get(target_type="SERVICE_PIPELINE")
    assert (pipeline.status, "piped" in log_of(pipeline)) == ("SUCCEEDED", True)


def test_on_a_server_commands_run_in_codebuild_and_need_a_role(settings):
    settings.COMMAND_RUNNER = "codebuild"
    with pytest.raises(Invalid) as refused:
        make(version_of("true"))
    assert [problem.path for problem in refused.value.problems] == ["/codebuild_role_arn"]


def test_a_running_deployment_holds_the_target():
    version = version_of("sleep 5")
    made = environments.create(by=rows.person(), name="dev", template=version.template, spec=SPEC, major=1)
    for _ in range(3):
        rows.run_everything(1)
    with pytest.raises(Conflict):
        environments.update(by=rows.person(), environment=made, deployment_type="CURRENT_VERSION")
    command_bundles.drive_to_the_end()
