"""The liar lies as it was told, and its ledger tells the truth."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.aws import MINISTACK, free_port, ministack_environment, stop, wait_for_port
from tests.faults.aws_liar import Liar

TEMPLATE = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
LARGER = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, "Topic": {"Type": "AWS::SNS::Topic"}}})
ACCOUNT = "111111111111"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, place = free_port(), tmp_path_factory.mktemp("emulator")
    process = subprocess.Popen([str(MINISTACK)], env=ministack_environment(port, place), stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        stop(process)


@pytest.fixture
def liar(emulator: str) -> Iterator[Liar]:
    made = Liar(emulator, seconds=0.3)
    yield made
    made.close()


def client(liar: Liar, service: str = "cloudformation", **credentials: Any) -> Any:
    make: Any = boto3.client
    return make(
        service,
        region_name="us-east-1",
        endpoint_url=liar.endpoint,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        **(credentials or {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "embedded"}),
    )


def plan(
    cloudformation: Any, name: str, template: str = TEMPLATE, kind: str = "CREATE", change_set: str = "one"
) -> str:
    made = cloudformation.create_change_set(
        StackName=name, ChangeSetName=change_set, ChangeSetType=kind, TemplateBody=template
    )
    return str(made["Id"])


def status(cloudformation: Any, name: str) -> str:
    return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def wait_for(see: Callable[[], str], wanted: str) -> str:
    until = time.monotonic() + 5
    while time.monotonic() < until and see() != wanted:
        time.sleep(0.05)
    return see()


def created(cloudformation: Any, name: str) -> str:
    change_set = plan(cloudformation, name)
    cloudformation.execute_change_set(ChangeSetName=change_set, ClientRequestToken=f"{name}-1")
    return wait_for(lambda: status(cloudformation, name), "CREATE_COMPLETE")


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def test_a_stack_takes_its_time_and_then_is_what_the_emulator_made(liar: Liar):
    cloudformation = client(liar)
    change_set = plan(cloudformation, "slow")
    cloudformation.execute_change_set(ChangeSetName=change_set, ClientRequestToken="token")
    assert status(cloudformation, "slow") == "CREATE_IN_PROGRESS"
    assert wait_for(lambda: status(cloudformation, "slow"), "CREATE_COMPLETE") == "CREATE_COMPLETE"
    events = cloudformation.describe_stack_events(StackName="slow")["StackEvents"]
    of_stack = [event for event in events if event["LogicalResourceId"] == "slow"]
    assert [
        (event["ResourceStatus"], event.get("ClientRequestToken", "")) for event in (of_stack[0], of_stack[-2])
    ] == [
        ("CREATE_COMPLETE", "token"),
        ("CREATE_IN_PROGRESS", "token"),
    ]
    assert [(o.kind, o.token, o.end) for o in liar.operations] == [("create", "token", "CREATE_COMPLETE")]


@pytest.mark.parametrize("end", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_creation_ends_as_scripted_and_makes_nothing(liar: Liar, end: str):
    name = f"create-{end.replace('_', '-')}"
    liar.script(name, "create", end)
    cloudformation = client(liar)
    cloudformation.execute_change_set(ChangeSetName=plan(cloudformation, name))
    assert wait_for(lambda: status(cloudformation, name), end) == end
    assert cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"] == []
    assert (
        cloudformation.describe_change_set(ChangeSetName="one", StackName=name)["ExecutionStatus"] == "EXECUTE_FAILED"
    )
    assert refusal(lambda: plan(cloudformation, name, kind="UPDATE", change_set="two")) == "ValidationError"
    cloudformation.delete_stack(StackName=name)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        time.sleep(0.1)
        if all(operation.ended for operation in liar.operations):
            break
    assert [(operation.kind, operation.end) for operation in liar.operations] == [
        ("create", end),
        ("delete", "DELETE_COMPLETE"),
    ]


@pytest.mark.parametrize("end", ["UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_an_update_ends_as_scripted_and_changes_nothing(liar: Liar, end: str):
    name = f"update-{end.replace('_', '-')}"
    cloudformation = client(liar)
    created(cloudformation, name)
    liar.script(name, "update", end, times=1)
    cloudformation.execute_change_set(ChangeSetName=plan(cloudformation, name, LARGER, "UPDATE", "two"))
    assert wait_for(lambda: status(cloudformation, name), end) == end
    assert len(cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]) == 1


def test_a_rollback_that_failed_is_continued(liar: Liar):
    cloudformation = client(liar)
    created(cloudformation, "continued")
    liar.script("continued", "update", "UPDATE_ROLLBACK_FAILED", times=1)
    cloudformation.execute_change_set(ChangeSetName=plan(cloudformation, "continued", LARGER, "UPDATE", "two"))
    wait_for(lambda: status(cloudformation, "continued"), "UPDATE_ROLLBACK_FAILED")
    cloudformation.continue_update_rollback(StackName="continued")
    end = wait_for(lambda: status(cloudformation, "continued"), "UPDATE_ROLLBACK_COMPLETE")
    assert end == "UPDATE_ROLLBACK_COMPLETE"


def test_a_deletion_fails_once_and_then_succeeds(liar: Liar):
    cloudformation = client(liar)
    created(cloudformation, "sticky")
    liar.script("sticky", "delete", "DELETE_FAILED", times=1)
    cloudformation.delete_stack(StackName="sticky")
    assert status(cloudformation, "sticky") == "DELETE_IN_PROGRESS"
    assert wait_for(lambda: status(cloudformation, "sticky"), "DELETE_FAILED") == "DELETE_FAILED"
    cloudformation.delete_stack(StackName="sticky")
    wait_for(lambda: liar.operations[-1].end, "DELETE_COMPLETE")
    assert refusal(lambda: status(cloudformation, "sticky")) == "ValidationError"


def test_a_cancelled_update_never_happened(liar: Liar):
    cloudformation = client(liar)
    created(cloudformation, "cancelled")
    cloudformation.execute_change_set(ChangeSetName=plan(cloudformation, "cancelled", LARGER, "UPDATE", "two"))
    cloudformation.cancel_update_stack(StackName="cancelled", ClientRequestToken="stop")
    end = wait_for(lambda: status(cloudformation, "cancelled"), "UPDATE_ROLLBACK_COMPLETE")
    assert end == "UPDATE_ROLLBACK_COMPLETE"
    assert len(cloudformation.list_stack_resources(StackName="cancelled")["StackResourceSummaries"]) == 1
    assert refusal(lambda: cloudformation.cancel_update_stack(StackName="cancelled")) == "ValidationError"


def test_another_change_set_is_worthless_once_the_stack_was_changed(liar: Liar):
    cloudformation = client(liar)
    created(cloudformation, "raced")
    stale = plan(cloudformation, "raced", LARGER, "UPDATE", "stale")
    newer = plan(cloudformation, "raced", LARGER, "UPDATE", "newer")
    cloudformation.execute_change_set(ChangeSetName=newer)
    assert refusal(lambda: cloudformation.execute_change_set(ChangeSetName=stale)) == "ChangeSetNotFound"
    assert refusal(lambda: cloudformation.execute_change_set(ChangeSetName=newer)) == "InvalidChangeSetStatus"
    assert refusal(lambda: plan(cloudformation, "raced", TEMPLATE, "UPDATE", "third")) == "ValidationError"
    assert refusal(lambda: cloudformation.delete_stack(StackName="raced")) == "ValidationError"


def test_a_repeat_with_its_token_is_answered_again_and_done_once(liar: Liar):
    cloudformation = client(liar)
    change_set = plan(cloudformation, "repeated")
    for _ in range(2):
        cloudformation.execute_change_set(ChangeSetName=change_set, ClientRequestToken="same")
    assert len(liar.executed("ExecuteChangeSet")) == 2
    assert len(liar.operations) == 1
    wait_for(lambda: status(cloudformation, "repeated"), "CREATE_COMPLETE")
    other = plan(cloudformation, "repeated", LARGER, "UPDATE", "two")
    again = refusal(lambda: cloudformation.execute_change_set(ChangeSetName=other, ClientRequestToken="same"))
    assert again == "TokenAlreadyExistsException"


def test_a_dropped_reply_was_executed_and_a_lost_call_was_not(liar: Liar):
    cloudformation = client(liar)
    dropped = plan(cloudformation, "dropped")
    lost = plan(cloudformation, "lost")
    liar.fault("drop", "ExecuteChangeSet", stacks="dropped")
    liar.fault("lose", "ExecuteChangeSet", stacks="lost")
    for change_set in (dropped, lost):
        with pytest.raises(BotoCoreError):
            cloudformation.execute_change_set(ChangeSetName=change_set)
    assert status(cloudformation, "dropped") == "CREATE_IN_PROGRESS"
    assert status(cloudformation, "lost") == "REVIEW_IN_PROGRESS"
    assert [(entry.fault, entry.status) for entry in liar.entries[-2:]] == [("drop", 200), ("lose", 0)]


def test_throttling_refusals_and_broken_replies_come_as_ordered(liar: Liar):
    cloudformation = client(liar)
    plan(cloudformation, "faulty")
    for kind, code in (("throttle", "Throttling"), ("expired", "ExpiredToken"), ("denied", "AccessDenied")):
        fault = liar.fault(kind, "DescribeStacks", times=1)
        assert refusal(lambda: status(cloudformation, "faulty")) == code
        assert fault.hits == 1
    liar.fault("unavailable", "DescribeStacks", times=1)
    assert refusal(lambda: status(cloudformation, "faulty")) == "ServiceUnavailable"
    liar.fault("html", "DescribeStacks", times=1)
    assert refusal(lambda: status(cloudformation, "faulty")) == "500"
    liar.fault("truncate", "DescribeStacks", times=1)
    with pytest.raises(ResponseParserError):
        status(cloudformation, "faulty")
    assert status(cloudformation, "faulty") == "REVIEW_IN_PROGRESS"


def test_a_role_is_assumed_only_as_its_trust_policy_says(liar: Liar):
    role = "arn:aws:iam::222222222222:role/deploy"
    sts = client(liar, "sts")

    def assume(**more: str) -> Any:
        return sts.assume_role(RoleArn=role, RoleSessionName="test", **more)["Credentials"]

    assert refusal(assume) == "AccessDenied"
    liar.trust(role, {ACCOUNT}, external_id="right")
    assert refusal(assume) == "AccessDenied"
    assert refusal(lambda: assume(ExternalId="wrong")) == "AccessDenied"
    session = assume(ExternalId="right")
    there = client(
        liar,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    assert ":222222222222:" in plan(there, "in-another-account")
    liar.expire_sessions()
    assert refusal(lambda: status(there, "in-another-account")) == "ExpiredToken"
    liar.trust(role, {"999999999999"}, external_id="right")
    assert refusal(lambda: assume(ExternalId="right")) == "AccessDenied"


def test_the_ledger_knows_which_process_called(liar: Liar, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "4711")
    plan(client(liar), "told")
    assert [entry.process for entry in liar.entries] == [4711]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
