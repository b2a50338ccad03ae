"""Deployments that wait for a person: where they go on, who may decide, and what cancelling them does."""

import pytest
from django.db.models.functions import Now

from portal.actions import deployments, environments, registrations, runs, services
from portal.enums import DeploymentPhase, DeploymentStatus, Role, TemplateKind
from portal.errors import Conflict, Forbidden
from portal.models import Deployment, Environment
from tests.factories import rows
from tests.factories.bundles import tar_gz

pytestmark = pytest.mark.django_db


def latest() -> Deployment:
    return Deployment.objects.latest("created_at")


@pytest.fixture
def parked_update(simulated) -> Deployment:
    """An update whose outcome is unclear."""
    of = rows.version(rows.template())
    environment = rows.environment("dev", of=of)
    simulated["unclear"] = "the stack is not ours"
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: other}\n"
    environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    del simulated["unclear"]
    return latest()


def test_what_was_parked_before_it_was_rendered_is_rendered_when_it_goes_on(simulated):
    of = rows.version(rows.template())
    environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    Deployment.objects.update(phase=DeploymentPhase.RENDERING, attempts=runs.MAX_ATTEMPTS)
    rows.run_everything()
    assert latest().phase == DeploymentPhase.ATTENTION
    deployments.resolve_attention(by=rows.person(), deployment=latest(), decision="resume", reason="more memory now")
    rows.run_everything()
    assert (latest().status, list(latest().rendered)) == ("SUCCEEDED", ["infrastructure/cloudformation.yaml"])


def test_a_parked_update_can_be_cancelled(parked_update, simulated):
    assert parked_update.phase == DeploymentPhase.ATTENTION
    simulated["seconds"] = 10**9
    deployments.cancel(by=rows.person(), target=Environment.objects.get())
    rows.run_everything()
    assert latest().status == DeploymentStatus.CANCELLED


def test_a_decision_is_taken_once(parked_update):
    deployments.resolve_attention(by=rows.person(), deployment=parked_update, decision="fail", reason="looked at it")
    with pytest.raises(Conflict, match="not waiting for a decision any more"):
        deployments.resolve_attention(by=rows.person(), deployment=parked_update, decision="resume", reason="no")


def test_only_those_who_may_deploy_it_decide_also_when_the_target_is_gone(parked_update):
    Environment.objects.all().delete()
    for role in (Role.VIEWER, Role.DEVELOPER):
        with pytest.raises(Forbidden):
            deployments.resolve_attention(
                by=rows.person(role=role), deployment=parked_update, decision="fail", reason="because"
            )


def test_a_cancellation_finds_the_running_update_of_a_page_that_is_old(simulated):
    of = rows.version(rows.template())
    page = rows.environment("dev", of=of)
    simulated["seconds"] = 10**9
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: other}\n"
    environments.update(by=rows.person(), environment=page, deployment_type="CURRENT_VERSION", spec=spec)
    assert deployments.cancel(by=rows.person(), target=page).status == DeploymentStatus.CANCELLING


# Rights that are taken away between asking and starting.


def test_a_deployment_does_not_start_for_somebody_who_may_not_have_it_any_more(simulated):
    payments = rows.team("payments")
    home = rows.environment("home")
    of = rows.version(rows.template(TemplateKind.SERVICE), compatible=[home.template])
    ada = rows.person("ada", Role.DEVELOPER, [payments])
    service = rows.service("web", by=ada, of=of, spec=rows.service_spec("home"))
    deployed = service.instances.get().deployed
    from portal.actions import instances

    spec = rows.service_spec("home", "dev", image="app:2")
    instances.update(by=ada, instance=service.instances.get(), deployment_type="CURRENT_VERSION", spec=spec)
    ada.teams.clear()
    rows.run_everything()
    ended = service.instances.get().latest
    assert (ended.status, ended.intent_at, service.instances.get().deployed) == ("FAILED", None, deployed)
    assert ended.status_message == "ada, who asked for this, may not change web/dev any more. Ask team payments."


@pytest.mark.parametrize(("kind", "status"), [("create", "FAILED"), ("delete", "DELETE_FAILED")])
def test_a_deployment_does_not_start_for_somebody_who_was_deactivated(simulated, kind, status):
    ada = rows.person("ada", Role.PLATFORM)
    of = rows.version(rows.template())
    if kind == "delete":
        environments.delete(by=ada, environment=rows.environment("dev", of=of))
    else:
        environments.create(by=ada, name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    type(ada).objects.filter(pk=ada.pk).update(is_active=False)
    rows.run_everything()
    assert (latest().kind, latest().status, latest().intent_at) == (kind, status, None)


def test_a_deployment_does_not_start_for_somebody_who_is_gone(simulated):
    ada = rows.person("ada", Role.PLATFORM)
    of = rows.version(rows.template())
    environments.create(by=ada, name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    ada.delete()
    rows.run_everything()
    assert latest().status_message == "ada, who asked for this, does not exist any more."


# Rights that are taken away while AWS carries it out.


@pytest.mark.parametrize(("kind", "status"), [("create", "SUCCEEDED"), ("update", "SUCCEEDED"), ("delete", "gone")])
def test_what_is_under_way_when_the_right_goes_is_followed_to_its_end(simulated, kind, status):
    ada = rows.person("ada", Role.PLATFORM)
    of = rows.version(rows.template())
    if kind != "create":
        dev = rows.environment("dev", of=of)
    simulated["seconds"] = 1
    if kind == "create":
        environments.create(by=ada, name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    elif kind == "update":
        spec = "proton: EnvironmentSpec\nspec: {cluster_name: other}\n"
        environments.update(by=ada, environment=dev, deployment_type="CURRENT_VERSION", spec=spec)
    else:
        environments.delete(by=ada, environment=dev)
    while not latest().handle:
        rows.run_everything(1)
    type(ada).objects.filter(pk=ada.pk).update(role=Role.VIEWER)
    simulated["seconds"] = 0
    type(latest()).objects.filter(due_at__isnull=False).update(due_at=Now())
    rows.run_everything()
    assert (Environment.objects.first().latest.status if Environment.objects.exists() else "gone") == status


def test_a_deployment_whose_intent_was_written_begins_nothing_when_the_right_goes(simulated):
    ada = rows.person("ada", Role.PLATFORM)
    of = rows.version(rows.template())
    environments.create(by=ada, name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    simulated["unavailable_until"] = 10**12
    rows.run_everything(1)
    assert latest().intent_at is not None
    ada.delete()
    simulated["unavailable_until"] = 0
    type(latest()).objects.filter(due_at__isnull=False).update(due_at=Now())
    rows.run_everything()
    assert (latest().status, latest().status_message) == (
        "FAILED",
        "ada, who asked for this, does not exist any more.",
    )


def test_somebody_who_may_can_cancel_what_a_person_without_the_right_began(simulated):
    ada = rows.person("ada", Role.PLATFORM)
    dev = rows.environment("dev")
    simulated["seconds"] = 10**6
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: other}\n"
    environments.update(by=ada, environment=dev, deployment_type="CURRENT_VERSION", spec=spec)
    while not latest().handle:
        rows.run_everything(1)
    type(ada).objects.filter(pk=ada.pk).update(is_active=False)
    deployments.cancel(by=rows.person(), target=Environment.objects.get())
    rows.run_everything()
    assert latest().status == "CANCELLED"


def test_an_edit_begins_nothing_more_for_somebody_who_lost_the_right(simulated):
    home = rows.environment("home")
    of = rows.version(
        rows.template(TemplateKind.SERVICE),
        files=rows.service_files(schema=rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE),
        compatible=[home.template],
    )
    payments = rows.team("payments")
    ada = rows.person("ada", Role.DEVELOPER, [payments])
    service = services.create(by=ada, name="web", template=of.template, spec=rows.service_spec("home"), major=1)
    while service.instances.get().latest.is_running:
        runs.drive(service.instances.get().latest_id)
    ada.teams.clear()
    rows.run_everything()
    service.refresh_from_db()
    assert (service.status, service.instances.get().latest.status) == ("CREATE_FAILED", "SUCCEEDED")
    asked = "ada, who asked for this, may not change web any more. Ask team payments."
    assert service.status_message == f"The pipeline cannot be deployed: {asked}"
    assert service.pipeline.latest is None


def test_a_bundle_is_not_registered_for_somebody_who_is_no_admin_any_more(simulated):
    ada = rows.person("ada")
    data = tar_gz(rows.environment_files())
    version = registrations.register_version(by=ada, template=rows.template(), data=data)
    type(ada).objects.filter(pk=ada.pk).update(role=Role.DEVELOPER)
    registrations.drive(version.pk)
    version.refresh_from_db()
    assert (version.status, version.status_message) == (
        "REGISTRATION_FAILED",
        "ada, who sent this bundle, may not change templates any more.",
    )
