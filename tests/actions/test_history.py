"""Taking deployments out of the history."""

import pytest

from portal.actions import deployments, environments, services, templates, usage
from portal.actions import instances as instance_actions
from portal.enums import Provisioning, Role, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.models import AuditEvent, Bundle, Deployment, Environment, ServiceInstance, UsageRecord
from portal.queries.deployments import history_of, visible_to
from tests.factories import rows

pytestmark = pytest.mark.django_db
OTHER_FILES = rows.environment_files(code=rows.ENVIRONMENT_TEMPLATE + "# changed\n")


def moved(environment, version):
    environments.update(
        by=rows.person(),
        environment=environment,
        deployment_type="MINOR_VERSION",
        minor=version.minor,
    )
    rows.run_everything()
    return Environment.objects.get(pk=environment.pk)


@pytest.fixture
def template():
    return rows.template()


@pytest.fixture
def home(simulated, template):
    """Deployed with 1.0, then with 1.1."""
    home = rows.environment(of=rows.version(template, "1.0"))
    return moved(home, rows.version(template, "1.1", files=OTHER_FILES))


def intervals():
    return list(UsageRecord.objects.order_by("started_at").values_list("minor", "started_at", "ended_at"))


def test_usage_is_the_same_before_and_after_also_when_it_is_written_anew(home):
    first = Deployment.objects.earliest("created_at")
    before = intervals()
    deployments.delete(by=rows.person(), deployment=first)
    assert intervals() == before
    usage.rebuild()
    assert intervals() == before
    assert [len(before), before[0][2] == before[1][1]] == [2, True]


def test_what_it_held_is_gone_and_it_is_shown_nowhere(home):
    first = Deployment.objects.earliest("created_at")
    admin = rows.person()
    deployments.delete(by=admin, deployment=first)
    emptied = Deployment.objects.get(pk=first.pk)
    held = [emptied.events, emptied.outputs, emptied.provisioned_resources]
    assert [related.count() for related in held] == [0, 0, 0]
    assert [emptied.spec, emptied.inputs, emptied.context, emptied.rendered, emptied.bundle] == ["", {}, {}, {}, None]
    assert first not in visible_to(admin)
    assert [row.kind for row in history_of(home)] == ["update"]
    assert AuditEvent.objects.filter(action="deployment.delete", target=first.arn).count() == 1


def test_a_bundle_that_nothing_else_needs_goes_with_it(home, template):
    first = Deployment.objects.earliest("created_at")
    digest = first.bundle_id
    templates.delete_version(by=rows.person(), version=first.version)
    assert Bundle.objects.filter(pk=digest).exists()
    deployments.delete(by=rows.person(), deployment=first)
    assert not Bundle.objects.filter(pk=digest).exists()
    assert Bundle.objects.filter(pk=home.version.bundle_id).exists()


def test_what_the_target_shows_stays(home):
    with pytest.raises(Invalid, match="is the last successful one"):
        deployments.delete(by=rows.person(), deployment=home.deployed)


def test_of_a_target_that_is_gone_everything_can_be_taken_out(home):
    environments.delete(by=rows.person(), environment=home)
    rows.run_everything()
    for row in Deployment.objects.all():
        deployments.delete(by=rows.person(), deployment=row)
    assert not visible_to(rows.person()).exists()
    assert UsageRecord.objects.count() == 2


def test_it_is_taken_out_once_and_by_platform_engineers(home):
    first = Deployment.objects.earliest("created_at")
    with pytest.raises(Forbidden):
        deployments.delete(by=rows.person(role=Role.DEVELOPER), deployment=first)
    deployments.delete(by=rows.person(role=Role.PLATFORM), deployment=first)
    with pytest.raises(NotFound):
        deployments.delete(by=rows.person(role=Role.PLATFORM), deployment=first)


def test_instances_inherit_the_tags_that_their_service_has_and_fit_the_limit(simulated):
    service = rows.service(tags={f"key{number}": "x" for number in range(50)})
    assert ServiceInstance.objects.get().tags == service.tags
    home = ServiceInstance.objects.get().environment.name
    spec = rows.service_spec(home, "two")
    with pytest.raises(Invalid, match="at most 50 tags"):
        instance_actions.create(by=rows.person(), service=service, name="two", spec=spec, tags={"one more": "x"})


def test_a_service_without_a_pipeline_takes_no_repository(simulated):
    home = rows.environment()
    template = rows.template(TemplateKind.SERVICE, provisioning=Provisioning.CUSTOMER_MANAGED)
    of = rows.version(template, compatible=[home.template])
    with pytest.raises(Invalid) as caught:
        rows.service(of=of, spec=rows.service_spec(home.name), branch_name="main")
    assert [problem.path for problem in caught.value.problems] == ["/repository_id"]


def test_a_service_that_is_being_deleted_is_not_described_anew(simulated):
    service = rows.service()
    services.delete(by=rows.person(), service=service)
    with pytest.raises(Conflict):
        services.update(by=rows.person(), service=service, description="x")


def test_roles_stay_in_the_account_of_their_environment(simulated):
    home = rows.environment()
    asked = {"by": rows.person(), "environment": home, "deployment_type": "NONE"}
    environments.update(**asked, codebuild_role_arn=f"arn:aws:iam::{home.target_account_id}:role/build")
    with pytest.raises(Invalid) as caught:
        environments.update(**asked, component_role_arn="arn:aws:iam::222222222222:role/x")
    assert [problem.path for problem in caught.value.problems] == ["/component_role_arn"]
    home.refresh_from_db()
    assert (home.codebuild_role_arn.endswith("role/build"), home.component_role_arn) == (True, "")
