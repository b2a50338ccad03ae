"""Components: made, updated, attached, detached, deleted, and refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import ProtectedError
from django.utils import timezone

from portal import quotas
from portal.actions import (
    accounts,
    components,
    deployments,
    environments,
    instances,
    resources,
    runs,
    services,
    usage,
)
from portal.actions.contexts import tags
from portal.actions.reconciliation import hold_running
from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import AuditEvent, Component, Deployment, Environment, ProvisionedResource, Service, ServiceInstance
from portal.queries import components as queries
from portal.queries.deployments import history_of, output_values, resources_of
from tests.factories import rows

pytestmark = pytest.mark.django_db

AT = {"service_name": "web", "instance_name": "dev"}
READS_INPUTS = rows.COMPONENT_TEMPLATE.replace(
    "{{ environment.name }}-{{ component.name }}", "{{ service.name }}-{{ service_instance.inputs.image }}"
)
READS_COMPONENT = rows.SERVICE_TEMPLATE.replace(
    "Value: '{{ service_instance.inputs.image }}'",
    "Value: '{{ service_instance.components.default.outputs.BucketName | default(\"none\") }}'",
)
TERRAFORM = rows.MANIFEST.replace("jinja", "hcl").replace("language: cloudformation", "language: terraform")


def again(row: Component) -> Component:
    return Component.objects.get(pk=row.pk)


def redeploy(instance: ServiceInstance) -> ServiceInstance:
    instances.update(by=rows.person(), instance=instance, deployment_type="CURRENT_VERSION")
    rows.run_everything()
    return ServiceInstance.objects.get(pk=instance.pk)


def detach(row: Component) -> Component:
    components.update(
        by=rows.person(), component=again(row), deployment_type="CURRENT_VERSION", service_name="", instance_name=""
    )
    rows.run_everything()
    return again(row)


def image_tag(instance: ServiceInstance) -> str:
    """What the service template of READS_COMPONENT printed last."""
    return next(iter(instance.deployed.rendered.values())).split("Value: '")[1].split("'")[0]


def refusals(caught) -> list[str]:
    return [problem.path for problem in caught.value.problems]


def made_with(**changes: str) -> Component:
    fields: dict[str, Any] = {
        "manifest": rows.MANIFEST,
        "template_file": rows.COMPONENT_TEMPLATE,
        "environment_name": "home",
    }
    return components.create(by=rows.person(), name="bucket", **{**fields, **changes})


@pytest.fixture
def home(simulated) -> Environment:
    return rows.environment("home", component_role_arn=rows.COMPONENT_ROLE)


@pytest.fixture
def web(simulated) -> ServiceInstance:
    """An instance that takes a component, and prints what that returns."""
    return rows.open_service(files=rows.service_files(code=READS_COMPONENT)).instances.get()


def test_a_component_is_deployed_into_its_environment_with_the_component_role(home):
    made = rows.component("bucket", environment_name="home")
    run = made.deployed
    assert (made.deployment_status, made.arn) == (
        DeploymentStatus.SUCCEEDED,
        "arn:aws:proton:us-east-1:123456789012:component/bucket",
    )
    assert (run.role_arn, run.account_id, run.region) == (rows.COMPONENT_ROLE, "123456789012", "us-east-1")
    assert run.external_name.startswith("AWSProton-bucket-cloudformation-")
    assert run.rendered == {
        "cloudformation.yaml": rows.COMPONENT_TEMPLATE.replace(
            "{{ environment.name }}-{{ component.name }}", "home-bucket"
        )
    }
    assert (output_values(made), [row.engine for row in resources_of(made)]) == (
        {"QueueUrl": "https://queue"},
        ["CLOUDFORMATION"],
    )
    assert (run.target_type, run.target_name, run.environment_name, run.number) == (
        "COMPONENT",
        "component bucket",
        "home",
        "",
    )


def test_its_namespaces_are_those_of_aws_proton(web, simulated):
    made = rows.component("bucket", **AT)
    assert made.deployed.context == {
        "component": {"name": "bucket"},
        "environment": {
            "name": "home",
            "account_id": "123456789012",
            "outputs": {"QueueUrl": "https://queue"},
        },
        "service": {"name": "web"},
        "service_instance": {"name": "dev", "inputs": {"image": "app:1", "port": 8080}},
    }
    alone = rows.component("alone", environment_name="home")
    assert sorted(alone.deployed.context) == ["component", "environment"]


def test_the_spec_gives_the_inputs_over_the_schemas_defaults(web):
    spec = rows.service_spec("home", image="other:2")
    made = rows.component("bucket", template_file=READS_INPUTS, service_spec=spec, **AT)
    assert (made.spec, made.deployed.inputs) == (spec, {"image": "other:2", "port": 8080})
    assert "BucketName: 'web-other:2'" in made.deployed.rendered["cloudformation.yaml"]


def test_what_a_spec_says_must_not_change_the_structure_of_the_template(web):
    spec = rows.service_spec("home").replace("'app:1'", '"x\'\\n  Evil: true # "')
    made = rows.component("bucket", template_file=READS_INPUTS, service_spec=spec, **AT)
    assert (made.deployment_status, made.latest.next_action) == (DeploymentStatus.FAILED, "edit")
    assert "/service_instance/inputs/image" in made.status_message


def test_outputs_reach_the_instance_at_its_next_deployment_and_leave_it_at_the_one_after_detaching(web, simulated):
    simulated["outputs"] = {"BucketName": "the-bucket"}
    assert image_tag(web) == "none"
    made = rows.component("bucket", **AT)
    web.refresh_from_db()
    assert (image_tag(web), queries.is_news(web, queries.attached_to(web))) == ("none", True)
    web = redeploy(web)
    assert (image_tag(web), queries.is_news(web, queries.attached_to(web))) == ("the-bucket", False)
    default = web.deployed.context["service_instance"]["components"]["default"]
    assert default == {"name": "bucket", "outputs": {"BucketName": "the-bucket"}}
    detach(made)
    assert queries.is_news(web, queries.attached_to(web))
    web = redeploy(web)
    assert (image_tag(web), web.deployed.context["service_instance"]["components"]) == (
        "none",
        {"default": {"outputs": {}}},
    )


def test_it_is_attached_detached_and_deleted(web):
    made = rows.component("bucket", environment_name="home")
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION", **AT)
    rows.run_everything()
    made = again(made)
    assert (made.instance, made.deployed.target_state["service_instance_name"]) == (web, "dev")
    assert made.deployed.initial_state == {"service_spec": "", "template_file": rows.COMPONENT_TEMPLATE}
    with pytest.raises(Conflict, match="It is attached to web/dev. Detach it first."):
        components.delete(by=rows.person(), component=made)
    made = detach(made)
    assert (made.instance, made.deployment_status) == (None, DeploymentStatus.SUCCEEDED)
    components.delete(by=rows.person(), component=made)
    assert components.delete(by=rows.person(), component=made).latest.kind == "delete"
    rows.run_everything()
    assert not Component.objects.exists()
    assert Deployment.objects.filter(target_arn=made.arn).first().status == DeploymentStatus.DELETE_COMPLETE


def test_a_detached_component_loses_its_inputs_and_can_still_be_deleted(web):
    made = rows.component("bucket", template_file=READS_INPUTS, service_spec=rows.service_spec("home"), **AT)
    made = detach(made)
    assert (made.deployment_status, made.instance, made.latest.inputs, made.latest.spec) == ("FAILED", None, {}, "")
    components.delete(by=rows.person(), component=made)
    rows.run_everything()
    assert not Component.objects.exists()


def test_template_file_and_spec_change_only_when_the_update_succeeds(web, simulated):
    made = rows.component("bucket", **AT)
    simulated["fail"] = "no capacity"
    other = rows.COMPONENT_TEMPLATE + "# changed\n"
    spec = rows.service_spec("home", image="b")
    components.update(
        by=rows.person(), component=made, deployment_type="CURRENT_VERSION", template_file=other, service_spec=spec
    )
    rows.run_everything()
    made = again(made)
    assert (made.deployment_status, made.template_file, made.spec) == ("FAILED", rows.COMPONENT_TEMPLATE, "")
    del simulated["fail"]
    deployments.retry(by=rows.person(), deployment=made.latest)
    rows.run_everything()
    made = again(made)
    assert (made.deployment_status, made.template_file, made.spec) == ("SUCCEEDED", other, spec)
    assert [(row.kind, row.status) for row in history_of(made)] == [
        ("update", "SUCCEEDED"),
        ("update", "FAILED"),
        ("create", "SUCCEEDED"),
    ]


def test_a_spec_given_when_attaching_is_kept_after_that_deployment_failed(web, simulated):
    made = rows.component("bucket", environment_name="home")
    simulated["fail"] = "no capacity"
    spec = rows.service_spec("home", image="b")
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION", service_spec=spec, **AT)
    rows.run_everything()
    del simulated["fail"]
    components.update(by=rows.person(), component=again(made), deployment_type="CURRENT_VERSION")
    rows.run_everything()
    assert (again(made).spec, again(made).deployed.inputs["image"]) == (spec, "b")


def test_none_changes_the_description_only(home):
    made = rows.component("bucket", environment_name="home")
    components.update(by=rows.person(), component=made, deployment_type="NONE", description="Pictures")
    assert (again(made).description, history_of(made).count()) == ("Pictures", 1)
    assert again(made).last_modified_at > made.last_modified_at
    with pytest.raises(Invalid, match="With NONE only the description can change"):
        components.update(by=rows.person(), component=made, deployment_type="NONE", template_file="x")
    with pytest.raises(Invalid, match="A component has no versions"):
        components.update(by=rows.person(), component=made, deployment_type="MINOR_VERSION")


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"name": "-x"}, ["/name"]),
        ({"manifest": ""}, ["/manifest"]),
        ({"manifest": "x" * 1025, "template_file": ""}, ["/manifest", "/template_file"]),
        ({"manifest": TERRAFORM}, ["/manifest"]),
        ({"manifest": TERRAFORM.replace("cloudformation.yaml", "*")}, ["/manifest"]),
        ({"manifest": "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n"}, ["/manifest"]),
        ({"manifest": rows.MANIFEST + rows.MANIFEST.split("templates:\n")[1]}, ["/manifest"]),
        ({"template_file": "x" * 51_201}, ["/template_file"]),
        ({"description": "x" * 501}, ["/description"]),
        ({"environment_name": ""}, ["/environment_name"]),
        ({"service_name": "web"}, ["/instance_name"]),
        ({"service_spec": rows.service_spec("home")}, ["/service_spec"]),
    ],
)
def test_what_is_wrong_is_refused_at_its_field(home, changes, paths):
    with pytest.raises(Invalid) as caught:
        components.create(
            by=rows.person(),
            **{
                "name": "bucket",
                "manifest": rows.MANIFEST,
                "template_file": rows.COMPONENT_TEMPLATE,
                "environment_name": "home",
                **changes,
            },
        )
    assert refusals(caught) == paths
    assert not Component.objects.exists()


def test_terraform_is_refused_with_a_sentence(home):
    with pytest.raises(
        Invalid, match="bucket is Terraform, which is provisioned by pull requests: give environment home"
    ):
        made_with(manifest=TERRAFORM)


def test_a_spec_without_the_instance_is_refused(web):
    with pytest.raises(Invalid, match="The spec has no instance named dev") as caught:
        made_with(service_spec=rows.service_spec("home", "prod"), **AT)
    assert refusals(caught) == ["/service_spec"]


def test_an_environment_without_component_role_takes_none(simulated):
    rows.environment("home")
    with pytest.raises(Invalid, match="Environment home takes no components: it has no component role") as caught:
        made_with()
    assert refusals(caught) == ["/environment_name"]


def test_a_component_whose_environment_lost_its_role_is_not_deployed_and_can_be_deleted(home):
    made = rows.component("bucket", environment_name="home")
    environments.update(by=rows.person(), environment=home, deployment_type="NONE", component_role_arn="")
    with pytest.raises(Conflict, match="it has no component role"):
        components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION")
    components.delete(by=rows.person(), component=made)
    assert again(made).latest.role_arn == rows.COMPONENT_ROLE


@pytest.mark.parametrize("arn", ["components", "arn:aws:iam::999999999999:role/components"])
def test_a_component_role_is_of_the_environments_account(home, arn):
    with pytest.raises(Invalid) as caught:
        environments.update(by=rows.person(), environment=home, deployment_type="NONE", component_role_arn=arn)
    assert refusals(caught) == ["/component_role_arn"]


def test_names_that_do_not_exist_are_not_found(web):
    with pytest.raises(NotFound, match="environment nowhere"):
        made_with(environment_name="nowhere")
    with pytest.raises(NotFound, match="service web has no instance prod"):
        made_with(service_name="web", instance_name="prod")


def test_an_instance_in_another_environment_is_refused(web):
    rows.environment("elsewhere", component_role_arn=rows.COMPONENT_ROLE)
    with pytest.raises(Invalid, match="web/dev runs in home, the component in elsewhere"):
        made_with(environment_name="elsewhere", **AT)


def test_the_version_that_the_instance_runs_must_support_components(simulated):
    rows.environment("home", component_role_arn=rows.COMPONENT_ROLE)
    home = Environment.objects.get()
    of = rows.version(rows.template(TemplateKind.SERVICE), compatible=[home.template])
    rows.service("web", of=of, spec=rows.service_spec("home"))
    with pytest.raises(Invalid, match="does not list DIRECTLY_DEFINED"):
        made_with(**AT)


def test_an_instance_has_one_component_and_a_component_moves_in_two_steps(simulated):
    rows.open_service(spec=rows.service_spec("home", "dev", "prod"))
    made = rows.component("bucket", **AT)
    with pytest.raises(Conflict, match="web/dev has a component already: bucket"):
        rows.component("other", **AT)
    other = {"service_name": "web", "instance_name": "prod"}
    with pytest.raises(Conflict, match="bucket is attached to web/dev. Detach it first, then attach it."):
        components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION", **other)
    components.update(by=rows.person(), component=again(detach(made)), deployment_type="CURRENT_VERSION", **other)
    rows.run_everything()
    assert str(again(made).instance) == "web/prod"


def test_naming_the_instance_that_it_is_attached_to_keeps_it_there(web):
    made = rows.component("bucket", **AT)
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION", **AT)
    rows.run_everything()
    assert (again(made).instance, again(made).deployment_status) == (web, "SUCCEEDED")


def test_instance_and_component_wait_for_each_other(web, simulated):
    made = rows.component("bucket", **AT)
    simulated["seconds"] = 3600
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION")
    with pytest.raises(Conflict, match="A deployment of component bucket is running, which web/dev waits for"):
        instances.update(by=rows.person(), instance=web, deployment_type="CURRENT_VERSION")
    Deployment.objects.update(status=DeploymentStatus.SUCCEEDED)
    instances.update(by=rows.person(), instance=web, deployment_type="CURRENT_VERSION")
    with pytest.raises(Conflict, match="A deployment of web/dev is running, which component bucket waits for"):
        components.update(by=rows.person(), component=again(made), deployment_type="CURRENT_VERSION")
    with pytest.raises(Conflict, match="A deployment of web/dev is running"):
        detach(made)
    assert again(made).instance == web


def test_an_attached_component_keeps_its_instance_service_and_environment(web):
    rows.component("bucket", **AT)
    service, home = Service.objects.get(), Environment.objects.get()
    why = "Component bucket is attached to web/dev. Detach it first."
    with pytest.raises(Conflict, match=why):
        services.delete(by=rows.person(), service=service)
    with pytest.raises(Conflict, match=why):
        services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "prod"))
    with pytest.raises(Conflict, match="1 component belongs to it: bucket"):
        environments.delete(by=rows.person(), environment=home)
    with pytest.raises(ProtectedError):
        web.delete()


def test_a_detached_component_keeps_its_environment_only(web):
    made = detach(rows.component("bucket", **AT))
    services.delete(by=rows.person(), service=Service.objects.get())
    rows.run_everything()
    assert not Service.objects.exists()
    with pytest.raises(Conflict, match="1 component belongs to it: bucket"):
        environments.delete(by=rows.person(), environment=Environment.objects.get())
    components.delete(by=rows.person(), component=made)
    rows.run_everything()
    environments.delete(by=rows.person(), environment=Environment.objects.get())
    rows.run_everything()
    assert not Environment.objects.exists()


def test_nothing_is_attached_to_an_instance_that_is_being_added_or_removed(simulated):
    service = rows.open_service(spec=rows.service_spec("home", "dev", "prod"))
    simulated["seconds"] = 3600
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    service.refresh_from_db()
    assert service.status == ServiceStatus.UPDATE_IN_PROGRESS
    for name in ("prod", "new"):
        with pytest.raises(Conflict, match="being|is changed"):
            made_with(service_name="web", instance_name=name)


def test_an_update_is_cancelled_and_a_create_is_not(home, simulated):
    simulated["seconds"] = 3600
    made = rows.component("bucket", environment_name="home")
    with pytest.raises(Conflict, match="The first deployment of component bucket cannot be cancelled"):
        deployments.cancel(by=rows.person(), target=made)
    Deployment.objects.filter(pk=made.latest_id).update(status=DeploymentStatus.SUCCEEDED)
    Component.objects.update(deployed=made.latest)
    components.update(by=rows.person(), component=again(made), deployment_type="CURRENT_VERSION")
    assert deployments.cancel(by=rows.person(), target=again(made)).status == DeploymentStatus.CANCELLING
    rows.run_everything()
    assert again(made).deployment_status == DeploymentStatus.CANCELLED


def test_a_name_that_is_taken_is_a_conflict_and_the_last_token_is_kept(home):
    made = rows.component("bucket", environment_name="home", client_token="one")
    with pytest.raises(Conflict, match="A component named bucket exists already"):
        made_with()
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION", client_token="two")
    rows.run_everything()
    components.update(by=rows.person(), component=again(made), deployment_type="NONE", description="Files")
    assert (again(made).last_client_request_token, history_of(made).count()) == ("two", 2)


def test_tags_are_inherited_when_it_is_made(web):
    ServiceInstance.objects.update(tags={"owner": "web", "stage": "dev"})
    Environment.objects.update(tags={"owner": "net"})
    attached = rows.component("bucket", **AT, tags={"stage": "test"})
    alone = rows.component("other", environment_name="home")
    assert (attached.tags, alone.tags) == ({"owner": "web", "stage": "test"}, {"owner": "net"})


def test_there_is_a_limit(home, monkeypatch):
    monkeypatch.setattr(quotas, "COMPONENTS", 1)
    rows.component("one", environment_name="home")
    with pytest.raises(QuotaExceeded, match="There are 1 components already"):
        made_with()


def test_tags_of_the_stack_name_the_component_and_what_it_is_attached_to(web):
    made = rows.component("bucket", **AT)
    attached = {
        "proton:account": "123456789012",
        "proton:environment": web.environment.arn,
        "proton:component": made.arn,
        "proton:service": web.service.arn,
        "proton:service-instance": web.arn,
    }
    assert tags(made) == attached
    assert sorted(tags(detach(made))) == ["proton:account", "proton:component", "proton:environment"]


def test_every_step_is_in_the_audit_log(web):
    made = detach(rows.component("bucket", **AT))
    components.update(by=rows.person(), component=made, deployment_type="NONE", description="x")
    components.delete(by=rows.person(), component=made)
    assert list(AuditEvent.objects.filter(target=made.arn).order_by("pk").values_list("action", flat=True)) == [
        "component.create",
        "component.update",
        "component.edit",
        "component.delete",
    ]


def test_components_have_no_usage(home):
    rows.component("bucket", environment_name="home")
    assert usage.rebuild() == 1


def test_what_is_lost_is_made_anew_environment_first_then_component_then_instance(web, simulated):
    rows.component("bucket", **AT)
    redeploy(web)
    ProvisionedResource.objects.update(missing_since=timezone.now())
    assert [str(row) for row in resources.missing()] == ["home", "web/dev", "component bucket"]
    assert resources.redeploy_missing(by=rows.person()) == 3
    for _ in range(20):
        Deployment.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))
        for row in Deployment.objects.filter(due_at__isnull=False).order_by("-created_at"):
            runs.drive(row.pk)
    finished = Deployment.objects.filter(kind="update", status="SUCCEEDED").order_by("completed_at")
    assert [row.target_name for row in finished][-3:] == ["home", "component bucket", "web/dev"]


def test_a_component_under_way_is_held_like_everything_after_a_restore(home, simulated):
    simulated["seconds"] = 3600
    made = rows.component("bucket", environment_name="home")
    assert hold_running() == 1
    deployments.resolve_attention(by=rows.person(), deployment=again(made).latest, decision="fail", reason="Old")
    assert again(made).status_message.endswith("Old")


def test_counts_are_of_all_and_of_those_that_failed(home, simulated):
    rows.component("one", environment_name="home")
    simulated["fail"] = "no capacity"
    rows.component("two", environment_name="home")
    assert queries.counts() == queries.ComponentCounts(total=2, failed=1)


def test_developers_use_components_only_where_an_admin_lets_them_and_only_on_services_of_their_teams(simulated):
    payments = rows.team("payments")
    dev = rows.person("dev", Role.DEVELOPER, [payments])
    outsider = rows.person("outsider", Role.DEVELOPER, [rows.team("search")])
    rows.open_service(by=dev, team=payments)
    with pytest.raises(Forbidden, match="You may not make components. Ask a platform engineer"):
        rows.component("bucket", by=dev, **AT)
    accounts.update_settings(by=rows.person(), developers_use_components=True)
    made = rows.component("bucket", by=dev, **AT)
    assert made.deployment_status == DeploymentStatus.SUCCEEDED
    with pytest.raises(Forbidden, match="Ask team payments"):
        components.update(by=outsider, component=made, deployment_type="CURRENT_VERSION")
    with pytest.raises(Forbidden, match="Ask team payments"):  # before they hear what else is wrong
        components.create(by=outsider, name="not a name", manifest="", template_file="", **AT)
    with pytest.raises(Forbidden, match="On their own in an environment, components are made by platform engineers"):
        rows.component("alone", by=dev, environment_name="home")
    components.update(by=dev, component=made, deployment_type="CURRENT_VERSION", service_name="", instance_name="")
    rows.run_everything()
    assert again(made).deployment_status == DeploymentStatus.SUCCEEDED
    with pytest.raises(Forbidden):
        components.delete(by=outsider, component=again(made))
    accounts.update_settings(by=rows.person(), developers_use_components=False)
    with pytest.raises(Forbidden, match="Ask a platform engineer"):
        components.delete(by=dev, component=again(made))
    accounts.update_settings(by=rows.person(), developers_use_components=True)
    components.delete(by=dev, component=again(made))
    rows.run_everything()
    assert not Component.objects.exists()
    assert AuditEvent.objects.filter(action="settings.update").first().detail == {"developers_use_components": True}
