"""The history of deployments through the wire."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.enums import Role, TemplateKind
from portal.models import Deployment, Environment, ServiceInstance, ServicePipeline, UsageRecord
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
OTHER_SPEC = rows.ENVIRONMENT_SPEC.replace("main", "other")
UNKNOWN = "0e4b8f2a-1111-4222-8333-123456789abc"


@pytest.fixture
def platform(simulated):
    return rows.person("platform", Role.PLATFORM)


@pytest.fixture
def home(platform):
    return rows.environment("home", of=rows.version(rows.template(name="vpc")))


@pytest.fixture
def web(home):
    """With an instance "dev" and a pipeline."""
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    of = rows.version(rows.template(TemplateKind.SERVICE, "web-app"), files=files, compatible=[home.template])
    return rows.service("web", of=of, spec=rows.service_spec("home"))


def redeploy(person, spec=OTHER_SPEC):
    run(person, "UpdateEnvironment", name="home", deploymentType="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    return Environment.objects.select_related("latest").get(name="home").latest


def shown(person, id, **narrowing):
    return run(person, "GetDeployment", id=str(id), **narrowing)["deployment"]


def test_a_first_deployment_has_no_initial_state(platform, home):
    row = home.deployed
    assert shown(platform, row.pk) == {
        "id": str(row.pk),
        "arn": f"arn:aws:proton:us-east-1:123456789012:deployment/{row.pk}",
        "targetArn": home.arn,
        "targetResourceType": "ENVIRONMENT",
        "targetResourceCreatedAt": round(home.created_at.timestamp(), 3),
        "environmentName": "home",
        "deploymentStatus": "SUCCEEDED",
        "createdAt": round(row.created_at.timestamp(), 3),
        "lastModifiedAt": round(row.last_modified_at.timestamp(), 3),
        "completedAt": round(row.completed_at.timestamp(), 3),
        "lastAttemptedDeploymentId": str(row.pk),
        "targetState": {
            "environment": {
                "spec": rows.ENVIRONMENT_SPEC,
                "templateName": "vpc",
                "templateMajorVersion": "1",
                "templateMinorVersion": "0",
            }
        },
    }


def test_an_update_tells_before_from_after(platform, home):
    found = shown(platform, redeploy(platform).pk)
    assert found["initialState"]["environment"]["spec"] == rows.ENVIRONMENT_SPEC
    assert found["targetState"]["environment"]["spec"] == OTHER_SPEC
    assert found["lastSucceededDeploymentId"] == str(home.deployed_id)


def test_a_running_deployment_is_not_completed(platform, home):
    run(platform, "UpdateEnvironment", name="home", deploymentType="CURRENT_VERSION")
    newest = run(platform, "ListDeployments")["deployments"][0]
    assert (newest["deploymentStatus"], "completedAt" in newest) == ("IN_PROGRESS", False)


def test_instances_and_pipelines_have_states_of_their_own_and_an_environment(platform, web, home):
    instance, pipeline = ServiceInstance.objects.get(), ServicePipeline.objects.get()
    found = shown(platform, instance.deployed_id)
    assert (found["serviceName"], found["serviceInstanceName"], found["environmentName"]) == ("web", "dev", "home")
    state = found["targetState"]["serviceInstance"]
    assert state["lastSuccessfulEnvironmentDeploymentId"] == str(home.deployed_id)
    found = shown(platform, pipeline.deployed_id)
    assert (found["environmentName"], found["targetResourceType"]) == ("home", "SERVICE_PIPELINE")
    assert set(found["targetState"]) == {"servicePipeline"}


def test_names_narrow_a_deployment(platform, web):
    id = ServiceInstance.objects.get().deployed_id
    whole = shown(platform, id)
    right = {"environmentName": "home", "serviceName": "web", "serviceInstanceName": "dev"}
    assert shown(platform, id, **right) == whole
    for wrong in ({"environmentName": "x"}, {"serviceName": "x"}, {"componentName": "x"}):
        assert refused(platform, "GetDeployment", id=str(id), **wrong)[0] == "ResourceNotFoundException"
    alone = {"serviceInstanceName": "dev"}
    assert refused(platform, "GetDeployment", id=str(id), **alone)[0] == "ValidationException"
    assert refused(platform, "ListDeployments", **alone)[0] == "ValidationException"
    assert refused(platform, "GetDeployment", id=UNKNOWN)[0] == "ResourceNotFoundException"


def test_lists_are_narrowed_and_newest_first(platform, web):
    def kinds(**narrowing):
        found = run(platform, "ListDeployments", **narrowing)["deployments"]
        return [row["targetResourceType"] for row in found]

    assert kinds() == ["SERVICE_PIPELINE", "SERVICE_INSTANCE", "ENVIRONMENT"]
    assert kinds(environmentName="home") == ["SERVICE_INSTANCE", "ENVIRONMENT"]
    assert kinds(serviceName="web") == ["SERVICE_PIPELINE", "SERVICE_INSTANCE"]
    assert kinds(serviceName="web", serviceInstanceName="dev") == ["SERVICE_INSTANCE"]
    for unknown in (
        {"environmentName": "unknown"},
        {"serviceName": "unknown"},
        {"serviceName": "web", "serviceInstanceName": "unknown"},
        {"componentName": "unknown"},
    ):
        assert refused(platform, "ListDeployments", **unknown)[0] == "ResourceNotFoundException"


def test_the_history_of_what_is_gone_stays(platform, home):
    run(platform, "DeleteEnvironment", name="home")
    rows.run_everything()
    found = run(platform, "ListDeployments", environmentName="home")["deployments"]
    assert [row["deploymentStatus"] for row in found] == ["DELETE_COMPLETE", "SUCCEEDED"]
    assert "targetState" not in shown(platform, found[0]["id"])


def test_pages_hold_every_deployment_once_while_others_come(platform, home):
    for _ in range(4):
        redeploy(platform)
    order = [str(pk) for pk in Deployment.objects.order_by("-created_at").values_list("pk", flat=True)]
    first = run(platform, "ListDeployments", maxResults=3)
    redeploy(platform)
    second = run(platform, "ListDeployments", maxResults=3, nextToken=first["nextToken"])
    assert [row["id"] for row in first["deployments"] + second["deployments"]] == order
    assert "nextToken" not in second


def test_a_list_is_one_query_and_reads_nothing_heavy(platform, home):
    for _ in range(3):
        with CaptureQueriesContext(connection) as found:
            run(platform, "ListDeployments")
        assert len(found) == 1
        assert '"rendered"' not in found[0]["sql"]
        redeploy(platform)
    with CaptureQueriesContext(connection) as found:
        shown(platform, home.deployed_id)
    assert len(found) == 1


def test_a_deleted_deployment_is_gone_from_the_history_and_a_repeat_succeeds(platform, home):
    redeploy(platform)
    old = str(home.deployed_id)
    before = shown(platform, old)
    assert run(platform, "DeleteDeployment", id=old) == {"deployment": before}
    assert run(platform, "DeleteDeployment", id=old) == {}
    assert refused(platform, "GetDeployment", id=old)[0] == "ResourceNotFoundException"
    assert old not in [row["id"] for row in run(platform, "ListDeployments")["deployments"]]
    asked = {"environmentName": "home", "deploymentId": old}
    assert refused(platform, "ListEnvironmentOutputs", **asked)[0] == "ResourceNotFoundException"
    assert UsageRecord.objects.get().deployment_id == home.deployed_id  # since when the version runs


def test_running_last_and_last_successful_deployments_are_not_deleted(platform, home, simulated):
    simulated["fail"] = "no"
    failed = redeploy(platform)
    for kept in (home.deployed, failed):
        assert refused(platform, "DeleteDeployment", id=str(kept.pk))[0] == "ValidationException"
    del simulated["fail"]
    run(platform, "UpdateEnvironment", name="home", deploymentType="CURRENT_VERSION")
    running = Environment.objects.get().latest_id
    assert refused(platform, "DeleteDeployment", id=str(running))[0] == "ValidationException"
    assert "deployment" in run(platform, "DeleteDeployment", id=str(failed.pk))


def test_an_unknown_deployment_is_not_found(platform):
    assert refused(platform, "DeleteDeployment", id=UNKNOWN)[0] == "ResourceNotFoundException"


def test_history_is_deleted_by_platform_engineers_and_read_by_all(platform, home):
    redeploy(platform)
    developer = rows.person(role=Role.DEVELOPER)
    assert refused(developer, "DeleteDeployment", id=str(home.deployed_id))[0] == "AccessDeniedException"
    viewer = rows.person(role=Role.VIEWER)
    assert shown(viewer, home.deployed_id) == shown(platform, home.deployed_id)
