"""Services through the wire."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import quotas
from portal.enums import Provisioning, Role, TemplateKind
from portal.models import Deployment, Service, ServiceInstance
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
SPEC = rows.service_spec("home")
ASKED = {"name": "web", "templateName": "web-app", "templateMajorVersion": "1", "spec": SPEC}
REPOSITORY = {
    "branchName": "main",
    "repositoryId": "payments/web",
    "repositoryConnectionArn": "arn:aws:codestar-connections:us-east-1:123456789012:connection/1",
}


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
    return rows.version(template, compatible=[home.template])


@pytest.fixture
def web(developer, of):
    """Created through the wire, and active."""
    run(developer, "CreateService", **ASKED)
    rows.run_everything()
    return Service.objects.get(name="web")


def piped(of, number="2.0"):
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    version = rows.version(of.template, number, files=files)
    version.compatible_environments.create(template_name="vpc", major=1)
    return version


def shown(person, name="web"):
    return run(person, "GetService", name=name)["service"]


def test_a_service_is_created_and_its_members_are_shown(developer, of):
    tags = [{"key": "cost", "value": "1"}]
    made = run(developer, "CreateService", **ASKED, description="Shop", tags=tags)["service"]
    service = Service.objects.get()
    created = round(service.created_at.timestamp(), 3)
    assert made == {
        "arn": "arn:aws:proton:us-east-1:123456789012:service/web",
        "name": "web",
        "description": "Shop",
        "templateName": "web-app",
        "status": "CREATE_IN_PROGRESS",
        "spec": SPEC,
        "createdAt": created,
        "lastModifiedAt": round(service.last_modified_at.timestamp(), 3),
    }
    rows.run_everything()
    assert shown(developer)["status"] == "ACTIVE"
    assert shown(developer)["lastModifiedAt"] > made["lastModifiedAt"]
    assert ServiceInstance.objects.get().tags == {"cost": "1"}


def test_a_service_belongs_to_the_team_of_its_tag_or_of_its_maker(developer, of, team):
    other = rows.team("other")
    run(developer, "CreateService", **ASKED)
    platform = rows.person("platform", Role.PLATFORM)
    tagged = {**ASKED, "name": "api", "tags": [{"key": "deuteron:team", "value": "other"}]}
    run(platform, "CreateService", **tagged)
    assert [row.team for row in Service.objects.order_by("-name")] == [team, other]
    assert refused(developer, "CreateService", **{**tagged, "name": "x"})[0] == "AccessDeniedException"
    unknown = {**ASKED, "name": "x", "tags": [{"key": "deuteron:team", "value": "unknown"}]}
    assert refused(developer, "CreateService", **unknown)[0] == "ValidationException"


def test_a_service_with_a_pipeline_shows_it_from_the_beginning(developer, of):
    piped(of)
    made = run(developer, "CreateService", **{**ASKED, "templateMajorVersion": "2"}, **REPOSITORY)["service"]
    assert {name: made[name] for name in REPOSITORY} == REPOSITORY
    pipeline = made["pipeline"]
    assert (pipeline["arn"], pipeline["deploymentStatus"], pipeline["templateMajorVersion"]) == (
        "arn:aws:proton:us-east-1:123456789012:service/web/pipeline",
        "IN_PROGRESS",
        "2",
    )
    assert pipeline["lastDeploymentAttemptedAt"] == pipeline["createdAt"]
    rows.run_everything()
    done = shown(developer)["pipeline"]
    assert (done["deploymentStatus"], done["templateMinorVersion"]) == ("SUCCEEDED", "0")
    assert done["lastDeploymentSucceededAt"] == done["lastDeploymentAttemptedAt"]
    assert done["spec"] == SPEC


def test_repository_members_come_together_and_only_with_a_pipeline(developer, of):
    piped(of)
    asked = {**ASKED, "templateMajorVersion": "2"}
    for name in REPOSITORY:
        partly = {key: value for key, value in REPOSITORY.items() if key != name}
        assert refused(developer, "CreateService", **asked, **partly)[0] == "ValidationException"
    without = rows.template(TemplateKind.SERVICE, "plain", provisioning=Provisioning.CUSTOMER_MANAGED)
    rows.version(without, compatible=[of.template]).compatible_environments.create(template_name="vpc", major=1)
    plain = {**ASKED, "templateName": "plain"}
    assert refused(developer, "CreateService", **plain, **REPOSITORY)[0] == "ValidationException"
    assert "pipeline" not in run(developer, "CreateService", **plain)["service"]


def test_a_repeated_creation_gets_the_original_until_somebody_modifies_it(developer, of):
    first = run(developer, "CreateService", **ASKED)
    assert run(developer, "CreateService", **ASKED) == first
    rows.run_everything()
    assert run(developer, "CreateService", **ASKED)["service"]["status"] == "ACTIVE"
    assert refused(developer, "CreateService", **ASKED, description="other")[0] == "ValidationException"
    asked = {"name": "dev", "serviceName": "web", "deploymentType": "CURRENT_VERSION"}
    run(developer, "UpdateServiceInstance", **asked)
    assert refused(developer, "CreateService", **ASKED)[0] == "ConflictException"
    assert Deployment.objects.filter(kind="create", service_name="web").count() == 1


def test_what_is_missing_wrong_or_too_much_has_its_own_error(developer, of, monkeypatch):
    def error(**change):
        return refused(developer, "CreateService", **{**ASKED, **change})[0]

    assert error(templateName="unknown") == "ResourceNotFoundException"
    assert error(templateMajorVersion="9") == "ResourceNotFoundException"
    assert error(spec=SPEC.replace("image", "imag")) == "ValidationException"
    assert error(spec="proton: ServiceSpec\ninstances: {}\n") == "ValidationException"
    assert error(spec=rows.service_spec("unknown")) == "ValidationException"
    rows.service("other", of=of, spec=SPEC)
    assert error(name="other") == "ConflictException"
    many = rows.service_spec("home", *(f"i{number}" for number in range(21)))
    assert error(spec=many) == "ServiceQuotaExceededException"
    monkeypatch.setattr(quotas, "SERVICES", 1)
    assert error() == "ServiceQuotaExceededException"


def test_drafts_are_not_for_developers_and_never_chosen(developer, of):
    draft = rows.version(of.template, "1.1", status="DRAFT")
    draft.compatible_environments.create(template_name="vpc", major=1)
    asked = {**ASKED, "templateMinorVersion": "1"}
    assert refused(developer, "CreateService", **asked)[0] == "ResourceNotFoundException"
    run(developer, "CreateService", **ASKED)
    instance = run(developer, "GetServiceInstance", serviceName="web", name="dev")["serviceInstance"]
    assert instance["templateMinorVersion"] == "0"


def test_a_description_is_changed_at_once(developer, web):
    changed = run(developer, "UpdateService", name="web", description="changed")["service"]
    assert (changed["status"], changed["description"]) == ("ACTIVE", "changed")


def test_an_edit_adds_and_removes_instances_and_new_ones_inherit_the_tags_of_now(developer, web):
    platform = rows.person("platform", Role.PLATFORM)
    run(platform, "TagResource", resourceArn=web.arn, tags=[{"key": "cost", "value": "2"}])
    edited = run(developer, "UpdateService", name="web", spec=rows.service_spec("home", "one", "two"))["service"]
    assert edited["status"] == "UPDATE_IN_PROGRESS"
    rows.run_everything()
    assert shown(developer)["status"] == "ACTIVE"
    found = run(developer, "ListServiceInstances", serviceName="web")["serviceInstances"]
    assert [row["name"] for row in found] == ["one", "two"]
    assert [row.tags for row in ServiceInstance.objects.all()] == [{"cost": "2"}] * 2


def test_an_edit_keeps_inputs_and_fits_the_limit(developer, web):
    changed = rows.service_spec("home", image="app:2")
    assert refused(developer, "UpdateService", name="web", spec=changed)[0] == "ValidationException"
    many = rows.service_spec("home", "dev", *(f"i{number}" for number in range(20)))
    assert refused(developer, "UpdateService", name="web", spec=many)[0] == "ServiceQuotaExceededException"
    kept = rows.service_spec("home", "dev", "two").replace("image: 'app:1'", 'image: "${Proton::CURRENT_VAL}"', 1)
    run(developer, "UpdateService", name="web", spec=kept)
    assert "CURRENT_VAL" not in shown(developer)["spec"]


def test_a_busy_service_refuses_edits_and_deletion(developer, web):
    run(developer, "UpdateService", name="web", spec=rows.service_spec("home", "dev", "two"))
    assert refused(developer, "UpdateService", name="web", spec=SPEC)[0] == "ConflictException"
    assert refused(developer, "DeleteService", name="web")[0] == "ConflictException"


def test_a_deletion_is_repeated_without_a_second_one_and_ends_in_nothing(developer, web):
    first = run(developer, "DeleteService", name="web")["service"]
    assert first["status"] == "DELETE_IN_PROGRESS"
    assert run(developer, "DeleteService", name="web") == {"service": first}
    assert web.changes.filter(kind="delete").count() == 1
    assert refused(developer, "UpdateService", name="web", description="x")[0] == "ConflictException"
    assert refused(developer, "CreateService", **ASKED)[0] == "ConflictException"
    rows.run_everything()
    assert refused(developer, "GetService", name="web")[0] == "ResourceNotFoundException"
    assert run(developer, "DeleteService", name="web") == {}


def test_a_service_whose_creation_failed_is_deleted(developer, of, simulated):
    simulated["fail"] = "no"
    run(developer, "CreateService", **ASKED)
    rows.run_everything()
    assert shown(developer)["status"] == "CREATE_FAILED"
    del simulated["fail"]
    run(developer, "DeleteService", name="web")
    rows.run_everything()
    assert refused(developer, "GetService", name="web")[0] == "ResourceNotFoundException"


def test_an_unknown_service_is_not_found(developer):
    assert refused(developer, "GetService", name="x")[0] == "ResourceNotFoundException"
    assert refused(developer, "UpdateService", name="x", description="x")[0] == "ResourceNotFoundException"


def test_pages_hold_every_service_once_while_others_come(developer, of):
    for name in "abcd":
        rows.service(name, of=of, spec=SPEC)
    first = run(developer, "ListServices", maxResults=2)
    rows.service("aa", of=of, spec=SPEC)
    second = run(developer, "ListServices", maxResults=2, nextToken=first["nextToken"])
    assert [row["name"] for row in first["services"] + second["services"]] == list("abcd")
    assert ("nextToken" in second, {"spec", "pipeline"} & set(first["services"][0])) == (False, set())


def test_a_list_is_one_query_and_so_is_a_single_service_for_who_may_see_its_secrets(developer, of):
    version, ada = piped(of), rows.person("ada", Role.PLATFORM)

    def cost(operation, by=developer, **members):
        with CaptureQueriesContext(connection) as found:
            run(by, operation, **members)
        return len(found)

    for name in "abc":
        rows.service(name, of=version, spec=SPEC)
        assert cost("ListServices") == 1
    assert cost("GetService", by=ada, name="a") == 1


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("UpdateService", {"name": "web", "description": "x"}),
        ("DeleteService", {"name": "web"}),
        ("UpdateServiceInstance", {"name": "dev", "serviceName": "web", "deploymentType": "CURRENT_VERSION"}),
        ("CancelServiceInstanceDeployment", {"serviceInstanceName": "dev", "serviceName": "web"}),
        ("UpdateServicePipeline", {"serviceName": "web", "deploymentType": "NONE", "spec": SPEC}),
    ],
)
def test_services_are_changed_by_their_team_and_read_by_all(developer, web, operation, members):
    for other in (rows.person(role=Role.VIEWER), rows.person(role=Role.DEVELOPER, teams=[rows.team()])):
        assert refused(other, operation, **members)[0] == "AccessDeniedException"
        assert shown(other) == shown(developer)


def test_viewers_make_no_services(of):
    assert refused(rows.person(role=Role.VIEWER), "CreateService", **ASKED)[0] == "AccessDeniedException"
