"""Service instances through the wire."""

from datetime import UTC

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.enums import Role, TemplateKind
from portal.models import Deployment, ServiceInstance
from portal.queries.instances import ORDERS
from portal.wire import paging
from portal.wire.errors import AwsError
from portal.wire.service_model import service_model
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
SPEC = rows.service_spec("home", "dev")
OTHER_SPEC = rows.service_spec("home", "dev", image="app:2")
DEV = {"serviceName": "web", "name": "dev"}
TWO = {"serviceName": "web", "name": "two", "spec": rows.service_spec("home", "two")}


@pytest.fixture
def platform(simulated):
    return rows.person("platform", Role.PLATFORM)


@pytest.fixture
def of(platform):
    home = rows.environment("home", of=rows.version(rows.template(name="vpc")))
    return rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])


@pytest.fixture
def web(platform, of):
    return rows.service("web", of=of, spec=SPEC, tags={"cost": "1"})


def newer(of, number, status="PUBLISHED"):
    version = rows.version(of.template, number, status=status)
    version.compatible_environments.create(template_name="vpc", major=1)
    return version


def shown(person, **which):
    return run(person, "GetServiceInstance", **(which or DEV))["serviceInstance"]


def test_an_instance_is_shown_with_what_its_last_success_deployed(platform, web):
    row = ServiceInstance.objects.get()
    seconds = round(row.deployed.created_at.timestamp(), 3)
    assert shown(platform) == {
        "arn": "arn:aws:proton:us-east-1:123456789012:service/web/service-instance/dev",
        "name": "dev",
        "serviceName": "web",
        "environmentName": "home",
        "templateName": "web-app",
        "templateMajorVersion": "1",
        "templateMinorVersion": "0",
        "deploymentStatus": "SUCCEEDED",
        "createdAt": round(row.created_at.timestamp(), 3),
        "lastDeploymentAttemptedAt": seconds,
        "lastDeploymentSucceededAt": seconds,
        "lastAttemptedDeploymentId": str(row.deployed_id),
        "lastSucceededDeploymentId": str(row.deployed_id),
        "spec": SPEC,
    }


def test_an_instance_is_added_with_its_own_tags_beside_the_services(platform, web, of):
    newer(of, "1.1")
    newer(of, "1.2", "DRAFT")
    asked = {**TWO, "tags": [{"key": "stage", "value": "two"}], "clientToken": "one"}
    made = run(platform, "CreateServiceInstance", **asked)["serviceInstance"]
    assert (made["deploymentStatus"], made["environmentName"], made["lastClientRequestToken"]) == (
        "IN_PROGRESS",
        "home",
        "one",
    )
    assert (made["templateMajorVersion"], made["templateMinorVersion"], "spec" in made) == ("1", "1", False)
    assert run(platform, "GetService", name="web")["service"]["status"] == "UPDATE_IN_PROGRESS"
    rows.run_everything()
    assert ServiceInstance.objects.get(name="two").tags == {"cost": "1", "stage": "two"}
    service = run(platform, "GetService", name="web")["service"]
    assert (service["status"], "two" in service["spec"]) == ("ACTIVE", True)


def test_a_token_makes_one_instance_and_fits_one_request(platform, web):
    asked = {**TWO, "clientToken": "one"}
    first = run(platform, "CreateServiceInstance", **asked)
    assert run(platform, "CreateServiceInstance", **asked) == first
    other = {**asked, "name": "three", "spec": rows.service_spec("home", "three")}
    name, message = refused(platform, "CreateServiceInstance", **other)
    assert (name, message.split(":")[0]) == ("ValidationException", "IdempotentParameterMismatch")
    assert ServiceInstance.objects.filter(name="two").count() == 1


def test_what_is_missing_wrong_or_in_the_way_has_its_own_error(platform, web, of):
    def error(**change):
        return refused(platform, "CreateServiceInstance", **{**TWO, **change})[0]

    assert error(serviceName="unknown") == "ResourceNotFoundException"
    assert error(templateMajorVersion="9") == "ResourceNotFoundException"
    assert error(templateMinorVersion="0") == "ValidationException"
    assert error(name="three") == "ValidationException"  # the spec has no such instance
    assert error(name="dev", spec=SPEC) == "ConflictException"
    assert error(spec=rows.service_spec("unknown", "two")) == "ValidationException"
    full = rows.service("full", of=of, spec=rows.service_spec("home", *(f"i{number}" for number in range(20))))
    assert error(serviceName=full.name) == "ValidationException"  # AWS Proton declares no other error here
    run(platform, "CreateServiceInstance", **TWO)
    assert error(name="three", spec=rows.service_spec("home", "three")) == "ConflictException"


def test_an_update_reads_its_own_entry_and_shows_the_old_values_until_it_succeeds(platform, web, of, simulated):
    newer(of, "1.1")
    spec = OTHER_SPEC + "  - name: stranger\n    environment: unknown\n    spec: {}\npipeline: {x: y}\n"
    asked = {**DEV, "deploymentType": "MINOR_VERSION", "spec": spec}
    simulated["fail"] = "no"
    running = run(platform, "UpdateServiceInstance", **asked)["serviceInstance"]
    assert (running["deploymentStatus"], running["templateMinorVersion"]) == ("IN_PROGRESS", "0")
    assert running["spec"] == SPEC
    rows.run_everything()
    failed = shown(platform)
    assert (failed["deploymentStatus"], failed["templateMinorVersion"], failed["spec"]) == ("FAILED", "0", SPEC)
    assert run(platform, "GetService", name="web")["service"]["status"] == "ACTIVE"
    del simulated["fail"]
    run(platform, "UpdateServiceInstance", **asked)
    rows.run_everything()
    done = shown(platform)
    assert (done["deploymentStatus"], done["templateMinorVersion"], "app:2" in done["spec"]) == ("SUCCEEDED", "1", True)
    assert "stranger" not in done["spec"]


def test_an_update_without_a_spec_deploys_the_stored_one(platform, web):
    run(platform, "UpdateServiceInstance", **DEV, deploymentType="CURRENT_VERSION")
    rows.run_everything()
    assert "app:1" in shown(platform)["spec"]


def test_none_deploys_nothing(platform, web):
    before = shown(platform)
    asked = {**DEV, "deploymentType": "NONE", "spec": OTHER_SPEC}
    assert run(platform, "UpdateServiceInstance", **asked) == {"serviceInstance": before}


def test_a_token_updates_once(platform, web):
    asked = {**DEV, "deploymentType": "CURRENT_VERSION", "spec": OTHER_SPEC, "clientToken": "one"}
    first = run(platform, "UpdateServiceInstance", **asked)
    assert first["serviceInstance"]["lastClientRequestToken"] == "one"
    assert run(platform, "UpdateServiceInstance", **asked) == first
    rows.run_everything()
    assert run(platform, "UpdateServiceInstance", **asked)["serviceInstance"]["deploymentStatus"] == "SUCCEEDED"
    name, message = refused(platform, "UpdateServiceInstance", **{**asked, "spec": SPEC})
    assert (name, message.split(":")[0]) == ("ValidationException", "IdempotentParameterMismatch")
    assert Deployment.objects.filter(instance_name="dev").count() == 2


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"deploymentType": "CURRENT_VERSION", "templateMajorVersion": "1"}, "ValidationException"),
        ({"deploymentType": "MINOR_VERSION", "templateMajorVersion": "2"}, "ValidationException"),
        ({"deploymentType": "MAJOR_VERSION"}, "ValidationException"),
        ({"deploymentType": "CURRENT_VERSION", "spec": rows.service_spec("home", "other")}, "ValidationException"),
        ({"deploymentType": "CURRENT_VERSION", "spec": rows.service_spec("else", "dev")}, "ValidationException"),
        ({"deploymentType": "MINOR_VERSION", "templateMinorVersion": "9"}, "ResourceNotFoundException"),
        ({"deploymentType": "CURRENT_VERSION", "name": "unknown"}, "ResourceNotFoundException"),
        ({"deploymentType": "CURRENT_VERSION", "serviceName": "unknown"}, "ResourceNotFoundException"),
    ],
)
def test_an_update_that_cannot_be_has_its_own_error(platform, web, asked, error):
    assert refused(platform, "UpdateServiceInstance", **{**DEV, **asked})[0] == error


def test_a_running_deployment_refuses_another_one(platform, web):
    asked = {**DEV, "deploymentType": "CURRENT_VERSION"}
    run(platform, "UpdateServiceInstance", **asked)
    assert refused(platform, "UpdateServiceInstance", **asked)[0] == "ConflictException"
    token = {**asked, "clientToken": "one"}
    assert refused(platform, "UpdateServiceInstance", **token)[0] == "ConflictException"
    rows.run_everything()
    assert run(platform, "UpdateServiceInstance", **token)["serviceInstance"]["deploymentStatus"] == "IN_PROGRESS"


def test_only_a_running_update_is_cancelled(platform, web):
    which = {"serviceName": "web", "serviceInstanceName": "dev"}
    assert refused(platform, "CancelServiceInstanceDeployment", **which)[0] == "ConflictException"
    unknown = {**which, "serviceInstanceName": "unknown"}
    assert refused(platform, "CancelServiceInstanceDeployment", **unknown)[0] == "ResourceNotFoundException"
    run(platform, "UpdateServiceInstance", **DEV, deploymentType="CURRENT_VERSION", spec=OTHER_SPEC)
    asked = run(platform, "CancelServiceInstanceDeployment", **which)["serviceInstance"]
    assert asked["deploymentStatus"] == "CANCELLING"
    rows.run_everything()
    assert (shown(platform)["deploymentStatus"], shown(platform)["spec"]) == ("CANCELLED", SPEC)


def test_outputs_and_resources_are_listed(platform, web):
    which = {"serviceName": "web", "serviceInstanceName": "dev"}
    outputs = [{"key": "QueueUrl", "valueString": "https://queue"}]
    assert run(platform, "ListServiceInstanceOutputs", **which) == {"outputs": outputs}
    found = run(platform, "ListServiceInstanceProvisionedResources", **which)["provisionedResources"]
    assert [row["provisioningEngine"] for row in found] == ["CLOUDFORMATION"]
    first = str(ServiceInstance.objects.get().deployed_id)
    assert run(platform, "ListServiceInstanceOutputs", **which, deploymentId=first) == {"outputs": outputs}
    for operation in ("ListServiceInstanceOutputs", "ListServiceInstanceProvisionedResources"):
        unknown = {**which, "serviceName": "unknown"}
        assert refused(platform, operation, **unknown)[0] == "ResourceNotFoundException"


@pytest.fixture
def many(platform, of):
    """Six instances of three services in two environments: names repeat, one failed, one runs, one is behind."""
    other = rows.environment("other", of=rows.version(rows.template(name="vpc2")))
    of.compatible_environments.create(template_name="vpc2", major=1)
    api = rows.version(rows.template(TemplateKind.SERVICE, "api-app"), compatible=[other.template])
    rows.service("b", of=of, spec=rows.service_spec("home", "x", "y"))
    rows.service("a", of=of, spec=rows.service_spec("other", "z", "x"))
    rows.service("c", of=api, spec=rows.service_spec("other", "x", "y"))
    newer(of, "1.1")
    newer(of, "2.0")
    minor = {"deploymentType": "MINOR_VERSION", "spec": rows.service_spec("home", "x")}
    run(platform, "UpdateServiceInstance", serviceName="b", name="x", **minor)
    rows.run_everything()
    current = {"deploymentType": "CURRENT_VERSION"}
    run(platform, "UpdateServiceInstance", serviceName="a", name="z", **current)


def named(reply):
    return [f"{row['serviceName']}/{row['name']}" for row in reply["serviceInstances"]]


def listed(person, **members):
    return named(run(person, "ListServiceInstances", **members))


def every_page(person, **members):
    """All pages of two rows."""
    found, token = [], None
    while True:
        reply = run(person, "ListServiceInstances", maxResults=2, **members, **({"nextToken": token} if token else {}))
        found.append(named(reply))
        token = reply.get("nextToken")
        if not token:
            return found


def test_the_order_is_by_service_then_name_unless_asked_otherwise(platform, many):
    assert listed(platform) == ["a/x", "a/z", "b/x", "b/y", "c/x", "c/y"]
    assert listed(platform, sortOrder="DESCENDING") == ["c/y", "c/x", "b/y", "b/x", "a/z", "a/x"]


def test_every_order_of_the_model_is_there():
    assert set(ORDERS) == set(service_model().shape_for("ListServiceInstancesSortBy").enum)


COLUMNS = {
    "name": lambda row: row.name,
    "deploymentStatus": lambda row: row.latest.status,
    "templateName": lambda row: row.service.template.name,
    "serviceName": lambda row: row.service.name,
    "environmentName": lambda row: row.environment.name,
    "lastDeploymentAttemptedAt": lambda row: row.latest.created_at,
    "createdAt": lambda row: row.created_at,
}


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
def test_pages_of_every_order_hold_every_row_once(platform, many, order):
    for sort_by, column in COLUMNS.items():
        pages = every_page(platform, sortBy=sort_by, sortOrder=order)
        found = [name for page in pages for name in page]
        assert (sort_by, [len(page) for page in pages]) == (sort_by, [2, 2, 2])
        assert (sort_by, sorted(found)) == (sort_by, ["a/x", "a/z", "b/x", "b/y", "c/x", "c/y"])
        by_name = {str(row): column(row) for row in ServiceInstance.objects.all()}
        values = [by_name[name] for name in found]
        assert (sort_by, values) == (sort_by, sorted(values, reverse=order == "DESCENDING"))


def test_pages_are_not_moved_by_rows_that_come_and_go(platform, web, of):
    for name in "mnop":
        rows.service(name, of=of, spec=SPEC)
    first = run(platform, "ListServiceInstances", maxResults=2)
    rows.service("aa", of=of, spec=SPEC)
    run(platform, "DeleteService", name="n")
    rows.run_everything()
    second = run(platform, "ListServiceInstances", maxResults=2, nextToken=first["nextToken"])
    third = run(platform, "ListServiceInstances", maxResults=2, nextToken=second["nextToken"])
    assert [named(page) for page in (first, second, third)] == [["m/dev", "n/dev"], ["o/dev", "p/dev"], ["web/dev"]]


FILTERED = [
    ([("name", "x")], ["a/x", "b/x", "c/x"]),
    ([("name", "x"), ("name", "z")], ["a/x", "a/z", "b/x", "c/x"]),
    ([("name", "x"), ("serviceName", "b")], ["b/x"]),
    ([("deploymentStatus", "IN_PROGRESS")], ["a/z"]),
    ([("templateName", "api-app")], ["c/x", "c/y"]),
    ([("environmentName", "other")], ["a/x", "a/z", "c/x", "c/y"]),
    ([("deployedTemplateVersionStatus", "BEHIND_MAJOR")], ["a/x", "a/z", "b/x", "b/y"]),
    ([("deployedTemplateVersionStatus", "UP_TO_DATE")], ["c/x", "c/y"]),
    ([("deployedTemplateVersionStatus", "BEHIND_MINOR")], []),
    ([("createdAtBefore", "2020-01-01T00:00:00Z")], []),
    ([("createdAtAfter", "2020-01-01T00:00:00.52Z"), ("name", "z")], ["a/z"]),
    ([("lastDeploymentAttemptedAtAfter", "2020-01-01T00:00:00Z"), ("serviceName", "c")], ["c/x", "c/y"]),
    ([("lastDeploymentAttemptedAtBefore", "2020-01-01T00:00:00Z")], []),
    ([("serviceName", "unknown")], []),
]


def test_filters_of_every_key(platform, many):
    for filters, expected in FILTERED:
        asked = [{"key": key, "value": value} for key, value in filters]
        assert (filters, listed(platform, filters=asked)) == (filters, expected)


def test_a_filter_by_time_tells_before_from_after(platform, many):
    middle = ServiceInstance.objects.order_by("created_at")[2].created_at
    text = middle.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    before = listed(platform, sortBy="createdAt", filters=[{"key": "createdAtBefore", "value": text}])
    after = listed(platform, sortBy="createdAt", filters=[{"key": "createdAtAfter", "value": text}])
    order = [str(row) for row in ServiceInstance.objects.order_by("created_at")]
    assert (before, after) == (order[:2], order[3:])


def test_behind_by_a_minor_is_told_from_behind_by_a_major(platform, web, of):
    newer(of, "1.1")
    newer(of, "1.2", "DRAFT")
    wanted = {"key": "deployedTemplateVersionStatus", "value": "BEHIND_MINOR"}
    assert listed(platform, filters=[wanted]) == ["web/dev"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "deploymentStatus", "value": "UNKNOWN"},
        {"key": "deployedTemplateVersionStatus", "value": "CURRENT"},
        {"key": "createdAtBefore", "value": "yesterday"},
        {"key": "createdAtBefore", "value": "2020-01-01"},
        {"key": "createdAtAfter", "value": "0001-01-01T00:00:00+14:00"},
        {"key": "createdAtAfter", "value": "2020-13-01T00:00:00Z"},
        {"key": "unknown", "value": "x"},
        {"key": "name"},
        {"value": "x"},
    ],
)
def test_a_filter_that_means_nothing_is_invalid(platform, wrong):
    assert refused(platform, "ListServiceInstances", filters=[wrong])[0] == "ValidationException"


def test_the_member_service_name_and_the_filters_coexist(platform, many):
    asked = {"serviceName": "a", "filters": [{"key": "name", "value": "x"}]}
    assert listed(platform, **asked) == ["a/x"]
    assert refused(platform, "ListServiceInstances", serviceName="unknown")[0] == "ResourceNotFoundException"


def test_a_token_of_another_order_is_refused(platform, many):
    token = run(platform, "ListServiceInstances", maxResults=2)["nextToken"]
    asked = {"sortBy": "name", "nextToken": token}
    assert refused(platform, "ListServiceInstances", **asked)[0] == "ValidationException"


def test_a_list_is_one_query_for_every_order_and_filter_and_so_is_a_single_instance(platform, web, of):
    def cost(operation, **members):
        with CaptureQueriesContext(connection) as found:
            run(platform, operation, **members)
        read = " ".join(query["sql"] for query in found.captured_queries)
        assert [name for name in ("rendered", "context", "initial_state", "schema") if f'"{name}"' in read] == []
        return len(found)

    behind = [{"key": "deployedTemplateVersionStatus", "value": "UP_TO_DATE"}]
    for name in "ab":
        assert {sort: cost("ListServiceInstances", sortBy=sort, filters=behind) for sort in ORDERS} == dict.fromkeys(
            ORDERS, 1
        )
        rows.service(name, of=of, spec=rows.service_spec("home", "one", "two"))
    assert cost("GetServiceInstance", **DEV) == 1


def test_instances_are_added_by_platform_engineers_only(platform, web):
    team = rows.team()
    web.team = team
    web.save()
    developer = rows.person(role=Role.DEVELOPER, teams=[team])
    assert refused(developer, "CreateServiceInstance", **TWO)[0] == "AccessDeniedException"
    asked = {**DEV, "deploymentType": "CURRENT_VERSION"}
    assert run(developer, "UpdateServiceInstance", **asked)["serviceInstance"]["deploymentStatus"] == "IN_PROGRESS"
    which = {"serviceName": "web", "serviceInstanceName": "dev"}
    cancelled = run(developer, "CancelServiceInstanceDeployment", **which)["serviceInstance"]
    assert cancelled["deploymentStatus"] == "CANCELLING"


def test_an_unknown_instance_is_not_found(platform, web):
    for which in ({**DEV, "name": "unknown"}, {**DEV, "serviceName": "unknown"}):
        assert refused(platform, "GetServiceInstance", **which)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("sort_by", ["serviceName", "deploymentStatus", "createdAt", "name"])
@pytest.mark.parametrize(
    "key", [[1, 1], ["x", "x"], ["2020-01-01T00:00:00+00:00", -1], ["9999-12-31T23:59:59-12:00", 1]]
)
def test_a_forged_token_is_refused_or_leads_somewhere(platform, web, sort_by, key):
    token = paging._write(["instances", None, None, sort_by, "ASCENDING"], key)
    found = "answered"
    try:
        run(platform, "ListServiceInstances", sortBy=sort_by, nextToken=token)
    except AwsError as error:
        found = error.name
    assert found in {"answered", "ValidationException"}
