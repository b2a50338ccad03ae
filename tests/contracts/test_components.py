"""A component's whole life on the embedded AWS: what it makes is there, what it returns reaches its instance."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from portal import engines
from portal.actions import components, instances, resources, runs, service_changes
from portal.actions.reconciliation import differences
from portal.models import Component, Deployment, Service, ServiceChange, ServiceInstance
from portal.queries.deployments import output_values
from tests.factories import rows

pytestmark = pytest.mark.django_db
SECONDS = 90

CODE = """\
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: '{{ component.name }}-{{ environment.account_id }}-{{ service_instance.inputs.image }}'
Outputs:
  BucketName:
    Value: !Ref Bucket
"""
ALONE = CODE.replace("{{ service_instance.inputs.image }}", "alone")
READS_COMPONENT = rows.SERVICE_TEMPLATE.replace(
    "Value: '{{ service_instance.inputs.image }}'",
    "Value: '{{ service_instance.components.default.outputs.BucketName | default(\"none\") }}'",
)


def run_everything() -> None:
    """As workers would, waiting where AWS has to be waited for."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        waiting = list(Deployment.objects.filter(due_at__isnull=False).values_list("pk", flat=True))
        changes = list(ServiceChange.objects.filter(finished_at__isnull=True).values_list("pk", flat=True))
        for pk in waiting:
            runs.drive(pk)
        for pk in changes:
            service_changes.drive(pk)
        if not waiting and not changes:
            return
        time.sleep(0.1)
    raise AssertionError(f"not done after {SECONDS} seconds")


@pytest.fixture
def account(aws_account, settings, monkeypatch) -> Iterator[str]:
    """An account of the embedded AWS as the portal's own, and the real engine in it."""
    settings.EMBEDDED, settings.SIMULATION, settings.PORTAL_ACCOUNT_ID = True, None, aws_account
    monkeypatch.setattr(rows, "run_everything", run_everything)
    for made in (engines.sessions, engines._engines):
        made.cache_clear()
    yield aws_account
    for made in (engines.sessions, engines._engines):
        made.cache_clear()


def client(service: str, account: str) -> Any:
    return boto3.client(service, aws_access_key_id=account, aws_secret_access_key="embedded")


def buckets(account: str) -> list[str]:
    return sorted(bucket["Name"] for bucket in client("s3", account).list_buckets()["Buckets"])


def seen_by_the_instance(account: str) -> str:
    sqs = client("sqs", account)
    url = sqs.get_queue_url(QueueName="web-dev")["QueueUrl"]
    return sqs.list_queue_tags(QueueUrl=url)["Tags"]["image"]


def redeploy(instance: ServiceInstance) -> None:
    instances.update(by=rows.person(), instance=instance, deployment_type="CURRENT_VERSION")
    run_everything()
    instance.refresh_from_db()
    assert instance.deployment_status == "SUCCEEDED", instance.status_message


def test_a_component_is_attached_deployed_read_by_its_instance_detached_and_deleted(account, monkeypatch):
    monkeypatch.setattr(rows, "COMPONENT_ROLE", f"arn:aws:iam::{account}:role/components")
    iam = client("iam", account)
    iam.create_role(RoleName="components", AssumeRolePolicyDocument="{}")
    service: Service = rows.open_service(files=rows.service_files(code=READS_COMPONENT))
    instance = service.instances.get()
    assert (instance.deployment_status, seen_by_the_instance(account)) == ("SUCCEEDED", "none")

    made = rows.component(
        "pictures",
        template_file=CODE,
        service_name="web",
        instance_name="dev",
        service_spec=rows.service_spec("home", image="v1"),
    )
    assert made.deployment_status == "SUCCEEDED", made.status_message
    name = f"pictures-{account}-v1"
    assert (buckets(account), output_values(made)) == ([name], {"BucketName": name})
    [stack] = client("cloudformation", account).describe_stacks(StackName=made.deployed.identifier)["Stacks"]
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert (tags["proton:component"], tags["proton:service-instance"]) == (made.arn, instance.arn)

    assert seen_by_the_instance(account) == "none"
    redeploy(instance)
    assert seen_by_the_instance(account) == name
    assert (differences(), resources.find_missing()) == ([], 0)

    by = rows.person()
    components.update(
        by=by,
        component=made,
        deployment_type="CURRENT_VERSION",
        template_file=ALONE,
        service_name="",
        instance_name="",
    )
    run_everything()
    made = Component.objects.get()
    assert (made.instance, made.deployment_status, made.status_message) == (None, "SUCCEEDED", "")
    assert buckets(account) == [f"pictures-{account}-alone"]
    redeploy(instance)
    assert seen_by_the_instance(account) == "none"

    client("cloudformation", account).delete_stack(StackName=made.deployed.identifier)
    assert (resources.find_missing(), [row.name for row in resources.missing()]) == (1, ["pictures"])
    assert [(row.kind, row.subject) for row in differences()] == [("missing", made.arn)]
    assert resources.redeploy_missing(by=by) == 1
    run_everything()
    assert (buckets(account), resources.find_missing()) == ([f"pictures-{account}-alone"], 0)

    made.refresh_from_db()
    components.delete(by=by, component=made)
    run_everything()
    assert (Component.objects.count(), buckets(account)) == (0, [])
