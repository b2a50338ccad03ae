"""Every list costs the same number of queries for one row and for three, and leaves out what it does not show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.enums import TemplateKind
from portal.models import Environment, Service, ServiceInstance, Template, TemplateVersion, User
from portal.queries import (
    accounts,
    audit,
    components,
    connections,
    deployments,
    distances,
    environments,
    people,
    services,
    templates,
    usage,
)
from tests.factories import rows

pytestmark = pytest.mark.django_db
EVERYTHING = usage.UsageFilters()
PIPED = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)


def fill(count: int) -> None:
    """``count`` environments, services with a pipeline and ``count`` instances, versions, teams and people."""
    template, app = rows.template(name=f"vpc{count}"), rows.template(TemplateKind.SERVICE, f"app{count}")
    versions = [rows.version(template, f"1.{minor}") for minor in range(count)]
    piped = [rows.version(app, f"1.{minor}", files=PIPED, compatible=[template]) for minor in range(count)]
    for index in range(count):
        team = rows.team()
        by = rows.person(teams=[team])
        name, account = f"home{count}-{index}", f"{count}{index}{'0' * 10}"
        components_role = f"arn:aws:iam::{account}:role/components"
        connection = rows.connection(name, account_id=account, component_role_arn=components_role)
        home = rows.environment(name, of=versions[0], team=team, by=by, connection=connection)
        spec = rows.service_spec(home.name, *(f"i{number}" for number in range(count)))
        TemplateVersion.objects.filter(pk=piped[index].pk).update(supported_component_sources=["DIRECTLY_DEFINED"])
        made = rows.service(of=piped[index], spec=spec, by=by)
        rows.component(service_name=made.name, instance_name="i0")


def names_of(targets: list) -> list[str]:
    """What a list shows of each."""
    return [f"{row} {row.deployment_status} {row.status_message} {row.shown_version}" for row in targets]


def shown_services(user: User) -> list[str]:
    return [
        f"{row.team} {row.template} {names_of([*row.instances.all(), row.pipeline])}"
        for row in services.visible_to(user)
    ]


LISTS = {
    "environments": lambda user: [f"{row.template} {row.team}" for row in environments.visible_to(user)],
    "environments with status": lambda user: names_of(list(environments.visible_to(user))),
    "services": shown_services,
    "instances": lambda user: names_of(list(services.instances_visible_to(user))),
    "components": lambda user: [
        f"{row.environment} {row.instance} {row.team} {row.deployment_status}" for row in components.visible_to(user)
    ],
    "attachable instances": lambda user: [f"{row} {row.environment}" for row in components.instances_for(user)],
    "environments for components": lambda user: [str(row) for row in components.environments_for(user)],
    "attached to a service": lambda user: components.attached_to_service(Service.objects.latest("pk")),
    "deployments": lambda user: [f"{row} {row.version} {row.actor}" for row in deployments.visible_to(user)],
    "templates": lambda user: [(row.used_by, row.recommended_major) for row in templates.catalogue(user)],
    "versions": lambda user: [(row, row.used_by) for row in templates.versions(user, Template.objects.latest("pk"))],
    "users by version": lambda user: str(templates.users_by_version(Template.objects.latest("pk"))),
    "usage": lambda user: [(row.name, row.template, row.version, row.team) for row in usage.rows(user, EVERYTHING)],
    "accounts": lambda user: accounts.uses(usage.rows(user, EVERYTHING)),
    "distances": lambda user: distances.distances_of((row, row.template) for row in environments.visible_to(user)),
    "people": lambda user: [(row.username, list(row.teams.all())) for row in people.people()],
    "teams": lambda user: [(row.member_count, row.service_count, row.environment_count) for row in people.teams()],
    "connections": lambda user: [
        (row.environment, row.requested_by) for row in connections.received(user, "123456789012")
    ],
    "services in use": lambda user: connections.services_in_use(),
    "assumed roles": lambda user: connections.assumed_roles(),
    "audit": lambda user: [str(row.actor) for row in audit.recent()],
}


def cost(name: str, user: User) -> int:
    with CaptureQueriesContext(connection) as found:
        LISTS[name](user)
    return len(found)


def test_lists_cost_the_same_for_one_and_for_three(simulated):
    user = rows.person()
    fill(1)
    one = {name: cost(name, user) for name in LISTS}
    fill(3)
    assert {name: cost(name, user) for name in LISTS} == one


def test_lists_do_not_read_what_deployments_were_rendered_with(simulated):
    fill(1)
    user = rows.person()
    with CaptureQueriesContext(connection) as found:
        for name in ("environments with status", "services", "instances", "components", "deployments", "usage"):
            LISTS[name](user)
    read = " ".join(query["sql"] for query in found.captured_queries)
    assert [
        column
        for column in ("rendered", "context", "initial_state", "template_file", "problems")
        if f'"{column}"' in read
    ] == []


def test_counts_are_not_multiplied_by_each_other(simulated):
    fill(3)
    user = rows.person()
    assert [(row.name, row.used_by, row.version_count) for row in templates.catalogue(user)] == [
        ("app3", 9, 3),
        ("vpc3", 3, 3),
    ]
    app = Template.objects.get(name="app3")
    assert [(row.number, row.used_by) for row in templates.versions(user, app)] == [("1.2", 4), ("1.1", 4), ("1.0", 4)]
    assert [(t.member_count, t.service_count, t.environment_count) for t in people.teams()] == [(1, 1, 1)] * 3


def test_everything_that_runs_is_one_row_of_the_usage(simulated):
    fill(3)
    found = usage.rows(rows.person(), EVERYTHING)
    running = Environment.objects.count() + ServiceInstance.objects.count() + Service.objects.count()
    summary = usage.summary(found)
    assert (len(found), summary.up_to_date + summary.behind_minor + summary.behind_major) == (running, running)
