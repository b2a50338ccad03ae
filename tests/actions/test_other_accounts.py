"""Deploying into other accounts through connections: on the real engine, with roles that are assumed as trusted."""

import time

import boto3
import pytest

from portal.actions import components, connections, deployments, environments, reconciliation, resources, runs
from portal.enums import DeploymentPhase, DeploymentStatus, TemplateKind
from portal.models import Component, Deployment, Environment
from tests.factories import rows

pytestmark = pytest.mark.django_db

MANAGEMENT = "123456789012"


def work(seconds: float = 20.0) -> None:
    """Drive everything to its end or to a person's decision, waiting as the engine asks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rows.run_everything(1)
        if not Deployment.objects.filter(due_at__isnull=False).exists():
            return
        time.sleep(0.1)
    raise AssertionError([str(row.doing) for row in Deployment.objects.filter(due_at__isnull=False)])


def connected(liar, account: str, name: str):
    """A connection whose role trusts the portal with its external id, tested and accepted."""
    role = f"arn:aws:iam::{account}:role/deuteron"
    made = connections.request(
        by=rows.person(),
        account_id=account,
        management_account_id=MANAGEMENT,
        environment_name=name,
        role_arn=role,
    )
    liar.trust(role, {MANAGEMENT}, external_id=made.external_id)
    return connections.accept(by=rows.person(), account_id=MANAGEMENT, connection=made)


def create(connection, **fields):
    of = rows.version(rows.template())
    return environments.create(
        by=rows.person(),
        name=connection.environment_name,
        template=of.template,
        spec=rows.ENVIRONMENT_SPEC,
        major=1,
        connection=connection,
        **fields,
    )


def latest(environment) -> Deployment:
    environment.refresh_from_db()
    return Deployment.objects.get(pk=environment.latest_id)


@pytest.fixture
def there(aws_account):
    return aws_account


def test_environment_and_instance_are_made_in_the_connected_account_by_its_role(checking_aws, there, aws, monkeypatch):
    from provisioning.engines.session import Sessions

    names = []
    real = Sessions._assume
    monkeypatch.setattr(
        Sessions, "_assume", lambda self, target, name: names.append((target, name)) or real(self, target, name)
    )
    connection = connected(checking_aws, there, "prod")
    environment = create(connection)
    work()
    made = latest(environment)
    assert (made.status, made.account_id, made.role_arn) == ("SUCCEEDED", there, connection.role_arn)
    assert f":{there}:stack/AWSProton-prod-" in made.identifier
    service = rows.version(rows.template(TemplateKind.SERVICE), compatible=[environment.template])
    rows.service("web", of=service, spec=rows.service_spec("prod"))
    work()
    instance = Deployment.objects.get(instance_name="dev")
    assert (instance.status, f":{there}:stack/" in instance.identifier) == ("SUCCEEDED", True)
    keys = {"aws_access_key_id": there, "aws_secret_access_key": "embedded", "region_name": "us-east-1"}
    queues = boto3.client("sqs", endpoint_url=aws.endpoint, **keys)
    assert sorted(url.split("/")[-1] for url in queues.list_queues()["QueueUrls"]) == ["main", "web-dev"]
    assert {(target.external_id, name) for target, name in names} == {
        (connection.external_id, str(made.pk)),
        (connection.external_id, str(instance.pk)),
    }
    roles = {entry.key for entry in checking_aws.entries}
    assert not roles & {MANAGEMENT, there}  # every change was made in a session, none with account keys


def test_a_component_is_made_and_removed_in_the_connected_account_by_its_own_role(checking_aws, there, aws):
    connection = connected(checking_aws, there, "prod")
    role = f"arn:aws:iam::{there}:role/components"
    checking_aws.trust(role, {MANAGEMENT}, external_id=connection.external_id)
    connections.update_roles(by=rows.person(), account_id=there, connection=connection, component_role_arn=role)
    connection.refresh_from_db()
    create(connection)
    work()
    checking_aws.assumed.clear()
    rows.component("bucket", environment_name="prod")
    work()
    made = Deployment.objects.get(component_name="bucket")
    assert (made.status, f":{there}:stack/" in made.identifier) == ("SUCCEEDED", True)
    components.delete(by=rows.person(), component=Component.objects.get())
    work()
    assert not Component.objects.exists()
    assert len(checking_aws.executed("DeleteStack")) == 1
    assert set(checking_aws.assumed) == {role}


def test_a_role_that_stops_trusting_the_portal_stops_deployments(checking_aws, there):
    environment = create(connected(checking_aws, there, "prod"))
    checking_aws.trusts.clear()
    work()
    made = latest(environment)
    assert made.status == DeploymentStatus.FAILED
    assert "cannot be assumed: AccessDenied" in made.status_message
    assert checking_aws.entries == []


def test_the_role_of_the_moment_a_deployment_starts_is_used(checking_aws, there):
    connection = connected(checking_aws, there, "prod")
    environment = create(connection)
    other = f"arn:aws:iam::{there}:role/newer"
    checking_aws.trust(other, {MANAGEMENT}, external_id=connection.external_id)
    connections.update_roles(by=rows.person(), account_id=there, connection=connection, role_arn=other)
    checking_aws.trusts.pop(connection.role_arn)
    work()
    made = latest(environment)
    assert (made.status, made.role_arn) == ("SUCCEEDED", other)


def test_a_deployment_that_waits_is_not_started_through_a_connection_that_was_deleted(checking_aws, there):
    connection = connected(checking_aws, there, "prod")
    environment = create(connection)
    connections.delete(by=rows.person(), account_id=there, connection=connection)
    work()
    made = latest(environment)
    assert made.status == DeploymentStatus.FAILED
    assert "connection of prod was deleted" in made.status_message
    assert [action for _, action, *_ in checking_aws.asked if action != "AssumeRole"] == []


def test_a_deployment_under_way_waits_for_a_person_and_goes_on_through_the_next_connection(checking_aws, there):
    connection = connected(checking_aws, there, "prod")
    environment = create(connection)
    while not checking_aws.executed("CreateChangeSet"):
        runs.drive(environment.latest_id)
        time.sleep(0.05)
    connections.delete(by=rows.person(), account_id=there, connection=connection)
    work()
    made = latest(environment)
    assert (made.status, made.phase) == ("IN_PROGRESS", DeploymentPhase.ATTENTION)
    assert "was deleted" in made.status_message
    calls = len(checking_aws.asked)
    deployments.resolve_attention(by=rows.person(), deployment=made, decision="resume", reason="try")
    work()
    assert (latest(environment).phase, len(checking_aws.asked)) == (DeploymentPhase.ATTENTION, calls)
    fresh = connected(checking_aws, there, "prod")
    deployments.resolve_attention(by=rows.person(), deployment=made, decision="resume", reason="accepted anew")
    work()
    made = latest(environment)
    assert (made.status, made.external_id) == ("SUCCEEDED", fresh.external_id)
    assert len(checking_aws.executed("ExecuteChangeSet")) == 1


def test_an_environment_is_removed_from_the_connected_account(checking_aws, there):
    environment = create(connected(checking_aws, there, "prod"))
    work()
    environments.delete(by=rows.person(), environment=Environment.objects.get())
    work()
    assert not Environment.objects.exists()
    assert len(checking_aws.executed("DeleteStack")) == 1
    assert environment.target_account_id == there


def test_what_was_deployed_is_looked_for_through_the_connection_of_now_and_else_not_at_all(checking_aws, there):
    connection = connected(checking_aws, there, "prod")
    create(connection)
    work()
    assert (resources.find_missing(), reconciliation.differences()) == (0, [])
    connections.delete(by=rows.person(), account_id=there, connection=connection)
    checking_aws.trusts.clear()
    assert resources.find_missing() == 0
    assert [(found.kind, found.subject, found.detail) for found in reconciliation.differences()] == [
        ("unreadable", f"{there} us-east-1", "its account connection is not in force")
    ]
    connected(checking_aws, there, "prod")
    assert (resources.find_missing(), reconciliation.differences()) == (0, [])


def test_the_embedded_aws_deploys_through_a_connection_whose_role_nobody_made(open_aws):
    connection = connections.request(
        by=rows.person(),
        account_id=open_aws,
        management_account_id=MANAGEMENT,
        environment_name="prod",
        role_arn=f"arn:aws:iam::{open_aws}:role/deuteron",
    )
    environment = create(connections.accept(by=rows.person(), account_id=MANAGEMENT, connection=connection))
    work()
    made = latest(environment)
    assert (made.status, f":{open_aws}:stack/" in made.identifier) == ("SUCCEEDED", True)
