"""Services: their instances in order, then the pipeline, and AWS Proton's rules when something fails."""

import pytest

from portal.actions import deployments, instances, services
from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import Deployment, Environment, Service, ServiceInstance
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(simulated) -> Environment:
    return rows.environment("home")


@pytest.fixture
def of(home):
    return rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])


@pytest.fixture
def with_pipeline(home):
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    return rows.version(rows.template(TemplateKind.SERVICE, "piped"), files=files, compatible=[home.template])


def statuses(service: Service) -> dict[str, str]:
    return {row.name: row.deployment_status for row in service.instances.select_related("latest")}


def refreshed(service: Service) -> Service:
    return Service.objects.get(pk=service.pk)


def test_a_created_service_is_active_when_all_instances_are_deployed(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "prod"))
    assert service.status == ServiceStatus.ACTIVE
    assert statuses(service) == {"dev": "SUCCEEDED", "prod": "SUCCEEDED"}


def test_instances_see_the_outputs_of_their_environment(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home"))
    context = service.instances.get().deployed.context
    assert context["environment"]["outputs"] == {"QueueUrl": "https://queue"}


def test_a_service_is_owned_by_the_team_of_its_maker(home, of):
    payments = rows.team("payments")
    maker = rows.person(role=Role.DEVELOPER, teams=[payments])
    service = rows.service("web", by=maker, of=of, spec=rows.service_spec("home"))
    assert service.team == payments


def test_a_stranger_to_the_team_may_not_change_the_service(home, of):
    maker = rows.person(role=Role.DEVELOPER, teams=[rows.team("payments")])
    service = rows.service("web", by=maker, of=of, spec=rows.service_spec("home"))
    stranger = rows.person(role=Role.DEVELOPER, teams=[rows.team("search")])
    with pytest.raises(Forbidden, match="Ask team payments"):
        services.delete(by=stranger, service=service)
    with pytest.raises(Forbidden, match="Ask team payments"):
        deployments.cancel(by=stranger, target=service.instances.get())


def test_an_unknown_environment_is_refused_at_its_field(home, of):
    with pytest.raises(Invalid) as caught:
        services.create(by=rows.person(), name="web", template=of.template, spec=rows.service_spec("nowhere"), major=1)
    assert [(p.path, p.message) for p in caught.value.problems] == [
        ("/instances/0/environment", "There is no environment named nowhere.")
    ]


def test_an_environment_of_another_template_is_refused(home, of):
    other = rows.environment("other")
    with pytest.raises(Invalid) as caught:
        services.create(by=rows.person(), name="web", template=of.template, spec=rows.service_spec("other"), major=1)
    assert [p.path for p in caught.value.problems] == ["/instances/0/environment"]
    assert f"({other.template.name} 1) does not fit" in caught.value.problems[0].message


def test_an_environment_that_is_being_deleted_is_refused(home, of, simulated):
    from portal.actions import environments

    simulated["seconds"] = 60
    environments.delete(by=rows.person(), environment=home)
    with pytest.raises(Invalid, match="Environment home is being deleted"):
        services.create(by=rows.person(), name="web", template=of.template, spec=rows.service_spec("home"), major=1)


def test_every_problem_of_a_spec_is_reported_at_once(home, of):
    spec = (
        "proton: ServiceSpec\ninstances:\n"
        "- {name: a, environment: home, spec: {port: 0}}\n"
        "- {name: b, environment: home, spec: {image: [1], port: x}}\n"
    )
    with pytest.raises(Invalid) as caught:
        services.create(by=rows.person(), name="web", template=of.template, spec=spec, major=1)
    assert sorted(problem.path for problem in caught.value.problems) == [
        "/instances/0/spec/image",
        "/instances/0/spec/port",
        "/instances/1/spec/image",
        "/instances/1/spec/port",
    ]


def test_when_an_instance_fails_the_service_and_its_pipeline_fail(home, with_pipeline, simulated):
    simulated["fail"] = "no capacity"
    service = rows.service("web", of=with_pipeline, spec=rows.service_spec("home"))
    assert service.status == ServiceStatus.CREATE_FAILED
    assert service.pipeline.deployment_status == DeploymentStatus.FAILED
    assert service.pipeline.status_message == (
        "Service Instance(s): [dev] failed to deploy - canceling pipeline deployment"
    )


def test_retrying_the_failed_instance_makes_the_service_active(home, with_pipeline, simulated):
    simulated["fail"] = "no capacity"
    service = rows.service("web", of=with_pipeline, spec=rows.service_spec("home"))
    del simulated["fail"]
    deployments.retry(by=rows.person(), deployment=service.instances.get().latest)
    rows.run_everything()
    service = refreshed(service)
    assert service.status == ServiceStatus.ACTIVE
    assert service.pipeline.deployment_status == DeploymentStatus.SUCCEEDED


def test_the_pipeline_is_rendered_with_all_instances_after_them(home, with_pipeline):
    service = rows.service("web", of=with_pipeline, spec=rows.service_spec("home", "dev", "prod"))
    context = service.pipeline.deployed.context
    assert [instance["name"] for instance in context["service_instances"]] == ["dev", "prod"]
    assert context["pipeline"]["inputs"] == {"unit_test_command": "make test"}


def test_an_edit_adds_and_removes_instances_and_keeps_the_others(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    kept = service.instances.get(name="dev").latest
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "new"))
    rows.run_everything()
    service = refreshed(service)
    assert service.status == ServiceStatus.ACTIVE
    assert statuses(service) == {"dev": "SUCCEEDED", "new": "SUCCEEDED"}
    assert service.instances.get(name="dev").latest == kept


def test_an_edit_may_not_change_inputs_of_kept_instances(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    with pytest.raises(Invalid, match="dev is kept"):
        services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", image="app:2"))


def test_when_a_new_instance_fails_all_new_ones_are_removed_and_the_spec_is_restored(home, of, simulated):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    before = service.spec
    simulated["fail"] = "no capacity"
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "a", "b"))
    for _ in range(3):
        rows.run_everything(rounds=1)
    simulated.pop("fail")
    rows.run_everything()
    service = refreshed(service)
    assert service.status == ServiceStatus.UPDATE_FAILED_CLEANUP_COMPLETE
    assert statuses(service) == {"dev": "SUCCEEDED"}
    assert service.spec == before


def test_an_instance_that_cannot_be_deleted_stays_and_is_tried_again_with_the_next_edit(home, of, simulated):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "old"))
    simulated["fail"] = "bucket not empty"
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev"))
    rows.run_everything()
    service = refreshed(service)
    assert service.status == ServiceStatus.UPDATE_COMPLETE_CLEANUP_FAILED
    assert statuses(service) == {"dev": "SUCCEEDED", "old": "DELETE_FAILED"}
    del simulated["fail"]
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev"))
    rows.run_everything()
    service = refreshed(service)
    assert (service.status, statuses(service)) == (ServiceStatus.ACTIVE, {"dev": "SUCCEEDED"})


def test_a_deleted_service_takes_its_instances_and_pipeline_with_it(home, with_pipeline):
    service = rows.service("web", of=with_pipeline, spec=rows.service_spec("home", "dev", "prod"))
    services.delete(by=rows.person(), service=service)
    rows.run_everything()
    assert not Service.objects.exists()
    assert not ServiceInstance.objects.exists()
    assert Deployment.objects.filter(service_name="web", status="DELETE_COMPLETE").count() == 3


def test_an_edit_while_another_runs_is_a_conflict(home, of, simulated):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    simulated["seconds"] = 60
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "b"))
    with pytest.raises(Conflict, match="web is busy: updating"):
        services.update(by=rows.person(), service=refreshed(service), spec=rows.service_spec("home", "dev", "c"))


def test_instances_added_later_get_the_recommended_minor_of_the_highest_major_in_use(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    newer = rows.version(of.template, "1.1", compatible=[home.template])
    rows.version(of.template, "2.0", compatible=[home.template])
    services.update(by=rows.person(), service=service, spec=rows.service_spec("home", "dev", "b"))
    rows.run_everything()
    assert service.instances.get(name="b").version == newer


def test_an_instance_update_reads_its_own_entry_only(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "prod"))
    instances.update(
        by=rows.person(),
        instance=service.instances.get(name="dev"),
        deployment_type="CURRENT_VERSION",
        spec=rows.service_spec("home", "dev", "prod", image="app:2"),
    )
    rows.run_everything()
    inputs = {row.name: row.deployed.inputs["image"] for row in service.instances.select_related("deployed")}
    assert inputs == {"dev": "app:2", "prod": "app:1"}
    assert refreshed(service).status == ServiceStatus.ACTIVE


def test_current_val_keeps_the_stored_value(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    spec = (
        "proton: ServiceSpec\ninstances:\n"
        "- {name: dev, environment: home, spec: {image: '${Proton::CURRENT_VAL}', port: 99}}\n"
    )
    instances.update(by=rows.person(), instance=service.instances.get(), deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    assert service.instances.get().deployed.inputs == {"image": "app:1", "port": 99}


def test_current_val_may_stand_for_nothing_in_what_is_not_applied(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    spec = (
        "proton: ServiceSpec\npipeline: {branch: '${Proton::CURRENT_VAL}'}\ninstances:\n"
        "- {name: dev, environment: home, spec: {image: 'app:2'}}\n"
        "- {name: gone, environment: home, spec: {image: '${Proton::CURRENT_VAL}'}}\n"
    )
    by, instance = rows.person(), service.instances.get()
    instances.update(by=by, instance=instance, deployment_type="CURRENT_VERSION", spec=spec)
    rows.run_everything()
    assert service.instances.get().deployed.inputs["image"] == "app:2"
    with pytest.raises(Invalid, match="needs a value that is already stored"):
        instances.create(by=by, service=service, name="gone", spec=spec)


def test_one_instance_can_be_created_on_its_own(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home", "dev"))
    instances.create(
        by=rows.person(), service=service, name="blue", spec=rows.service_spec("home", "blue", image="app:9")
    )
    rows.run_everything()
    assert statuses(service) == {"dev": "SUCCEEDED", "blue": "SUCCEEDED"}
    assert refreshed(service).status == ServiceStatus.ACTIVE
