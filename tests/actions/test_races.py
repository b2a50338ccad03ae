"""Two at once: each pair runs in threads of its own, and one of them is refused."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from portal.actions import components, connections, drafts, environments, instances, people, services, templates
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import PortalError
from portal.models import Component, Deployment, Environment, Service, ServiceInstance, TemplateVersion, User
from tests.factories import rows

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls: Callable[[], object]) -> list[str]:
    """The names of the refusals, "" for what went through; all calls start at once."""
    ready = threading.Barrier(len(calls))
    verdicts = [""] * len(calls)

    def run(index: int) -> None:
        try:
            ready.wait()
            calls[index]()
        except PortalError as refusal:
            verdicts[index] = type(refusal).__name__
        except Exception as wrong:  # what no door could translate
            verdicts[index] = repr(wrong)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


@pytest.fixture
def home(simulated) -> Environment:
    return rows.environment("home")


@pytest.fixture
def of(home):
    return rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])


def test_an_environment_is_not_deleted_under_a_service_that_is_being_made(home, of):
    by = rows.person()
    verdicts = together(
        lambda: environments.delete(by=by, environment=home),
        lambda: services.create(by=by, name="web", template=of.template, spec=rows.service_spec("home"), major=1),
    )
    made = ServiceInstance.objects.count()
    assert sorted(verdicts) in (["", "Conflict"], ["", "Invalid"])
    assert Deployment.objects.filter(kind="delete").count() + made == 1


def test_a_version_is_not_deleted_under_a_deployment_that_is_being_asked_for(simulated):
    template = rows.template()
    old = rows.version(template, "1.0")
    rows.version(template, "1.1")
    by = rows.person()
    verdicts = together(
        lambda: templates.delete_version(by=by, version=old),
        lambda: environments.create(by=by, name="dev", template=template, spec=rows.ENVIRONMENT_SPEC, major=1, minor=0),
    )
    assert sorted(verdicts) in (["", "Conflict"], ["", "NotFound"])
    assert TemplateVersion.objects.filter(minor=0).count() == Environment.objects.count()


def test_a_wizard_that_is_submitted_many_times_at_once_makes_one_service(home, of):
    by = rows.person(role=Role.DEVELOPER)
    draft = drafts.start(by=by, template=of.template, version=of)
    drafts.save(by=by, draft=draft, details={"name": "web"}, spec=rows.service_spec("home"))
    assert together(*[lambda: drafts.submit(by=by, draft=draft)] * 5) == [""] * 5
    assert (Service.objects.count(), ServiceInstance.objects.count()) == (1, 1)


def test_of_many_updates_of_one_instance_one_is_accepted(home, of):
    service = rows.service("web", of=of, spec=rows.service_spec("home"))
    instance, by = service.instances.get(), rows.person()
    spec = rows.service_spec("home", image="app:2")
    call = [lambda: instances.update(by=by, instance=instance, deployment_type="CURRENT_VERSION", spec=spec)]
    assert sorted(together(*call * 5)) == ["", *["Conflict"] * 4]
    assert Deployment.objects.filter(kind="update").count() == 1


def test_of_two_edits_of_one_service_one_is_accepted(home, of):
    service, by = rows.service("web", of=of, spec=rows.service_spec("home")), rows.person()
    verdicts = together(
        lambda: services.update(by=by, service=service, spec=rows.service_spec("home", "dev", "a")),
        lambda: services.update(by=by, service=service, spec=rows.service_spec("home", "dev", "b")),
    )
    assert sorted(verdicts) == ["", "Conflict"]
    assert service.instances.count() == 2


def test_of_many_services_of_one_name_one_is_made(home, of):
    by = rows.person()
    call = [lambda: services.create(by=by, name="web", template=of.template, spec=rows.service_spec("home"), major=1)]
    assert sorted(together(*call * 4)) == ["", *["Conflict"] * 3]


def make_component(name: str, **where: Any) -> Callable[[], object]:
    by = rows.person()
    texts: dict[str, Any] = {"manifest": rows.MANIFEST, "template_file": rows.COMPONENT_TEMPLATE}
    return lambda: components.create(by=by, name=name, **texts, **where)


def test_an_environment_is_not_deleted_under_a_component_that_is_being_made(simulated):
    home, by = rows.environment("home", component_role_arn=rows.COMPONENT_ROLE), rows.person()
    verdicts = together(
        lambda: environments.delete(by=by, environment=home), make_component("bucket", environment_name="home")
    )
    assert sorted(verdicts) == ["", "Conflict"]
    assert Deployment.objects.filter(kind="delete").count() + Component.objects.count() == 1


def test_of_many_components_for_one_instance_one_is_attached(simulated):
    rows.open_service()
    calls = [make_component(f"c{number}", service_name="web", instance_name="dev") for number in range(4)]
    assert sorted(together(*calls)) == ["", *["Conflict"] * 3]
    assert Component.objects.count() == 1


def test_a_service_is_not_deleted_under_a_component_that_is_being_attached(simulated):
    service, by = rows.open_service(), rows.person()
    verdicts = together(
        lambda: services.delete(by=by, service=service),
        make_component("bucket", service_name="web", instance_name="dev"),
    )
    assert sorted(verdicts) == ["", "Conflict"]


def test_of_an_instance_and_its_component_one_is_deployed_at_a_time(simulated):
    instance, by = rows.open_service().instances.get(), rows.person()
    made = rows.component("bucket", service_name="web", instance_name="dev")
    verdicts = together(
        lambda: instances.update(by=by, instance=instance, deployment_type="CURRENT_VERSION"),
        lambda: components.update(by=by, component=made, deployment_type="CURRENT_VERSION"),
    )
    assert sorted(verdicts) == ["", "Conflict"]
    assert Deployment.objects.filter(kind="update").count() == 1


def test_two_admins_cannot_step_down_at_once(simulated):
    ada, bob = rows.person("ada"), rows.person("bob")
    verdicts = together(
        lambda: people.update_user(by=ada, user=User.objects.get(pk=ada.pk), role=Role.VIEWER),
        lambda: people.update_user(by=bob, user=User.objects.get(pk=bob.pk), role=Role.VIEWER),
    )
    assert sorted(verdicts) == ["", "Conflict"]
    assert User.objects.filter(role=Role.ADMIN).count() == 1


def test_a_version_that_is_published_while_it_registers_is_published_in_the_end(simulated):
    from portal.actions import registrations
    from tests.actions.test_templates import archive

    by = rows.person()
    template = rows.template()
    version = registrations.register_version(by=by, template=template, data=archive(rows.environment_files()))
    verdicts = together(
        lambda: registrations.drive(version.pk),
        lambda: templates.publish_version(by=by, version=TemplateVersion.objects.get(pk=version.pk)),
    )
    assert verdicts == ["", ""]
    assert TemplateVersion.objects.get().status == TemplateVersionStatus.PUBLISHED


def test_a_connection_is_not_rejected_under_an_environment_that_is_being_made(simulated):
    of, by = rows.version(rows.template()), rows.person()
    connection = rows.connection("prod")
    verdicts = together(
        lambda: connections.reject(by=by, account_id="123456789012", connection=connection),
        lambda: environments.create(
            by=by, name="prod", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1, connection=connection
        ),
    )
    connection.refresh_from_db()
    assert sorted(verdicts) in (["", "Conflict"], ["", "Invalid"])
    assert (connection.status == "CONNECTED") == Environment.objects.exists()


def test_the_same_connection_is_asked_for_once(simulated):
    by = rows.person()
    ask = [lambda: rows.connection("prod", status="PENDING", by=by)] * 3
    assert sorted(together(*ask)) == ["", "Conflict", "Conflict"]
