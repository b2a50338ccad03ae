"""Environments: created, updated, deleted, and refused."""

import pytest

from portal.actions import deployments, environments
from portal.enums import DeploymentStatus, Provisioning, Role, TemplateVersionStatus
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.models import AuditEvent, Deployment, Environment, UsageRecord
from portal.queries.deployments import output_values
from tests.factories import rows

pytestmark = pytest.mark.django_db


OTHER_FILES = rows.environment_files(code=rows.ENVIRONMENT_TEMPLATE + "# changed\n")


def refusals(caught) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_a_created_environment_is_deployed_with_the_named_version_and_returns_outputs(simulated):
    of = rows.version(rows.template(name="vpc"))
    environment = rows.environment("dev", of=of)
    assert environment.deployment_status == DeploymentStatus.SUCCEEDED
    assert environment.version == of
    assert environment.spec == rows.ENVIRONMENT_SPEC
    assert output_values(environment) == {"QueueUrl": "https://queue"}
    assert list(environment.deployed.rendered.values()) == [
        rows.ENVIRONMENT_TEMPLATE.replace("{{ environment.inputs.cluster_name }}", "main")
    ]


def test_the_arn_and_stack_name_have_protons_shape(simulated):
    environment = rows.environment("a-rather-long-name")
    assert environment.arn == "arn:aws:proton:us-east-1:123456789012:environment/a-rather-long-name"
    assert environment.deployed.external_name.startswith("AWSProton-a-rather-long-n-cloudformation-")


def test_without_a_minor_the_recommended_one_is_taken(simulated):
    template = rows.template()
    rows.version(template, "1.0")
    newest = rows.version(template, "1.1")
    rows.version(template, "1.2", status=TemplateVersionStatus.DRAFT)
    made = environments.create(by=rows.person(), name="dev", template=template, spec=rows.ENVIRONMENT_SPEC, major=1)
    assert made.latest.version == newest


def test_where_nothing_is_published_the_newest_draft_is_taken_for_those_who_may_use_drafts(simulated):
    template = rows.template()
    draft = rows.version(template, "1.0", status=TemplateVersionStatus.DRAFT)
    made = environments.create(
        by=rows.person(role=Role.PLATFORM), name="dev", template=template, spec=rows.ENVIRONMENT_SPEC, major=1
    )
    assert made.latest.version == draft


def test_a_missing_required_input_is_refused_with_its_pointer(simulated):
    of = rows.version(rows.template())
    with pytest.raises(Invalid) as caught:
        environments.create(
            by=rows.person(), name="dev", template=of.template, spec="proton: EnvironmentSpec\nspec: {}\n", major=1
        )
    assert [path for path, _ in refusals(caught)] == ["/spec/cluster_name"]
    assert not Environment.objects.exists()


def test_a_name_that_is_taken_is_a_conflict(simulated):
    environment = rows.environment("dev")
    with pytest.raises(Conflict, match="An environment named dev exists already"):
        environments.create(
            by=rows.person(), name="dev", template=environment.template, spec=rows.ENVIRONMENT_SPEC, major=1
        )


def test_a_name_with_odd_characters_is_refused_at_its_field(simulated):
    of = rows.version(rows.template())
    with pytest.raises(Invalid) as caught:
        environments.create(by=rows.person(), name="-x y", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    assert [path for path, _ in refusals(caught)] == ["/name"]


def test_developers_do_not_make_environments(simulated):
    of = rows.version(rows.template())
    with pytest.raises(Forbidden, match="Ask a platform engineer"):
        environments.create(
            by=rows.person(role=Role.DEVELOPER), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1
        )


def test_a_running_deployment_is_the_lock(simulated):
    simulated["seconds"] = 60
    environment = rows.environment("dev")
    with pytest.raises(Conflict, match="A deployment of dev is running"):
        environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION")
    assert Deployment.objects.filter(target_arn=environment.arn).count() == 1


def test_version_and_spec_change_only_when_the_update_succeeds(simulated):
    template = rows.template()
    old, new = rows.version(template, "1.0"), rows.version(template, "1.1", OTHER_FILES)
    environment = rows.environment("dev", of=old)
    simulated["fail"] = "no capacity"
    environments.update(by=rows.person(), environment=environment, deployment_type="MINOR_VERSION")
    environment.refresh_from_db()
    rows.run_everything()
    environment.refresh_from_db()
    assert (environment.deployment_status, environment.version) == (DeploymentStatus.FAILED, old)
    assert environment.status_message == "no capacity"
    del simulated["fail"]
    deployments.retry(by=rows.person(), deployment=environment.latest)
    rows.run_everything()
    environment.refresh_from_db()
    assert (environment.deployment_status, environment.version) == (DeploymentStatus.SUCCEEDED, new)


@pytest.mark.parametrize(
    ("deployment_type", "major", "minor", "message"),
    [
        ("CURRENT_VERSION", 1, None, "CURRENT_VERSION keeps the version"),
        ("MINOR_VERSION", 2, None, "MINOR_VERSION stays in major 1"),
        ("MAJOR_VERSION", 1, 0, "MAJOR_VERSION moves to a higher major than 1"),
    ],
)
def test_deployment_types_refuse_versions_that_do_not_fit_them(simulated, deployment_type, major, minor, message):
    environment = rows.environment("dev")
    with pytest.raises(Invalid, match=message):
        environments.update(
            by=rows.person(), environment=environment, deployment_type=deployment_type, major=major, minor=minor
        )


def test_a_major_update_goes_to_the_recommended_version(simulated):
    template = rows.template()
    environment = rows.environment("dev", of=rows.version(template, "1.0"))
    two = rows.version(template, "2.3")
    environments.update(by=rows.person(), environment=environment, deployment_type="MAJOR_VERSION")
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.version == two


def test_a_lower_minor_can_be_deployed_again(simulated):
    template = rows.template()
    old = rows.version(template, "1.0")
    environment = rows.environment("dev", of=rows.version(template, "1.1"))
    environments.update(by=rows.person(), environment=environment, deployment_type="MINOR_VERSION", major=1, minor=0)
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.version == old


def test_an_environment_whose_first_deployment_failed_can_be_updated_and_deleted(simulated):
    simulated["fail"] = "no capacity"
    environment = rows.environment("dev")
    assert (environment.deployment_status, environment.version) == (DeploymentStatus.FAILED, None)
    del simulated["fail"]
    environments.update(
        by=rows.person(),
        environment=environment,
        deployment_type="CURRENT_VERSION",
        spec="proton: EnvironmentSpec\nspec: {cluster_name: other}\n",
    )
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.deployment_status == DeploymentStatus.SUCCEEDED
    assert environment.deployed.inputs == {"cluster_name": "other", "vpc_cidr": "10.0.0.0/16"}
    environments.delete(by=rows.person(), environment=environment)
    rows.run_everything()
    assert not Environment.objects.exists()


def test_deletion_is_blocked_while_instances_run_in_it(simulated):
    service = rows.service("web")
    environment = Environment.objects.get()
    with pytest.raises(Conflict, match=r"1 service instance runs in it: web/dev\. Delete those first\."):
        environments.delete(by=rows.person(), environment=environment)
    assert service.instances.count() == 1


def test_deleting_twice_starts_one_deletion(simulated):
    environment = rows.environment("dev")
    simulated["seconds"] = 60
    for _ in range(2):
        environments.delete(by=rows.person(), environment=environment)
    assert Deployment.objects.filter(kind="delete").count() == 1


def test_a_failed_deletion_keeps_the_environment_and_can_be_repeated(simulated):
    environment = rows.environment("dev")
    simulated["fail"] = "bucket not empty"
    environments.delete(by=rows.person(), environment=environment)
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.deployment_status == DeploymentStatus.DELETE_FAILED
    del simulated["fail"]
    environments.delete(by=rows.person(), environment=environment)
    rows.run_everything()
    assert not Environment.objects.exists()


def test_only_updates_can_be_cancelled(simulated):
    simulated["seconds"] = 60
    environment = rows.environment("dev")
    with pytest.raises(Conflict, match="The first deployment of dev cannot be cancelled. Delete it when"):
        deployments.cancel(by=rows.person(), target=environment)


def test_a_cancelled_update_keeps_the_former_version(simulated):
    template = rows.template()
    old = rows.version(template, "1.0")
    environment = rows.environment("dev", of=old)
    rows.version(template, "1.1", OTHER_FILES)
    simulated["seconds"] = 60
    environments.update(by=rows.person(), environment=environment, deployment_type="MINOR_VERSION")
    rows.run_everything(rounds=3)
    environment.refresh_from_db()
    deployments.cancel(by=rows.person(), target=environment)
    environment.refresh_from_db()
    assert environment.deployment_status == DeploymentStatus.CANCELLING
    rows.run_everything(rounds=3)
    environment.refresh_from_db()
    assert (environment.deployment_status, environment.version) == (DeploymentStatus.CANCELLED, old)
    assert environment.status_message == "Cancelled on request."


def test_a_customer_managed_environment_returns_its_spec_as_outputs():
    schema = rows.ENVIRONMENT_SCHEMA.replace(", default: 10.0.0.0/16", "").replace(", minLength: 2", "")
    template = rows.template(provisioning=Provisioning.CUSTOMER_MANAGED)
    of = rows.version(template, files={"schema/schema.yaml": schema.encode()})
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: main, vpc_cidr: 10.1.0.0/16}\n"
    environment = rows.environment("dev", of=of, spec=spec)
    assert environment.deployment_status == DeploymentStatus.SUCCEEDED
    assert output_values(environment) == {"cluster_name": "main", "vpc_cidr": "10.1.0.0/16"}


def test_usage_is_recorded_as_intervals(simulated):
    template = rows.template(name="vpc")
    environment = rows.environment("dev", of=rows.version(template, "1.0"))
    rows.version(template, "1.1")
    environments.update(by=rows.person(), environment=environment, deployment_type="MINOR_VERSION")
    rows.run_everything()
    found = [(row.minor, row.account_id, row.ended_at is None) for row in UsageRecord.objects.order_by("started_at")]
    assert found == [(0, "123456789012", False), (1, "123456789012", True)]
    environment.refresh_from_db()
    environments.delete(by=rows.person(), environment=environment)
    rows.run_everything()
    assert not UsageRecord.objects.filter(ended_at__isnull=True).exists()


def test_each_change_is_audited_once(simulated):
    rows.environment("dev", by=rows.person("ada"))
    actions = AuditEvent.objects.order_by("id").values_list("action", "actor_name")
    assert list(actions) == [("environment.create", "ada"), ("deployment.succeeded", "ada")]


def test_current_val_is_resolved_in_what_is_stored(simulated):
    environment = rows.environment("dev")
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: '${Proton::CURRENT_VAL}', vpc_cidr: 10.9.0.0/16}\n"
    environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.spec == "proton: EnvironmentSpec\nspec:\n  cluster_name: main\n  vpc_cidr: 10.9.0.0/16\n"


def test_current_val_means_the_attempted_value_while_nothing_was_deployed(simulated):
    simulated["fail"] = "no capacity"
    environment = rows.environment("dev")
    del simulated["fail"]
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: '${Proton::CURRENT_VAL}'}\n"
    environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    environment.refresh_from_db()
    assert environment.deployed.inputs["cluster_name"] == "main"


def test_a_character_that_a_database_cannot_hold_is_refused_at_its_input(simulated):
    of = rows.version(rows.template())
    spec = 'proton: EnvironmentSpec\nspec: {cluster_name: "a\\0b"}\n'
    with pytest.raises(Invalid) as caught:
        environments.create(by=rows.person(), name="dev", template=of.template, spec=spec, major=1)
    assert refusals(caught) == [("/spec/cluster_name", "A text cannot hold the character NUL.")]


def test_what_could_not_be_deleted_is_not_updated(simulated):
    environment = rows.environment("dev")
    simulated["fail"] = "bucket not empty"
    environments.delete(by=rows.person(), environment=environment)
    rows.run_everything()
    with pytest.raises(Conflict, match="dev could not be deleted: delete it again instead"):
        environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION")


def test_what_is_gone_is_not_found_by_those_who_still_see_it(simulated):
    environment = rows.environment("dev")
    Environment.objects.all().delete()
    with pytest.raises(NotFound, match="dev does not exist any more"):
        environments.delete(by=rows.person(), environment=environment)
    with pytest.raises(NotFound, match="dev does not exist any more"):
        environments.update(by=rows.person(), environment=environment, deployment_type="NONE")


def test_a_new_deployment_says_when_it_is_due(simulated):
    of = rows.version(rows.template())
    made = environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    assert made.latest.due_at == Deployment.objects.get().due_at
