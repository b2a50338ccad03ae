"""Edits of services beside everything else that happens to them: failures, retries, pipelines that come."""

import pytest

from portal.actions import deployments, instances, pipelines, services
from portal.actions.finishing import finish
from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind
from portal.errors import Conflict, Invalid, NotFound, QuotaExceeded
from portal.models import AuditEvent, Deployment, Environment, Service, ServiceChange, ServicePipeline
from provisioning.engines.base import Outcome
from provisioning.spec import parse_spec
from tests.factories import rows

pytestmark = pytest.mark.django_db

PIPED = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)


@pytest.fixture
def home(simulated) -> Environment:
    return rows.environment("home")


@pytest.fixture
def of(home):
    return rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])


@pytest.fixture
def piped(home):
    return rows.version(rows.template(TemplateKind.SERVICE, "piped"), files=PIPED, compatible=[home.template])


def refreshed(service: Service) -> Service:
    return Service.objects.get(pk=service.pk)


def images(service: Service) -> dict[str, str]:
    spec = parse_spec(refreshed(service).spec, "service")[0]
    assert spec is not None
    return {entry.name: entry.inputs["image"] for entry in spec.instances}


def update(service: Service, name: str, spec: str):
    return instances.update(
        by=rows.person(), instance=service.instances.get(name=name), deployment_type="CURRENT_VERSION", spec=spec
    )


def test_an_update_of_a_kept_instance_survives_the_undoing_of_an_edit(home, of, simulated):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    update(service, "dev", rows.service_spec("home", "dev", image="app:2"))
    new = service.instances.get(name="new")
    finish(new.latest, Outcome("failed", reason="no capacity"))
    rows.run_everything()
    assert refreshed(service).status == ServiceStatus.UPDATE_FAILED_CLEANUP_COMPLETE
    assert images(service) == {"dev": "app:2", "old": "app:1"}


def test_an_instance_that_an_edit_removes_is_locked_meanwhile(home, of, simulated):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    with pytest.raises(Conflict, match="web is being changed, and web/old with it"):
        update(service, "old", rows.service_spec("home", "old", image="app:2"))
    rows.run_everything()
    assert images(service) == {"dev": "app:1", "new": "app:1"}


@pytest.mark.parametrize("stage", ["editing", "deleting"])
def test_the_pipeline_is_locked_while_its_service_is_edited_or_deleted(home, piped, simulated, stage):
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    if stage == "editing":
        services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    else:
        services.delete(by=rows.person(), service=service)
    with pytest.raises(Conflict, match="web is being"):
        pipelines.update(by=rows.person(), service=service, deployment_type="CURRENT_VERSION", spec=service.spec)


def test_an_edit_without_a_pipeline_section_keeps_the_pipelines_inputs(home, piped):
    spec = rows.service_spec("home", "dev") + "pipeline: {unit_test_command: tox}\n"
    service = rows.service("web", of=piped, spec=spec)
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    rows.run_everything()
    pipeline = refreshed(service).pipeline
    assert pipeline.deployed.inputs == {"unit_test_command": "tox"}
    assert pipeline.deployed.kind == "update"


@pytest.mark.parametrize(
    ("inputs", "pipeline", "wrong"),
    [
        ("{image: 'app:1'}", "{}", []),
        ("{image: 'app:1', port: '8080', other: 1}", "{unit_test_command: make test}", []),
        ("{image: 'app:2'}", "{unit_test_command: tox}", ["/instances/0", "/pipeline"]),
        ("{image: 'app:1', port: many}", "{}", ["/instances/0"]),
    ],
)
def test_an_edit_that_writes_out_defaults_or_drops_unknown_inputs_changes_no_input(
    home, piped, inputs, pipeline, wrong
):
    stored = "proton: ServiceSpec\ninstances:\n- {name: dev, environment: home, spec: {image: 'app:1', gone: 2}}\n"
    service = rows.service("web", of=piped, spec=stored + "pipeline: {gone: 3}\n")
    entry = f"- {{name: dev, environment: home, spec: {inputs}}}\n"
    spec = f"proton: ServiceSpec\npipeline: {pipeline}\ninstances:\n{entry}"
    problems = []
    try:
        services.update(by=rows.person(), service=service, spec=spec)
    except Invalid as refusal:
        problems = [problem.path for problem in refusal.problems]
    assert problems == wrong


def test_problems_of_an_added_instance_point_to_its_place_in_the_whole_spec(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    spec = rows.service_spec("home", "dev") + "  - {name: new, environment: home, spec: {port: 0}}\n"
    with pytest.raises(Invalid) as caught:
        services.update(by=rows.person(), service=service, spec=spec)
    assert sorted(problem.path for problem in caught.value.problems) == [
        "/instances/1/spec/image",
        "/instances/1/spec/port",
    ]


def test_current_val_is_resolved_in_what_is_stored_also_when_an_edit_adds_an_instance(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    spec = (
        "proton: ServiceSpec\ninstances:\n"
        "- {name: dev, environment: home, spec: {image: '${Proton::CURRENT_VAL}'}}\n"
        "- {name: new, environment: home, spec: {image: 'app:3'}}\n"
    )
    services.update(by=rows.person(), service=service, spec=spec)
    rows.run_everything()
    assert "CURRENT_VAL" not in service.instances.get(name="new").spec
    assert images(service) == {"dev": "app:1", "new": "app:3"}


# What could not be deleted.


@pytest.fixture
def leftover(home, of, simulated) -> Service:
    """A service whose edit could not delete the instance "old"."""
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    simulated["fail"] = "bucket not empty"
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev"))
    rows.run_everything()
    del simulated["fail"]
    return refreshed(service)


def test_what_could_not_be_deleted_is_neither_updated_nor_listed_again(leftover):
    both = rows.service_spec("home", "dev", "old")
    with pytest.raises(Conflict, match="web/old could not be deleted: delete it again instead"):
        update(leftover, "old", both)
    with pytest.raises(Conflict, match="web/old could not be deleted"):
        services.update(by=rows.person(), service=leftover, spec=both)


def test_retrying_the_deletion_that_failed_makes_the_service_active_again(leftover):
    deployments.retry(by=rows.person(), deployment=leftover.instances.get(name="old").latest)
    rows.run_everything()
    service = refreshed(leftover)
    assert (service.status, list(service.instances.values_list("name", flat=True))) == ("ACTIVE", ["dev"])
    assert Deployment.objects.filter(instance_name="old", kind="delete").count() == 2


def test_the_next_edit_waits_for_the_deletion_that_it_tries_again(leftover, simulated):
    simulated["fail"] = "still not empty"
    services.update(by=rows.person(), service=leftover, spec=rows.service_spec("home", "dev"))
    rows.run_everything()
    service = refreshed(leftover)
    assert service.status == ServiceStatus.UPDATE_COMPLETE_CLEANUP_FAILED
    assert service.status_message == "Could not be deleted: old."
    assert Deployment.objects.filter(instance_name="old", kind="delete").count() == 2


def test_a_removal_is_started_once_whatever_the_clock_of_the_worker_says(leftover, simulated):
    simulated["fail"] = "still not empty"
    services.update(by=rows.person(), service=leftover, spec=rows.service_spec("home", "dev"))
    ServiceChange.objects.filter(finished_at__isnull=True).update(created_at="2999-01-01T00:00Z")
    rows.run_everything()
    assert Deployment.objects.filter(instance_name="old", kind="delete").count() == 2


def test_what_could_not_be_deleted_counts_for_the_limit_of_instances(leftover):
    names = ["dev", *(f"i{number}" for number in range(19))]
    with pytest.raises(QuotaExceeded, match="at most 20 instances"):
        services.update(by=rows.person(), service=leftover, spec=rows.service_spec("home", *names))


def test_a_service_whose_deletion_failed_goes_on_with_the_retry_of_one_instance(home, piped, simulated):
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    simulated["fail"] = "bucket not empty"
    services.delete(by=rows.person(), service=service)
    rows.run_everything()
    assert refreshed(service).status == ServiceStatus.DELETE_FAILED
    del simulated["fail"]
    deployments.retry(by=rows.person(), deployment=service.instances.get().latest)
    rows.run_everything()
    assert not Service.objects.exists()


# A first deployment that failed.


@pytest.fixture
def failed(home, piped, simulated) -> Service:
    simulated["fail"] = "no capacity"
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    del simulated["fail"]
    return service


def test_a_service_that_failed_to_be_created_can_be_deleted(failed):
    services.delete(by=rows.person(), service=failed)
    rows.run_everything()
    assert not Service.objects.exists()


def test_a_service_that_failed_to_be_created_becomes_active_with_an_update_of_the_instance(failed):
    update(failed, "dev", rows.service_spec("home", "dev", image="app:2"))
    rows.run_everything()
    service = refreshed(failed)
    assert (service.status, service.pipeline.deployment_status) == ("ACTIVE", "SUCCEEDED")
    assert service.instances.get().deployed.inputs["image"] == "app:2"


def test_the_pipeline_that_was_cancelled_can_be_retried_with_its_inputs(failed, simulated):
    deployments.retry(by=rows.person(), deployment=failed.pipeline.latest)
    rows.run_everything()
    service = refreshed(failed)
    assert service.pipeline.deployed.inputs == {"unit_test_command": "make test"}
    assert service.status == ServiceStatus.CREATE_FAILED  # its instance is still not there


def test_a_pipeline_that_failed_is_deployed_once_by_its_retry(home, piped, simulated):
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    simulated["fail"] = "no capacity"
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev"))
    ServicePipeline.objects.update(deployed=None, version=None)  # as if it had never been deployed
    Deployment.objects.filter(target_type="SERVICE_PIPELINE").update(identifier="")
    rows.run_everything()
    Service.objects.update(status=ServiceStatus.CREATE_FAILED)
    before = Deployment.objects.filter(target_type="SERVICE_PIPELINE").count()
    del simulated["fail"]
    deployments.retry(by=rows.person(), deployment=ServicePipeline.objects.get().latest)
    rows.run_everything()
    assert refreshed(service).status == ServiceStatus.ACTIVE
    assert Deployment.objects.filter(target_type="SERVICE_PIPELINE").count() == before + 1


def test_an_update_of_the_pipeline_ends_the_failure_of_the_service(home, simulated):
    code = rows.PIPELINE_TEMPLATE.replace("{{ service.name }}", "{{ service_instances | length }}")
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=code)
    of = rows.version(rows.template(TemplateKind.SERVICE), files=files, compatible=[home.template])
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    rows.run_everything(rounds=1)  # the instance is there, the pipeline is next
    simulated["fail"] = "no capacity"
    rows.run_everything()
    assert refreshed(service).status == ServiceStatus.UPDATE_FAILED
    del simulated["fail"]
    spec = refreshed(service).spec
    pipelines.update(by=rows.person(), service=service, deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    assert refreshed(service).status == ServiceStatus.ACTIVE


# Pipelines that come.


def test_a_service_gets_a_pipeline_with_the_first_version_that_has_one(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    rows.version(of.template, "1.1", files=PIPED, compatible=[home.template])
    with pytest.raises(NotFound, match="web has no pipeline"):
        pipelines.update(by=rows.person(), service=service, deployment_type="MINOR_VERSION", spec=service.spec)
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    rows.run_everything()
    service = refreshed(service)
    assert (service.status, service.pipeline.deployment_status) == ("ACTIVE", "SUCCEEDED")
    services.delete(by=rows.person(), service=service)
    rows.run_everything()
    assert not Service.objects.exists()


def test_a_pipeline_is_made_by_its_own_update_once_an_instance_runs_a_version_with_one(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    newer = rows.version(of.template, "1.1", files=PIPED, compatible=[home.template])
    instances.update(by=rows.person(), instance=service.instances.get(), deployment_type="MINOR_VERSION")
    rows.run_everything()
    pipelines.update(by=rows.person(), service=service, deployment_type="CURRENT_VERSION", spec=service.spec)
    rows.run_everything()
    assert refreshed(service).pipeline.version == newer


def test_a_pipeline_does_not_move_to_a_version_without_one(home, piped):
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    rows.version(piped.template, "1.1", compatible=[home.template])
    with pytest.raises(Invalid, match="has no pipeline: it cannot replace the one of web"):
        pipelines.update(by=rows.person(), service=service, deployment_type="MINOR_VERSION", spec=service.spec)


# Ends.


def test_an_edit_whose_author_is_gone_ends_with_the_reason(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    ada = rows.person("ada", Role.PLATFORM)
    services.update(by=ada, service=service, spec=rows.service_spec("home", "dev"))
    ada.delete()
    rows.run_everything()
    service = refreshed(service)
    assert (service.status, service.status_message) == (
        ServiceStatus.UPDATE_FAILED,
        "ada, who asked for this, does not exist any more.",
    )


def test_an_edit_that_kills_every_worker_is_given_up(home, of):
    from portal.actions import service_changes

    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev"))
    ServiceChange.objects.filter(finished_at__isnull=True).update(attempts=service_changes.MAX_ATTEMPTS)
    rows.run_everything()
    assert refreshed(service).status_message == "8 workers in a row did not survive this step."


def test_every_end_of_a_service_is_audited_once(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    services.delete(by=rows.person(), service=service)
    rows.run_everything()
    found = AuditEvent.objects.filter(target=service.arn).order_by("id").values_list("action", flat=True)
    assert list(found) == ["service.create", "service.active", "service.delete", "service.deleted"]


def test_a_service_whose_pipeline_is_being_deployed_is_not_deleted(home, piped, simulated):
    service = rows.service("web", of=piped, spec=rows.service_spec("home", "dev"))
    spec = service.spec + "pipeline: {unit_test_command: tox}\n"
    pipelines.update(by=rows.person(), service=service, deployment_type="CURRENT_VERSION", spec=spec)
    with pytest.raises(Conflict, match="A deployment of web pipeline is running"):
        services.delete(by=rows.person(), service=service)
    assert ServicePipeline.objects.get().deployment_status == DeploymentStatus.IN_PROGRESS
