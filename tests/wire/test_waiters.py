"""What the SDK's waiters wait for is met by what Get… answers, in every status that the model has."""

import pytest
from botocore.loaders import Loader
from botocore.waiter import WaiterModel

from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind, TemplateVersionStatus
from portal.models import Deployment, Environment, Service, ServiceInstance, ServicePipeline, TemplateVersion
from portal.wire.errors import AwsError
from portal.wire.service_model import API_VERSION
from tests.factories import rows
from tests.wire.conftest import run

pytestmark = pytest.mark.django_db
MODEL = WaiterModel(Loader().load_service_model("proton", "waiters-2", API_VERSION))


@pytest.fixture
def viewer():
    return rows.person("viewer", Role.ADMIN)


@pytest.fixture
def web(simulated):
    home = rows.environment("home", of=rows.version(rows.template(name="vpc")))
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    of = rows.version(rows.template(TemplateKind.SERVICE, "web-app"), files=files, compatible=[home.template])
    return rows.service("web", of=of, spec=rows.service_spec("home"))


def verdict(person, waiter, **members):
    """ "success", "failure" or "" (go on waiting), as botocore's waiter decides it."""
    found = MODEL.get_waiter(waiter)
    try:
        reply = dict(run(person, found.operation, **members))
    except AwsError as error:
        reply = {"Error": {"Code": error.name, "Message": error.message}}
    for acceptor in found.acceptors:
        if acceptor.matcher_func(reply):
            return acceptor.state
    return ""


def verdicts(person, waiter, statuses, rows_with_status, **members):
    """Each verdict that is not "go on", by status."""
    found = {}
    for status in statuses:
        rows_with_status.update(status=status)
        said = verdict(person, waiter, **members)
        if said:
            found[str(status)] = said
    return found


def test_deployments_are_waited_for(viewer, web):
    expected = {"SUCCEEDED": "success", "FAILED": "failure"}
    for waiter, model, members in (
        ("EnvironmentDeployed", Environment, {"name": "home"}),
        ("ServiceInstanceDeployed", ServiceInstance, {"serviceName": "web", "name": "dev"}),
        ("ServicePipelineDeployed", ServicePipeline, {"name": "web"}),
    ):
        latest = Deployment.objects.filter(pk=model.objects.get().latest_id)
        statuses = sorted(set(DeploymentStatus) - {DeploymentStatus.DELETE_COMPLETE})
        assert (waiter, verdicts(viewer, waiter, statuses, latest, **members)) == (waiter, expected)


def test_services_are_waited_for(viewer, web):
    named = {"name": "web"}
    statuses = Service.objects.filter(name="web")
    assert verdicts(viewer, "ServiceCreated", ServiceStatus, statuses, **named) == {
        "ACTIVE": "success",
        "CREATE_FAILED": "failure",
        "CREATE_FAILED_CLEANUP_COMPLETE": "failure",
        "CREATE_FAILED_CLEANUP_FAILED": "failure",
    }
    assert verdicts(viewer, "ServiceUpdated", ServiceStatus, statuses, **named) == {
        "ACTIVE": "success",
        "UPDATE_FAILED": "failure",
        "UPDATE_FAILED_CLEANUP_COMPLETE": "failure",
        "UPDATE_FAILED_CLEANUP_FAILED": "failure",
        "UPDATE_COMPLETE_CLEANUP_FAILED": "failure",
    }
    assert verdicts(viewer, "ServiceDeleted", ServiceStatus, statuses, **named) == {"DELETE_FAILED": "failure"}
    assert verdict(viewer, "ServiceDeleted", name="gone") == "success"


def test_components_are_waited_for(viewer, simulated):
    rows.open_service()
    made = rows.component("bucket", environment_name="home")
    statuses = sorted(set(DeploymentStatus) - {DeploymentStatus.DELETE_COMPLETE})
    latest = Deployment.objects.filter(pk=made.latest_id)
    named = {"name": "bucket"}
    assert verdicts(viewer, "ComponentDeployed", statuses, latest, **named) == {
        "SUCCEEDED": "success",
        "FAILED": "failure",
    }
    assert verdicts(viewer, "ComponentDeleted", statuses, latest, **named) == {"DELETE_FAILED": "failure"}
    assert verdict(viewer, "ComponentDeleted", name="gone") == "success"


def test_registrations_are_waited_for(viewer, web):
    expected = {"DRAFT": "success", "PUBLISHED": "success", "REGISTRATION_FAILED": "failure"}
    for kind, name in ((TemplateKind.ENVIRONMENT, "vpc"), (TemplateKind.SERVICE, "web-app")):
        members = {"templateName": name, "majorVersion": "1", "minorVersion": "0"}
        versions = TemplateVersion.objects.filter(template__name=name)
        waiter = f"{kind.label}TemplateVersionRegistered"
        assert verdicts(viewer, waiter, TemplateVersionStatus, versions, **members) == expected


def test_the_old_status_does_not_linger_when_an_update_returns(viewer, web):
    assert verdict(viewer, "EnvironmentDeployed", name="home") == "success"
    run(viewer, "UpdateEnvironment", name="home", deploymentType="CURRENT_VERSION")
    assert verdict(viewer, "EnvironmentDeployed", name="home") == ""


def test_every_waiter_is_tried_whose_operation_is_there():
    tried = {
        *("EnvironmentDeployed", "ServiceInstanceDeployed", "ServicePipelineDeployed", "ServiceCreated"),
        *("ServiceUpdated", "ServiceDeleted", "EnvironmentTemplateVersionRegistered"),
        *("ServiceTemplateVersionRegistered", "ComponentDeployed", "ComponentDeleted"),
    }
    assert set(MODEL.waiter_names) == tried
