"""Components through the wire."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import quotas
from portal.actions import accounts
from portal.enums import Role
from portal.models import Component, Deployment, Service
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
TEXTS = {"manifest": rows.MANIFEST, "templateFile": rows.COMPONENT_TEMPLATE}
ASKED = {"name": "bucket", **TEXTS, "environmentName": "home"}
AT = {"serviceName": "web", "serviceInstanceName": "dev"}
SPEC = rows.service_spec("home", image="app:2")
UNKNOWN = "0e4b8f2a-1111-4222-8333-123456789abc"
DEPLOY = {"name": "bucket", "deploymentType": "CURRENT_VERSION"}


@pytest.fixture
def platform(simulated):
    return rows.person("platform", Role.PLATFORM)


@pytest.fixture
def web(platform):
    """A service whose instance "dev" takes a component, in environment "home"."""
    return rows.open_service()


@pytest.fixture
def attached(platform, web):
    """Created through the wire, and deployed."""
    run(platform, "CreateComponent", name="bucket", **TEXTS, **AT, serviceSpec=SPEC)
    rows.run_everything()
    return Component.objects.get()


def shown(person, name="bucket"):
    return run(person, "GetComponent", name=name)["component"]


def seconds(moment):
    return round(moment.timestamp(), 3)


def test_a_component_is_created_in_an_environment_and_its_members_are_shown(platform, web):
    made = run(platform, "CreateComponent", **ASKED, description="Files", clientToken="one")["component"]
    row = Component.objects.get()
    assert made == {
        "arn": "arn:aws:proton:us-east-1:123456789012:component/bucket",
        "name": "bucket",
        "description": "Files",
        "environmentName": "home",
        "deploymentStatus": "IN_PROGRESS",
        "createdAt": seconds(row.created_at),
        "lastModifiedAt": seconds(row.last_modified_at),
        "lastDeploymentAttemptedAt": seconds(row.latest.created_at),
        "lastAttemptedDeploymentId": str(row.latest_id),
        "lastClientRequestToken": "one",
    }
    rows.run_everything()
    assert shown(platform) == {
        **made,
        "deploymentStatus": "SUCCEEDED",
        "lastDeploymentSucceededAt": made["lastDeploymentAttemptedAt"],
        "lastSucceededDeploymentId": str(row.latest_id),
    }


def test_an_attached_component_shows_where_and_its_spec_and_its_state_is_in_the_history(platform, attached):
    found = shown(platform)
    assert [found[name] for name in ("environmentName", "serviceName", "serviceInstanceName", "serviceSpec")] == [
        "home",
        "web",
        "dev",
        SPEC,
    ]
    deployment = run(platform, "GetDeployment", id=found["lastSucceededDeploymentId"])["deployment"]
    state = {**AT, "serviceSpec": SPEC, "templateFile": rows.COMPONENT_TEMPLATE}
    assert (deployment["targetState"], "initialState" in deployment) == ({"component": state}, False)
    listed = run(platform, "ListDeployments", componentName="bucket")["deployments"]
    assert [row["id"] for row in listed] == [deployment["id"]]


def test_a_failure_is_shown_with_its_message(platform, web, simulated):
    simulated["fail"] = "no room"
    run(platform, "CreateComponent", **ASKED)
    rows.run_everything()
    found = shown(platform)
    assert (found["deploymentStatus"], "no room" in found["deploymentStatusMessage"]) == ("FAILED", True)
    assert "lastDeploymentSucceededAt" not in found
    assert run(platform, "GetResourcesSummary")["counts"]["components"] == {"total": 1, "failed": 1}


def test_the_same_token_makes_one_component_and_other_parameters_are_refused(platform, web):
    first = run(platform, "CreateComponent", **ASKED, clientToken="one")
    assert run(platform, "CreateComponent", **ASKED, clientToken="one") == first
    name, message = refused(platform, "CreateComponent", **ASKED, clientToken="one", description="other")
    assert (name, message.startswith("IdempotentParameterMismatch")) == ("ValidationException", True)
    assert refused(platform, "CreateComponent", **ASKED, clientToken="two")[0] == "ConflictException"
    assert refused(platform, "CreateComponent", **ASKED)[0] == "ConflictException"
    assert Deployment.objects.filter(target_type="COMPONENT").count() == 1


def test_a_token_works_again_when_its_component_is_gone(platform, web):
    run(platform, "CreateComponent", **ASKED, clientToken="one")
    rows.run_everything()
    run(platform, "DeleteComponent", name="bucket")
    rows.run_everything()
    assert run(platform, "CreateComponent", **ASKED, clientToken="one")["component"]["deploymentStatus"] == (
        "IN_PROGRESS"
    )


def test_the_same_token_updates_once_even_the_one_of_the_creation(platform, web):
    run(platform, "CreateComponent", **ASKED, clientToken="one")
    rows.run_everything()
    for _ in range(2):
        run(platform, "UpdateComponent", **DEPLOY, clientToken="one")
        rows.run_everything()
    assert refused(platform, "UpdateComponent", **DEPLOY, clientToken="one", description="x")[0] == (
        "ValidationException"
    )
    run(platform, "UpdateComponent", **DEPLOY)
    assert (Deployment.objects.filter(target_type="COMPONENT").count(), shown(platform)["lastClientRequestToken"]) == (
        3,
        "one",
    )


def test_what_a_component_cannot_be_made_of_is_told(platform, web, monkeypatch):
    def error(**change):
        return refused(platform, "CreateComponent", **{**ASKED, **change})[0]

    assert error(environmentName="unknown") == "ResourceNotFoundException"
    assert error(serviceName="web", serviceInstanceName="unknown") == "ResourceNotFoundException"
    assert error(serviceName="web") == "ValidationException"
    assert error(serviceSpec=SPEC) == "ValidationException"
    assert error(manifest="{") == "ValidationException"
    assert error(tags=[{"key": "aws:x", "value": ""}]) == "ValidationException"
    assert refused(platform, "CreateComponent", name="bucket", **TEXTS)[0] == "ValidationException"
    assert error(environmentName=rows.environment().name) == "ValidationException"  # takes no components
    monkeypatch.setattr(quotas, "COMPONENTS", 0)
    assert error() == "ServiceQuotaExceededException"


def test_an_instance_has_one_component(platform, attached):
    assert refused(platform, "CreateComponent", name="other", **TEXTS, **AT)[0] == "ConflictException"


def test_none_changes_the_description_only(platform, attached):
    named = {"name": "bucket", "deploymentType": "NONE"}
    changed = run(platform, "UpdateComponent", **named, description="changed")["component"]
    assert (changed["description"], changed["deploymentStatus"]) == ("changed", "SUCCEEDED")
    assert refused(platform, "UpdateComponent", **named, templateFile="x")[0] == "ValidationException"


def test_empty_names_detach_and_names_attach_again(platform, attached):
    detached = run(platform, "UpdateComponent", **DEPLOY, serviceName="", serviceInstanceName="")["component"]
    assert ("serviceName" in detached, detached["deploymentStatus"]) == (False, "IN_PROGRESS")
    assert refused(platform, "UpdateComponent", **DEPLOY)[0] == "ConflictException"
    rows.run_everything()
    assert "serviceSpec" not in shown(platform)
    again = run(platform, "UpdateComponent", **DEPLOY, **AT, serviceSpec=SPEC)["component"]
    assert [again["serviceName"], again["serviceInstanceName"]] == ["web", "dev"]
    assert refused(platform, "UpdateComponent", **DEPLOY, serviceName="web")[0] == "ValidationException"
    assert refused(platform, "UpdateComponent", **{**DEPLOY, "name": "unknown"})[0] == "ResourceNotFoundException"


def test_an_update_is_cancelled_and_a_first_deployment_is_not(platform, web, simulated):
    simulated["seconds"] = 600
    run(platform, "CreateComponent", **ASKED)
    assert refused(platform, "CancelComponentDeployment", componentName="bucket")[0] == "ConflictException"
    simulated["seconds"] = 0
    rows.run_everything()
    simulated["seconds"] = 600
    Deployment.objects.filter(target_type="COMPONENT").update(status="SUCCEEDED", due_at=None)
    Component.objects.update(deployed=Component.objects.get().latest)
    run(platform, "UpdateComponent", **DEPLOY)
    cancelled = run(platform, "CancelComponentDeployment", componentName="bucket")["component"]
    assert (cancelled["deploymentStatus"], cancelled["deploymentStatusMessage"]) == (
        "CANCELLING",
        "User initiated cancellation.",
    )
    assert refused(platform, "CancelComponentDeployment", componentName="unknown")[0] == "ResourceNotFoundException"


def test_a_detached_component_is_deleted_and_a_repeat_succeeds(platform, attached):
    assert refused(platform, "DeleteComponent", name="bucket")[0] == "ConflictException"
    run(platform, "UpdateComponent", **DEPLOY, serviceName="", serviceInstanceName="")
    rows.run_everything()
    first = run(platform, "DeleteComponent", name="bucket")["component"]
    assert first["deploymentStatus"] == "DELETE_IN_PROGRESS"
    assert run(platform, "DeleteComponent", name="bucket")["component"] == first
    rows.run_everything()
    assert refused(platform, "GetComponent", name="bucket")[0] == "ResourceNotFoundException"
    assert run(platform, "DeleteComponent", name="bucket") == {}


def test_lists_are_filtered_and_unknown_names_give_an_empty_list(platform, attached):
    rows.component("alone", environment_name="home")
    rows.component("elsewhere", environment_name=rows.environment("far", component_role_arn=rows.COMPONENT_ROLE).name)

    def names(**filters):
        return [row["name"] for row in run(platform, "ListComponents", **filters)["components"]]

    assert names() == ["alone", "bucket", "elsewhere"]
    assert names(environmentName="home") == ["alone", "bucket"]
    assert names(serviceName="web") == names(**AT) == names(environmentName="home", **AT) == ["bucket"]
    assert names(environmentName="unknown") == names(serviceName="unknown") == names(environmentName="far", **AT) == []
    assert refused(platform, "ListComponents", serviceInstanceName="dev")[0] == "ValidationException"
    first = run(platform, "ListComponents", maxResults=2)
    second = run(platform, "ListComponents", maxResults=2, nextToken=first["nextToken"])
    assert [row["name"] for row in first["components"] + second["components"]] == ["alone", "bucket", "elsewhere"]
    asked = {"environmentName": "home", "nextToken": first["nextToken"]}
    assert refused(platform, "ListComponents", **asked)[0] == "ValidationException"


def test_a_row_of_a_list_has_what_get_shows_but_description_and_spec(platform, attached):
    found = shown(platform)
    del found["serviceSpec"]
    assert run(platform, "ListComponents")["components"] == [found]


def test_a_list_is_one_query_and_so_is_a_single_component(platform, attached):
    def cost(operation, **members):
        with CaptureQueriesContext(connection) as found:
            run(platform, operation, **members)
        read = " ".join(query["sql"] for query in found.captured_queries)
        assert [name for name in ("rendered", "template_file", "manifest") if f'"{name}"' in read] == []
        return len(found)

    rows.component("a", environment_name="home")
    assert (cost("ListComponents", **AT), cost("ListComponents"), cost("GetComponent", name="bucket")) == (1, 1, 1)


def test_outputs_and_resources_are_those_of_the_last_success_or_of_the_named_deployment(platform, attached, simulated):
    named = {"componentName": "bucket"}
    first = run(platform, "ListComponentOutputs", **named)["outputs"]
    assert first == [{"key": "QueueUrl", "valueString": "https://queue"}]
    resources = run(platform, "ListComponentProvisionedResources", **named)["provisionedResources"]
    assert [row["provisioningEngine"] for row in resources] == ["CLOUDFORMATION"]
    simulated["outputs"] = {"QueueUrl": "https://other"}
    run(platform, "UpdateComponent", **DEPLOY)
    rows.run_everything()
    assert run(platform, "ListComponentOutputs", **named)["outputs"] != first
    then = str(attached.latest_id)
    assert run(platform, "ListComponentOutputs", **named, deploymentId=then)["outputs"] == first
    for operation, members in (
        ("ListComponentOutputs", {**named, "deploymentId": UNKNOWN}),
        ("ListComponentOutputs", {"componentName": "unknown"}),
        ("ListComponentProvisionedResources", {"componentName": "unknown"}),
    ):
        assert refused(platform, operation, **members)[0] == "ResourceNotFoundException"


def test_tags_of_the_instance_are_inherited_and_can_be_changed(platform, web):
    service = Service.objects.get()
    service.instances.update(tags={"owner": "web", "stage": "dev"})
    tags = [{"key": "stage", "value": "test"}]
    arn = run(platform, "CreateComponent", name="bucket", **TEXTS, **AT, tags=tags)["component"]["arn"]
    run(platform, "UntagResource", resourceArn=arn, tagKeys=["owner"])
    found = {tag["key"]: tag["value"] for tag in run(platform, "ListTagsForResource", resourceArn=arn)["tags"]}
    assert found == {
        "aws:proton:account": "123456789012",
        "aws:proton:component": arn,
        "aws:proton:environment": "arn:aws:proton:us-east-1:123456789012:environment/home",
        "aws:proton:service": service.arn,
        "aws:proton:service-instance": service.instances.get().arn,
        "stage": "test",
    }


def test_developers_need_a_setting_and_a_service_of_their_team(platform, web):
    web.team = rows.team("shop")
    web.save()
    member = rows.person(role=Role.DEVELOPER, teams=[web.team])
    stranger = rows.person(role=Role.DEVELOPER)
    asked = {"name": "bucket", **TEXTS, **AT}
    off = ("AccessDeniedException", "You may not make components. Ask a platform engineer.")
    assert refused(member, "CreateComponent", **asked) == off
    accounts.update_settings(by=rows.person(), developers_use_components=True)
    name, message = refused(stranger, "CreateComponent", **asked)
    assert (name, "Ask team shop" in message) == ("AccessDeniedException", True)
    assert refused(member, "CreateComponent", **ASKED)[0] == "AccessDeniedException"  # on its own
    run(member, "CreateComponent", **asked)
    rows.run_everything()
    for operation, members in (
        ("UpdateComponent", DEPLOY),
        ("DeleteComponent", {"name": "bucket"}),
        ("CancelComponentDeployment", {"componentName": "bucket"}),
    ):
        name, message = refused(stranger, operation, **members)
        assert (operation, name, "Ask team shop" in message) == (operation, "AccessDeniedException", True)
    assert run(member, "UpdateComponent", **DEPLOY)["component"]["deploymentStatus"] == "IN_PROGRESS"
    assert shown(rows.person(role=Role.VIEWER))["name"] == "bucket"
