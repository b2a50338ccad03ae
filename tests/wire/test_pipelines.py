"""Pipelines of services through the wire."""

import pytest

from portal.enums import Role, TemplateKind
from portal.models import Deployment, ServicePipeline
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
SPEC = rows.service_spec("home") + "pipeline: {unit_test_command: make test}\n"
OTHER_SPEC = SPEC.replace("make test", "make check")
PIPED = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)


@pytest.fixture
def team():
    return rows.team("payments")


@pytest.fixture
def developer(simulated, team):
    return rows.person("dev", Role.DEVELOPER, teams=[team])


@pytest.fixture
def of(simulated):
    home = rows.environment("home", of=rows.version(rows.template(name="vpc")))
    template = rows.template(TemplateKind.SERVICE, "web-app")
    return rows.version(template, files=PIPED, compatible=[home.template])


@pytest.fixture
def web(of, team):
    return rows.service("web", of=of, spec=SPEC, team=team)


def newer(of, number, files=PIPED):
    version = rows.version(of.template, number, files=files)
    version.compatible_environments.create(template_name="vpc", major=1)


def update(person, **members):
    asked = {"serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": OTHER_SPEC, **members}
    return run(person, "UpdateServicePipeline", **asked)["pipeline"]


def error(person, **members):
    asked = {"serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": OTHER_SPEC, **members}
    return refused(person, "UpdateServicePipeline", **asked)[0]


def shown(person):
    return run(person, "GetService", name="web")["service"]["pipeline"]


def test_an_update_shows_the_old_values_until_it_succeeds(developer, web, of):
    newer(of, "1.1")
    running = update(developer, deploymentType="MINOR_VERSION")
    first = ServicePipeline.objects.get().deployed_id
    assert (running["deploymentStatus"], running["templateMinorVersion"]) == ("IN_PROGRESS", "0")
    assert (running["lastSucceededDeploymentId"], "make test" in running["spec"]) == (str(first), True)
    rows.run_everything()
    done = shown(developer)
    assert (done["deploymentStatus"], done["templateMinorVersion"]) == ("SUCCEEDED", "1")
    assert ("make check" in done["spec"], done["templateName"]) == (True, "web-app")
    service = run(developer, "GetService", name="web")["service"]
    assert (service["status"], "make check" in service["spec"]) == ("ACTIVE", True)


def test_only_the_pipeline_of_the_spec_matters(developer, web):
    update(developer, spec=OTHER_SPEC.replace("app:1", "app:9"))
    rows.run_everything()
    assert "app:9" not in run(developer, "GetService", name="web")["service"]["spec"]


def test_none_deploys_nothing_though_it_needs_a_spec(developer, web):
    before = shown(developer)
    assert update(developer, deploymentType="NONE") == before
    asked = {"serviceName": "web", "deploymentType": "NONE"}
    assert refused(developer, "UpdateServicePipeline", **asked)[0] == "ValidationException"


def test_what_cannot_be_has_its_own_error(developer, web, of):
    newer(of, "2.0", rows.service_files())
    assert error(developer, templateMinorVersion="0") == "ValidationException"
    assert error(developer, deploymentType="MAJOR_VERSION") == "ValidationException"  # 2.0 has no pipeline
    assert error(developer, spec=SPEC.replace("make test", "[1]")) == "ValidationException"
    assert error(developer, deploymentType="MINOR_VERSION", templateMinorVersion="9") == "ResourceNotFoundException"
    assert error(developer, serviceName="unknown") == "ResourceNotFoundException"
    update(developer)
    assert error(developer) == "ConflictException"


def test_a_service_without_a_pipeline_has_none_to_ask_about(developer, of, team):
    plain = rows.version(rows.template(TemplateKind.SERVICE, "plain"))
    plain.compatible_environments.create(template_name="vpc", major=1)
    rows.service("web", of=plain, spec=rows.service_spec("home"), team=team)
    assert error(developer) == "ResourceNotFoundException"
    for operation in (
        "CancelServicePipelineDeployment",
        "ListServicePipelineOutputs",
        "ListServicePipelineProvisionedResources",
    ):
        assert refused(developer, operation, serviceName="web")[0] == "ResourceNotFoundException"


def test_only_a_running_update_is_cancelled(developer, web):
    assert refused(developer, "CancelServicePipelineDeployment", serviceName="web")[0] == "ConflictException"
    update(developer)
    asked = run(developer, "CancelServicePipelineDeployment", serviceName="web")["pipeline"]
    assert asked["deploymentStatus"] == "CANCELLING"
    rows.run_everything()
    assert (shown(developer)["deploymentStatus"], "make test" in shown(developer)["spec"]) == ("CANCELLED", True)


def test_outputs_and_resources_are_listed(developer, web):
    outputs = [{"key": "QueueUrl", "valueString": "https://queue"}]
    assert run(developer, "ListServicePipelineOutputs", serviceName="web") == {"outputs": outputs}
    found = run(developer, "ListServicePipelineProvisionedResources", serviceName="web")["provisionedResources"]
    assert [row["provisioningEngine"] for row in found] == ["CLOUDFORMATION"]
    asked = {"serviceName": "web", "deploymentId": str(Deployment.objects.get(instance_name="dev").pk)}
    assert refused(developer, "ListServicePipelineOutputs", **asked)[0] == "ResourceNotFoundException"


def test_pipelines_are_changed_by_their_team(developer, web):
    stranger = rows.person(role=Role.DEVELOPER, teams=[rows.team()])
    assert error(stranger) == "AccessDeniedException"
    assert error(rows.person(role=Role.VIEWER)) == "AccessDeniedException"
    assert refused(stranger, "CancelServicePipelineDeployment", serviceName="web")[0] == "AccessDeniedException"
