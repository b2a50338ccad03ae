"""Secret inputs in specs are for those who may change them."""

import pytest

from portal.actions import services
from portal.enums import Role, TemplateKind
from portal.models import Environment
from tests.factories import rows
from tests.wire.conftest import run

pytestmark = pytest.mark.django_db
SCHEMA = rows.SERVICE_SCHEMA.replace("image: {type: string}", "image: {type: string, writeOnly: true}")
HOME_SCHEMA = rows.ENVIRONMENT_SCHEMA.replace("minLength: 2}", "minLength: 2, writeOnly: true}")


@pytest.fixture
def people(simulated):
    payments = rows.team("payments")
    found = {
        "admin": rows.person("admin"),
        "member": rows.person("member", Role.DEVELOPER, [payments]),
        "other": rows.person("other", Role.DEVELOPER),
        "viewer": rows.person("viewer", Role.VIEWER),
    }
    vpc = rows.version(rows.template(name="vpc"), files=rows.environment_files(HOME_SCHEMA))
    home = rows.environment("home", of=vpc, spec="spec: {cluster_name: secretive}")
    of = rows.version(rows.template(TemplateKind.SERVICE), files=rows.service_files(SCHEMA), compatible=[home.template])
    rows.service("web", by=found["member"], of=of, spec=rows.service_spec("home", image="hush-hush"))
    return found


@pytest.mark.parametrize(
    ("operation", "members", "secret", "who"),
    [
        ("GetService", {"name": "web"}, "hush-hush", {"admin", "member"}),
        ("GetServiceInstance", {"serviceName": "web", "name": "dev"}, "hush-hush", {"admin", "member"}),
        ("GetEnvironment", {"name": "home"}, "secretive", {"admin"}),
    ],
)
def test_a_spec_shows_its_secrets_to_those_only_who_may_change_it(people, operation, members, secret, who):
    shown = {name for name, person in people.items() if secret in str(run(person, operation, **members))}
    assert shown == who


def test_a_deployment_of_one_instance_hides_the_secrets_of_the_others(people):
    spec = rows.service_spec("home", image="hush-hush")
    spec += "  - name: prod\n    environment: home\n    spec: {image: 'sh-quietly'}\n"
    run(people["admin"], "UpdateService", name="web", spec=spec)
    rows.run_everything()
    for name in ("dev", "prod"):
        shown = run(people["admin"], "GetServiceInstance", serviceName="web", name=name)["serviceInstance"]
        id = shown["lastAttemptedDeploymentId"]
        told = {person: str(run(people[person], "GetDeployment", id=id)) for person in ("admin", "viewer")}
        assert "sh-quietly" not in told["viewer"] and "hush-hush" not in told["viewer"]
    assert "sh-quietly" in told["admin"]


def test_a_deployment_shows_the_secrets_of_its_spec_to_those_only_who_may_change_its_target(people):
    which = {"serviceName": "web", "name": "dev"}
    id = run(people["admin"], "GetServiceInstance", **which)["serviceInstance"]["lastAttemptedDeploymentId"]
    shown = {name for name, person in people.items() if "hush-hush" in str(run(person, "GetDeployment", id=id))}
    assert shown == {"admin", "member"}


PIPED_SCHEMA = rows.PIPELINE_SCHEMA.replace(
    "unit_test_command: {type: string", "unit_test_command: {type: string, writeOnly: true"
)


@pytest.fixture
def piped(people):
    """A service whose instance is deployed, and whose pipeline waits for its turn."""
    files = rows.service_files(PIPED_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    home = Environment.objects.get(name="home")
    of = rows.version(rows.template(TemplateKind.SERVICE, "piped"), files=files, compatible=[home.template])
    spec = rows.service_spec("home") + "pipeline: {unit_test_command: not-for-you}\n"
    services.create(by=people["member"], name="api", template=of.template, spec=spec, major=1)
    return people


def test_a_spec_hides_what_no_deployment_has_taken_up_yet(piped):
    for _ in range(2):
        told = {name: str(run(person, "GetService", name="api")) for name, person in piped.items()}
        assert {name for name, text in told.items() if "not-for-you" in text} == {"admin", "member"}
        assert {name for name, text in told.items() if "unit_test_command" in text} == set(piped)
        rows.run_everything()


@pytest.mark.parametrize(
    ("operation", "members", "who", "queries"),
    [
        ("GetService", {"name": "web"}, "admin", 1),
        ("GetService", {"name": "web"}, "viewer", 2),
        ("GetService", {"name": "web"}, "member", 3),
        ("GetServiceInstance", {"serviceName": "web", "name": "dev"}, "viewer", 2),
        ("GetEnvironment", {"name": "home"}, "admin", 1),
        ("GetEnvironment", {"name": "home"}, "viewer", 2),
    ],
)
def test_discretion_costs_few_queries(people, django_assert_num_queries, operation, members, who, queries):
    run(people[who], operation, **members)  # reads the schemas, once per process
    with django_assert_num_queries(queries):
        run(people[who], operation, **members)
