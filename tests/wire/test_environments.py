"""Environments through the wire."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import quotas
from portal.enums import Provisioning, Role
from portal.models import Deployment, Environment
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
ROLE = "arn:aws:iam::123456789012:role/deploy"
OTHER_SPEC = rows.ENVIRONMENT_SPEC.replace("main", "other")
ASKED = {"name": "dev", "templateName": "vpc", "templateMajorVersion": "1", "spec": rows.ENVIRONMENT_SPEC}


@pytest.fixture
def platform(simulated):
    return rows.person("platform", Role.PLATFORM)


@pytest.fixture
def vpc():
    return rows.version(rows.template(name="vpc"))


@pytest.fixture
def dev(platform, vpc):
    """Created through the wire, and deployed."""
    run(platform, "CreateEnvironment", **ASKED)
    rows.run_everything()
    return Environment.objects.get(name="dev")


def shown(person, name="dev"):
    return run(person, "GetEnvironment", name=name)["environment"]


def test_an_environment_is_created_with_the_recommended_minor_and_its_members_are_shown(platform, vpc):
    rows.version(vpc.template, "1.1")
    rows.version(vpc.template, "1.2", status="DRAFT")
    tags = [{"key": "owner", "value": "net"}]
    more = {"description": "Shared", "protonServiceRoleArn": ROLE, "codebuildRoleArn": ROLE, "componentRoleArn": ROLE}
    made = run(platform, "CreateEnvironment", **ASKED, **more, tags=tags)["environment"]
    first = Deployment.objects.get()
    seconds = round(first.created_at.timestamp(), 3)
    created = round(Environment.objects.get().created_at.timestamp(), 3)
    assert made == {
        "arn": "arn:aws:proton:us-east-1:123456789012:environment/dev",
        "name": "dev",
        "templateName": "vpc",
        "templateMajorVersion": "1",
        "templateMinorVersion": "1",
        "deploymentStatus": "IN_PROGRESS",
        "createdAt": created,
        "lastDeploymentAttemptedAt": seconds,
        "lastDeploymentSucceededAt": created,
        "lastAttemptedDeploymentId": str(first.pk),
        "environmentAccountId": "123456789012",
        **more,
    }
    rows.run_everything()
    assert shown(platform) == {
        **made,
        "deploymentStatus": "SUCCEEDED",
        "lastDeploymentSucceededAt": seconds,
        "lastSucceededDeploymentId": str(first.pk),
        "spec": rows.ENVIRONMENT_SPEC,
    }
    assert Environment.objects.get().tags == {"owner": "net"}


def test_a_repeated_creation_gets_the_original_however_far_it_is(platform, vpc):
    first = run(platform, "CreateEnvironment", **ASKED)
    assert run(platform, "CreateEnvironment", **ASKED) == first
    rows.run_everything()
    again = run(platform, "CreateEnvironment", **ASKED)["environment"]
    assert (again["deploymentStatus"], Deployment.objects.count()) == ("SUCCEEDED", 1)


def test_a_repeat_with_other_parameters_is_a_mismatch(platform, dev):
    name, message = refused(platform, "CreateEnvironment", **ASKED, description="other")
    assert (name, message.split(":")[0]) == ("ValidationException", "IdempotentParameterMismatch")


@pytest.mark.parametrize(
    "change",
    [
        {"deploymentType": "NONE", "description": "changed"},
        {"deploymentType": "NONE", "componentRoleArn": ROLE},
        {"deploymentType": "CURRENT_VERSION", "spec": OTHER_SPEC},
    ],
)
def test_a_repeat_after_somebody_modified_it_is_a_conflict(platform, dev, change):
    run(platform, "UpdateEnvironment", name="dev", **change)
    rows.run_everything()
    assert refused(platform, "CreateEnvironment", **ASKED)[0] == "ConflictException"


def test_a_repeat_while_it_is_being_deleted_is_a_conflict_and_makes_a_new_one_afterwards(platform, dev):
    run(platform, "DeleteEnvironment", name="dev")
    assert refused(platform, "CreateEnvironment", **ASKED)[0] == "ConflictException"
    rows.run_everything()
    assert run(platform, "CreateEnvironment", **ASKED)["environment"]["deploymentStatus"] == "IN_PROGRESS"


def test_what_is_missing_wrong_or_too_much_has_its_own_error(platform, vpc, monkeypatch):
    def error(**change):
        return refused(platform, "CreateEnvironment", **{**ASKED, **change})[0]

    assert error(templateName="unknown") == "ResourceNotFoundException"
    assert error(templateMajorVersion="2") == "ResourceNotFoundException"
    assert error(templateMinorVersion="9") == "ResourceNotFoundException"
    assert error(spec="proton: EnvironmentSpec\nspec: {}\n") == "ValidationException"
    wrong = {**ASKED, "spec": "spec: {cluster_name: a}"}
    assert refused(platform, "CreateEnvironment", **wrong)[1] == (
        "The spec does not fit the template: /spec/cluster_name: This must have at least 2 characters; it has 1."
    )
    assert error(spec="[") == "ValidationException"
    assert error(protonServiceRoleArn="arn:aws:iam::123456789012:user/x") == "ValidationException"
    assert error(tags=[{"key": "aws:x", "value": ""}]) == "ValidationException"
    rows.environment("other", of=vpc)
    assert error(name="other") == "ConflictException"
    monkeypatch.setattr(quotas, "ENVIRONMENTS", 1)
    assert error() == "ServiceQuotaExceededException"


def test_none_changes_details_and_deploys_nothing(platform, dev):
    before = shown(platform)
    changed = run(
        platform,
        "UpdateEnvironment",
        name="dev",
        deploymentType="NONE",
        description="changed",
        codebuildRoleArn=ROLE,
        templateMajorVersion="7",
        spec="ignored",
    )["environment"]
    assert changed == {**before, "description": "changed", "codebuildRoleArn": ROLE}
    assert Deployment.objects.count() == 1


def test_an_update_shows_the_old_version_and_spec_until_it_succeeds(platform, dev, vpc, simulated):
    rows.version(vpc.template, "2.0")
    simulated["fail"] = "no"
    asked = {"name": "dev", "deploymentType": "MAJOR_VERSION", "spec": OTHER_SPEC}
    before = shown(platform)

    def facts(row):
        return row["deploymentStatus"], row["templateMajorVersion"], row["spec"], row["lastSucceededDeploymentId"]

    first = before["lastSucceededDeploymentId"]
    running = run(platform, "UpdateEnvironment", **asked)["environment"]
    assert facts(running) == ("IN_PROGRESS", "1", rows.ENVIRONMENT_SPEC, first)
    assert running["lastDeploymentAttemptedAt"] > before["lastDeploymentAttemptedAt"]
    rows.run_everything()
    failed = shown(platform)
    assert facts(failed) == ("FAILED", "1", rows.ENVIRONMENT_SPEC, first)
    assert failed["deploymentStatusMessage"] == "no"
    del simulated["fail"]
    again = run(platform, "UpdateEnvironment", **asked)["environment"]
    assert "deploymentStatusMessage" not in again
    rows.run_everything()
    done = shown(platform)
    assert facts(done) == ("SUCCEEDED", "2", OTHER_SPEC, done["lastAttemptedDeploymentId"])
    assert done["lastDeploymentSucceededAt"] == done["lastDeploymentAttemptedAt"]


@pytest.mark.parametrize(
    "asked",
    [
        {"deploymentType": "CURRENT_VERSION", "templateMinorVersion": "0"},
        {"deploymentType": "MINOR_VERSION", "templateMajorVersion": "2"},
        {"deploymentType": "MAJOR_VERSION", "templateMajorVersion": "1"},
        {"deploymentType": "CURRENT_VERSION", "spec": "proton: EnvironmentSpec\nspec: {cluster_name: 1}\n"},
        {"deploymentType": "NONE", "protonServiceRoleArn": "arn:aws:iam::222222222222:role/x"},
        {"deploymentType": "NONE", "componentRoleArn": "arn:aws:iam::222222222222:role/x"},
    ],
)
def test_an_update_that_cannot_be_meant_is_invalid(platform, dev, vpc, asked):
    rows.version(vpc.template, "2.0")
    assert refused(platform, "UpdateEnvironment", name="dev", **asked)[0] == "ValidationException"


def test_a_version_that_is_not_there_is_not_found(platform, dev):
    asked = {"name": "dev", "deploymentType": "MINOR_VERSION", "templateMinorVersion": "9"}
    assert refused(platform, "UpdateEnvironment", **asked)[0] == "ResourceNotFoundException"
    unknown = {**asked, "name": "unknown"}
    assert refused(platform, "UpdateEnvironment", **unknown)[0] == "ResourceNotFoundException"


def test_while_one_deployment_runs_another_update_and_the_deletion_are_conflicts(platform, dev):
    asked = {"name": "dev", "deploymentType": "CURRENT_VERSION"}
    run(platform, "UpdateEnvironment", **asked)
    assert refused(platform, "UpdateEnvironment", **asked)[0] == "ConflictException"
    assert refused(platform, "DeleteEnvironment", name="dev")[0] == "ConflictException"


def test_a_deletion_is_repeated_without_a_second_one_and_ends_in_nothing(platform, dev):
    first = run(platform, "DeleteEnvironment", name="dev")["environment"]
    assert first["deploymentStatus"] == "DELETE_IN_PROGRESS"
    assert run(platform, "DeleteEnvironment", name="dev") == {"environment": first}
    assert Deployment.objects.filter(kind="delete").count() == 1
    rows.run_everything()
    assert refused(platform, "GetEnvironment", name="dev")[0] == "ResourceNotFoundException"
    assert run(platform, "DeleteEnvironment", name="dev") == {}


def test_an_environment_with_instances_is_not_deleted(platform, dev):
    of = rows.version(rows.template("SERVICE", "web-app"), compatible=[dev.template])
    rows.service("web", of=of, spec=rows.service_spec("dev"))
    assert refused(platform, "DeleteEnvironment", name="dev")[0] == "ConflictException"


def test_only_a_running_update_is_cancelled(platform, dev, simulated):
    assert refused(platform, "CancelEnvironmentDeployment", environmentName="dev")[0] == "ConflictException"
    assert refused(platform, "CancelEnvironmentDeployment", environmentName="x")[0] == "ResourceNotFoundException"
    run(platform, "UpdateEnvironment", name="dev", deploymentType="CURRENT_VERSION", spec=OTHER_SPEC)
    asked = run(platform, "CancelEnvironmentDeployment", environmentName="dev")["environment"]
    assert asked["deploymentStatus"] == "CANCELLING"
    assert asked["deploymentStatusMessage"] == "User initiated cancellation."
    rows.run_everything()
    ended = shown(platform)
    assert (ended["deploymentStatus"], ended["spec"]) == ("CANCELLED", rows.ENVIRONMENT_SPEC)


def test_a_customer_managed_environment_returns_its_spec_as_outputs(platform):
    schema = rows.ENVIRONMENT_SCHEMA.replace(", default: 10.0.0.0/16", "")
    template = rows.template(name="existing", provisioning=Provisioning.CUSTOMER_MANAGED)
    rows.version(template, files={"schema/schema.yaml": schema.encode()})
    asked = {**ASKED, "templateName": "existing", "protonServiceRoleArn": ROLE}
    assert run(platform, "CreateEnvironment", **asked)["environment"]["provisioning"] == "CUSTOMER_MANAGED"
    rows.run_everything()
    assert shown(platform)["deploymentStatus"] == "SUCCEEDED"
    outputs = [{"key": "cluster_name", "valueString": "main"}]
    assert run(platform, "ListEnvironmentOutputs", environmentName="dev") == {"outputs": outputs}
    assert run(platform, "ListEnvironmentProvisionedResources", environmentName="dev") == {"provisionedResources": []}


def test_outputs_are_those_of_now_or_of_a_past_deployment(platform, dev, simulated):
    simulated["outputs"] = {"QueueUrl": "https://new"}
    run(platform, "UpdateEnvironment", name="dev", deploymentType="CURRENT_VERSION", spec=OTHER_SPEC)
    rows.run_everything()

    def outputs(**more):
        return run(platform, "ListEnvironmentOutputs", environmentName="dev", nextToken="", **more)["outputs"]

    assert outputs() == [{"key": "QueueUrl", "valueString": "https://new"}]
    assert outputs(deploymentId=str(dev.deployed_id)) == [{"key": "QueueUrl", "valueString": "https://queue"}]
    other = rows.environment("other", of=dev.version)
    asked = {"environmentName": "dev", "deploymentId": str(other.deployed_id)}
    assert refused(platform, "ListEnvironmentOutputs", **asked)[0] == "ResourceNotFoundException"


def test_provisioned_resources_are_named(platform, dev):
    found = run(platform, "ListEnvironmentProvisionedResources", environmentName="dev")["provisionedResources"]
    resource = dev.deployed.provisioned_resources.get()
    assert found == [{"name": resource.name, "identifier": resource.identifier, "provisioningEngine": "CLOUDFORMATION"}]


@pytest.mark.parametrize("operation", ["ListEnvironmentOutputs", "ListEnvironmentProvisionedResources"])
def test_what_an_unknown_environment_has_is_not_found(platform, operation):
    assert refused(platform, operation, environmentName="unknown")[0] == "ResourceNotFoundException"


def test_pages_hold_every_environment_once_while_others_come(platform, vpc):
    for name in "abcde":
        rows.environment(name, of=vpc)
    first = run(platform, "ListEnvironments", maxResults=3)
    rows.environment("aa", of=vpc)
    second = run(platform, "ListEnvironments", maxResults=3, nextToken=first["nextToken"])
    assert [row["name"] for row in first["environments"] + second["environments"]] == list("abcde")
    assert ("nextToken" in second, "spec" in first["environments"][0]) == (False, False)


def test_environments_are_listed_by_pairs_of_template_and_major(platform, vpc):
    second = rows.version(vpc.template, "2.0")
    other = rows.version(rows.template(name="other"))
    for name, of in (("a", vpc), ("b", second), ("c", other)):
        rows.environment(name, of=of)

    def names(*pairs):
        wanted = [{"templateName": name, "majorVersion": major} for name, major in pairs]
        found = run(platform, "ListEnvironments", environmentTemplates=wanted)["environments"]
        return [row["name"] for row in found]

    assert names(("vpc", "2")) == ["b"]
    assert names(("vpc", "1"), ("other", "1")) == ["a", "c"]
    assert names(("unknown", "1")) == []


def test_a_list_is_one_query_and_so_is_a_single_environment(platform, vpc):
    def cost(operation, **members):
        with CaptureQueriesContext(connection) as found:
            run(platform, operation, **members)
        return len(found)

    for name in "abc":
        rows.environment(name, of=vpc)
        assert cost("ListEnvironments") == 1
    assert cost("GetEnvironment", name="a") == 1


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateEnvironment", {**ASKED, "name": "other"}),
        ("UpdateEnvironment", {"name": "dev", "deploymentType": "NONE"}),
        ("DeleteEnvironment", {"name": "dev"}),
        ("CancelEnvironmentDeployment", {"environmentName": "dev"}),
    ],
)
def test_environments_are_changed_by_platform_engineers_and_read_by_all(platform, dev, operation, members):
    assert refused(rows.person(role=Role.DEVELOPER), operation, **members)[0] == "AccessDeniedException"
    assert shown(rows.person(role=Role.VIEWER)) == shown(platform)
