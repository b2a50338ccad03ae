"""Every operation that there is, called by boto3 over HTTP on a live server, in the order in which people would."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.loaders import Loader

from portal.actions import people, registrations
from portal.enums import TemplateVersionStatus
from portal.models import TemplateVersion
from portal.wire.registry import handlers
from portal.wire.service_model import API_VERSION
from tests.factories import bundles, rows
from tests.wire.later import LATER
from tests.wire.test_live import with_key

pytestmark = pytest.mark.django_db(transaction=True)
Replies = Mapping[str, Any]
BUCKET = "proton-templates-bucket"
ROLE = "arn:aws:iam::123456789012:role/deploy"
THERE = f"arn:aws:iam::{rows.OTHER_ACCOUNT}:role/builds"
TAGS = [{"key": "owner", "value": "net"}]
VPC, WEB_APP = ({"templateName": name, "majorVersion": "1", "minorVersion": "0"} for name in ("vpc", "web-app"))
AGAIN = {"deploymentType": "CURRENT_VERSION"}
WEB, DEV, AT_DEV = (
    {"serviceName": "web"},
    {"serviceName": "web", "name": "dev"},
    {"serviceName": "web", "serviceInstanceName": "dev"},
)
BUCKET_OF_DEV = {"name": "bucket", "manifest": rows.MANIFEST, "templateFile": rows.COMPONENT_TEMPLATE, **AT_DEV}
SPEC = rows.service_spec("home") + "pipeline: {unit_test_command: make check}\n"
TWO = rows.service_spec("home", "dev", "two")


@dataclass(frozen=True)
class Step:
    """One call. ``members`` may look at the replies before; ``hold``: workers rest, so that it can be cancelled."""

    operation: str
    members: Any = None
    by: str = "management"
    hold: bool = False
    wait: tuple[str, ...] = ()  # waiters that end well when workers have worked
    waits_for: Mapping[str, str] | None = None  # their members


def asked(replies: Replies) -> dict[str, str]:
    return {"id": replies["CreateEnvironmentAccountConnection"]["environmentAccountConnection"]["id"]}


def stopped(replies: Replies) -> dict[str, str]:
    return {"id": replies["CancelEnvironmentDeployment"]["environment"]["lastAttemptedDeploymentId"]}


def component(replies: Replies) -> dict[str, Any]:
    return {"resourceArn": replies["CreateComponent"]["component"]["arn"]}


def source(name: str) -> dict[str, Any]:
    return {"templateName": name, "source": {"s3": {"bucket": BUCKET, "key": f"{name}.tar.gz"}}, "tags": TAGS}


COMPATIBLE = {"compatibleEnvironmentTemplates": [{"templateName": "vpc", "majorVersion": "1"}]}
PUBLISH = {"status": "PUBLISHED", "description": "First"}
REGISTERED = ("EnvironmentTemplateVersionRegistered",), ("ServiceTemplateVersionRegistered",)

STORY = [
    Step("UpdateAccountSettings", {"pipelineServiceRoleArn": ROLE, "pipelineCodebuildRoleArn": ROLE}),
    Step("GetAccountSettings"),
    Step("CreateEnvironmentTemplate", {"name": "vpc", "displayName": "VPC", "description": "Größe – 😀", "tags": TAGS}),
    Step("UpdateEnvironmentTemplate", {"name": "vpc", "displayName": "Network"}),
    Step("GetEnvironmentTemplate", {"name": "vpc"}),
    Step("ListEnvironmentTemplates"),
    Step("CreateEnvironmentTemplateVersion", source("vpc"), wait=REGISTERED[0], waits_for=VPC),
    Step("UpdateEnvironmentTemplateVersion", {**VPC, **PUBLISH}),
    Step("GetEnvironmentTemplateVersion", VPC),
    Step("ListEnvironmentTemplateVersions", {"templateName": "vpc", "majorVersion": "1"}),
    Step("CreateServiceTemplate", {"name": "web-app", "description": "Web", "tags": TAGS}),
    Step("UpdateServiceTemplate", {"name": "web-app", "displayName": "Web"}),
    Step("GetServiceTemplate", {"name": "web-app"}),
    Step("ListServiceTemplates"),
    Step(
        "CreateServiceTemplateVersion",
        {**source("web-app"), **COMPATIBLE, "supportedComponentSources": ["DIRECTLY_DEFINED"]},
        wait=REGISTERED[1],
        waits_for=WEB_APP,
    ),
    Step("UpdateServiceTemplateVersion", {**WEB_APP, **PUBLISH, **COMPATIBLE}),
    Step("GetServiceTemplateVersion", WEB_APP),
    Step("ListServiceTemplateVersions", {"templateName": "web-app"}),
    Step(
        "CreateEnvironment",
        {
            "name": "home",
            "templateName": "vpc",
            "templateMajorVersion": "1",
            "spec": rows.ENVIRONMENT_SPEC,
            "protonServiceRoleArn": ROLE,
            "componentRoleArn": rows.COMPONENT_ROLE,
            "tags": TAGS,
        },
        wait=("EnvironmentDeployed",),
        waits_for={"name": "home"},
    ),
    Step("GetEnvironment", {"name": "home"}),
    Step("ListEnvironments", {"environmentTemplates": [{"templateName": "vpc", "majorVersion": "1"}]}),
    Step("ListEnvironmentOutputs", {"environmentName": "home"}),
    Step("ListEnvironmentProvisionedResources", {"environmentName": "home"}),
    Step("UpdateEnvironment", {"name": "home", **AGAIN}, hold=True),
    Step("CancelEnvironmentDeployment", {"environmentName": "home"}),
    Step("UpdateEnvironment", {"name": "home", **AGAIN, "description": "Shared"}),
    Step("ListDeployments", {"environmentName": "home"}),
    Step("GetDeployment", stopped),
    Step("DeleteDeployment", stopped),
    Step(
        "CreateService",
        {"name": "web", "templateName": "web-app", "templateMajorVersion": "1", "spec": SPEC, "tags": TAGS},
        wait=("ServiceCreated", "ServicePipelineDeployed"),
        waits_for={"name": "web"},
    ),
    Step("GetService", {"name": "web"}),
    Step("ListServices"),
    Step("GetServiceInstance", DEV, wait=("ServiceInstanceDeployed",), waits_for=DEV),
    Step("ListServiceInstances", {"filters": [{"key": "serviceName", "value": "web"}], "sortBy": "createdAt"}),
    Step("ListServiceInstanceOutputs", AT_DEV),
    Step("ListServiceInstanceProvisionedResources", AT_DEV),
    Step("ListServicePipelineOutputs", WEB),
    Step("ListServicePipelineProvisionedResources", WEB),
    Step("CreateServiceInstance", {**WEB, "name": "two", "spec": TWO, "tags": TAGS}),
    Step("UpdateService", {"name": "web", "description": "Shop"}, wait=("ServiceUpdated",), waits_for={"name": "web"}),
    Step("UpdateServiceInstance", {**DEV, **AGAIN, "spec": TWO.replace("app:1", "app:2")}, hold=True),
    Step("CancelServiceInstanceDeployment", AT_DEV),
    Step("UpdateServicePipeline", {**WEB, **AGAIN, "spec": SPEC}, hold=True),
    Step("CancelServicePipelineDeployment", WEB),
    Step("CreateComponent", {**BUCKET_OF_DEV, "tags": TAGS}, wait=("ComponentDeployed",), waits_for={"name": "bucket"}),
    Step("GetComponent", {"name": "bucket"}),
    Step("ListComponents", {"environmentName": "home"}),
    Step("ListComponentOutputs", {"componentName": "bucket"}),
    Step("ListComponentProvisionedResources", {"componentName": "bucket"}),
    Step("UpdateComponent", {"name": "bucket", **AGAIN}, hold=True),
    Step("CancelComponentDeployment", {"componentName": "bucket"}),
    Step("TagResource", lambda replies: {**component(replies), "tags": [{"key": "stage", "value": "dev"}]}),
    Step("UntagResource", lambda replies: {**component(replies), "tagKeys": ["owner"]}),
    Step("ListTagsForResource", component),
    Step("GetResourcesSummary"),
    Step("UpdateComponent", {"name": "bucket", **AGAIN, "serviceName": "", "serviceInstanceName": ""}),
    Step("DeleteComponent", {"name": "bucket"}, wait=("ComponentDeleted",), waits_for={"name": "bucket"}),
    Step(
        "CreateEnvironmentAccountConnection",
        {"environmentName": "prod", "managementAccountId": "123456789012", "codebuildRoleArn": THERE},
        by="environment",
    ),
    Step(
        "UpdateEnvironmentAccountConnection",
        lambda replies: {**asked(replies), "codebuildRoleArn": f"{THERE}-too"},
        "environment",
    ),
    Step("GetEnvironmentAccountConnection", asked),
    Step("ListEnvironmentAccountConnections", {"requestedBy": "MANAGEMENT_ACCOUNT", "statuses": ["PENDING"]}),
    Step("AcceptEnvironmentAccountConnection", asked),
    Step("RejectEnvironmentAccountConnection", asked),
    Step("DeleteEnvironmentAccountConnection", asked, by="environment"),
    Step("DeleteService", {"name": "web"}, wait=("ServiceDeleted",), waits_for={"name": "web"}),
    Step("DeleteEnvironment", {"name": "home"}),
    Step("DeleteServiceTemplateVersion", WEB_APP),
    Step("DeleteServiceTemplate", {"name": "web-app"}),
    Step("DeleteEnvironmentTemplateVersion", VPC),
    Step("DeleteEnvironmentTemplate", {"name": "vpc"}),
]


ELSEWHERE = {"NotifyResourceDeploymentStatusChange"}  # what runs outside the portal reports, with keys of their own
CANCELLED = {"environment", "serviceInstance", "pipeline", "component"}


def work() -> None:
    """What the workers do."""
    waiting = TemplateVersion.objects.filter(status=TemplateVersionStatus.REGISTRATION_IN_PROGRESS)
    for version in list(waiting.values_list("pk", flat=True)):
        registrations.drive(version)
    rows.run_everything()


@pytest.fixture
def clients(live_server, simulated, open_aws):
    """A client of each side, and the bundles in their bucket."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    piped = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    for name, files in (("vpc", rows.environment_files()), ("web-app", piped)):
        s3.put_object(Bucket=BUCKET, Key=f"{name}.tar.gz", Body=bundles.tar_gz(files))
    admin = rows.person("admin")
    found = {}
    for side, account in (("management", ""), ("environment", rows.OTHER_ACCOUNT)):
        key, secret = people.create_access_key(by=admin, user=admin, account_id=account)
        found[side] = with_key(live_server, key.key_id, secret)
    return found


def test_every_operation_works_from_boto3_and_every_waiter_ends(clients):
    replies: dict[str, Any] = {}
    waited = set()
    for step in STORY:
        members = step.members(replies) if callable(step.members) else step.members or {}
        replies[step.operation] = getattr(clients[step.by], xform_name(step.operation))(**members)
        if not step.hold:
            work()
        for waiter in step.wait:
            waiting = clients[step.by].get_waiter(xform_name(waiter))
            waiting.wait(**step.waits_for, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1})
            waited.add(waiter)
    assert set(replies) == set(handlers()) - ELSEWHERE
    assert set(Loader().load_service_model("proton", "waiters-2", API_VERSION)["waiters"]) == waited
    cancelled = [reply for operation, reply in replies.items() if operation.startswith("Cancel")]
    states = [part["deploymentStatus"] for reply in cancelled for name, part in reply.items() if name in CANCELLED]
    assert states == ["CANCELLING"] * 4
    assert replies["GetEnvironmentTemplate"]["environmentTemplate"]["description"] == "Größe – 😀"
    assert replies["ListEnvironmentOutputs"]["outputs"] == [{"key": "QueueUrl", "valueString": "https://queue"}]


PAGES: dict[str, tuple[dict[str, Any], int]] = {
    "ListEnvironmentTemplates": ({}, 2),
    "ListServiceTemplates": ({}, 2),
    "ListEnvironmentTemplateVersions": ({"templateName": "vpc", "majorVersion": "1"}, 2),
    "ListServiceTemplateVersions": ({"templateName": "web-app"}, 1),
    "ListEnvironments": ({}, 2),
    "ListServices": ({}, 2),
    "ListServiceInstances": ({}, 3),
    "ListComponents": ({}, 2),
    "ListDeployments": ({"environmentName": "home"}, 6),
    "ListEnvironmentAccountConnections": ({"requestedBy": "MANAGEMENT_ACCOUNT"}, 2),
    "ListTagsForResource": ({"resourceArn": "arn:aws:proton:us-east-1:123456789012:service/web"}, 4),
    "ListEnvironmentOutputs": ({"environmentName": "home"}, 1),
    "ListEnvironmentProvisionedResources": ({"environmentName": "home"}, 1),
    "ListServiceInstanceOutputs": (AT_DEV, 1),
    "ListServiceInstanceProvisionedResources": (AT_DEV, 1),
    "ListServicePipelineOutputs": (WEB, 1),
    "ListServicePipelineProvisionedResources": (WEB, 1),
    "ListComponentOutputs": ({"componentName": "bucket"}, 1),
    "ListComponentProvisionedResources": ({"componentName": "bucket"}, 1),
}


def test_every_paginator_gives_each_row_once_and_ends(live_server, simulated):
    admin = rows.person("admin")
    vpc = rows.version(rows.template(name="vpc"))
    rows.version(vpc.template, "1.1")
    home = rows.environment("home", of=vpc, component_role_arn=rows.COMPONENT_ROLE)
    rows.environment("other", of=rows.version(rows.template(name="other")))
    web_app = rows.template("SERVICE", "web-app")
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    of = rows.version(web_app, files=files, compatible=[vpc.template])
    rows.template("SERVICE", "unused")
    rows.service("web", of=of, spec=rows.service_spec("home", "dev", "two"), tags={"owner": "net"})
    rows.service("shop", of=of, spec=rows.service_spec("home"))
    for name in ("bucket", "files"):
        rows.component(name, environment_name=home.name)
        rows.connection(name)
    key, secret = people.create_access_key(by=admin, user=admin)
    proton = with_key(live_server, key.key_id, secret)
    pagination = Loader().load_service_model("proton", "paginators-1", API_VERSION)["pagination"]
    found = {}
    for operation in sorted(set(pagination) - LATER):
        members, _ = PAGES[operation]
        size = {"PageSize": 1} if "limit_key" in pagination[operation] else {}
        pages = proton.get_paginator(xform_name(operation)).paginate(**members, PaginationConfig=size)
        gathered = [repr(row) for page in pages for row in page[pagination[operation]["result_key"]]]
        assert (operation, len(gathered)) == (operation, len(set(gathered)))
        found[operation] = len(gathered)
    assert found == {operation: count for operation, (_, count) in PAGES.items()}
