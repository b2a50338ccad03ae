"""Components in accounts that are entered through a connection: by its component role, and by nothing else."""

from dataclasses import replace

import pytest

from portal.actions import components, connections, environments, places, reconciliation
from portal.errors import Invalid
from portal.models import Component, Deployment, EnvironmentAccountConnection
from portal.queries import connections as queries
from provisioning.engines.base import Target as Place
from tests.factories import rows

pytestmark = pytest.mark.django_db

MANAGEMENT, OTHER, ROLE = "123456789012", rows.OTHER_ACCOUNT, rows.OTHER_ROLE
COMPONENTS = f"arn:aws:iam::{OTHER}:role/components"


def connected_component(simulated) -> Component:
    rows.environment("prod", connection=rows.connection("prod", component_role_arn=COMPONENTS))
    return rows.component("bucket", environment_name="prod")


def give(role: str) -> None:
    EnvironmentAccountConnection.objects.update(component_role_arn=role)


def test_a_component_enters_another_account_through_the_connection_of_its_environment(simulated):
    made = connected_component(simulated)
    connection = EnvironmentAccountConnection.objects.get()
    assert (made.latest.account_id, made.latest.role_arn, made.latest.external_id) == (
        OTHER,
        COMPONENTS,
        connection.external_id,
    )
    assert places.of_deployments([made.latest])[made.latest_id].role_arn == COMPONENTS
    connections.delete(by=rows.person(), account_id=OTHER, connection=connection)
    assert places.of_deployments([made.latest]) == {}
    with pytest.raises(Invalid, match="connection of prod was deleted"):
        components.delete(by=rows.person(), component=made)


def test_a_connection_without_component_role_takes_no_components(simulated):
    rows.environment("prod", connection=rows.connection("prod"))
    with pytest.raises(Invalid, match="Environment prod takes no components: it has no component role"):
        rows.component("bucket", environment_name="prod")
    assert not Component.objects.exists()


def test_a_component_is_never_removed_with_a_role_that_its_connection_has_no_more(simulated):
    made = connected_component(simulated)
    give("")
    assert places.of_deployments([made.latest]) == {}
    with pytest.raises(Invalid, match="connection of prod has no component role"):
        components.delete(by=rows.person(), component=made)
    give(ROLE)
    components.delete(by=rows.person(), component=made)
    assert Component.objects.get().latest.role_arn == ROLE
    rows.run_everything()
    assert not Component.objects.exists()


def test_the_portals_own_policy_covers_the_role_that_a_component_will_be_removed_with(simulated):
    own = f"arn:aws:iam::{MANAGEMENT}:role/components"
    made = rows.environment("dev", component_role_arn=own)
    rows.component("bucket", environment_name="dev")
    environments.update(by=rows.person(), environment=made, deployment_type="NONE", component_role_arn="")
    assert queries.assumed_roles() == [own]


@pytest.mark.parametrize("connected", [False, True])
def test_a_component_that_waits_is_not_started_when_its_role_is_taken_away(simulated, connected):
    if connected:
        made = connected_component(simulated)
    else:
        rows.environment("prod", component_role_arn=f"arn:aws:iam::{MANAGEMENT}:role/components")
        made = rows.component("bucket", environment_name="prod")
    components.update(by=rows.person(), component=made, deployment_type="CURRENT_VERSION")
    if connected:
        give("")
    else:
        environments.update(
            by=rows.person(), environment=made.environment, deployment_type="NONE", component_role_arn=""
        )
    rows.run_everything()
    made.refresh_from_db()
    assert (made.latest.status, "no component role" in made.latest.status_message) == ("FAILED", True)
    assert made.latest.intent_at is None


def test_what_is_asked_in_an_account_is_not_asked_with_a_components_role(simulated):
    made = connected_component(simulated)
    Deployment.objects.update(engine="cloudformation")
    connection = EnvironmentAccountConnection.objects.get()
    place = Place(OTHER, "us-east-1", ROLE, connection.external_id)
    assert reconciliation._places() == ([place], [])
    Deployment.objects.exclude(pk=made.latest_id).update(engine="none")
    assert reconciliation._places() == ([replace(place, role_arn=COMPONENTS)], [])
