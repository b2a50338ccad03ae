"""The AWS of dictionaries keeps the rules that matter; the machine that uses it is row 44 of test_rows."""

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.faults.small_aws import SmallAws

TEMPLATE = "VisibilityTimeout: {}\n"


def plan(aws: SmallAws, token: str, revision: int, stack: str = "web", kind: str = "CREATE") -> dict[str, str]:
    return aws.create_change_set(
        StackName=stack,
        ChangeSetName=f"set-{token}",
        ChangeSetType=kind,
        ClientToken=token,
        Tags=[],
        TemplateBody=TEMPLATE.format(revision),
    )


def made(aws: SmallAws) -> str:
    planned = plan(aws, "a", 1)
    aws.execute_change_set(ChangeSetName=planned["Id"], ClientRequestToken="a")
    aws.tick()
    return planned["StackId"]


def test_a_stack_is_there_when_its_change_set_was_executed_and_time_has_passed():
    aws = SmallAws()
    arn = made(aws)
    assert [(stack.arn, stack.status, stack.revision) for stack in aws.seen()] == [(arn, "CREATE_COMPLETE", 1)]


def test_another_change_set_is_used_up_by_the_change_of_its_stack():
    aws = SmallAws()
    arn = made(aws)
    old, new = plan(aws, "b", 2, arn, "UPDATE"), plan(aws, "c", 3, arn, "UPDATE")
    aws.execute_change_set(ChangeSetName=new["Id"], ClientRequestToken="c")
    aws.tick()
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        aws.execute_change_set(ChangeSetName=old["Id"], ClientRequestToken="b")
    assert [stack.revision for stack in aws.seen()] == [3]


def test_a_repeated_token_has_its_answer_again_and_begins_nothing():
    aws = SmallAws()
    planned = plan(aws, "a", 1)
    assert plan(aws, "a", 1) == planned
    for _ in range(2):
        aws.execute_change_set(ChangeSetName=planned["Id"], ClientRequestToken="a")
    assert [kind for _, kind, _ in aws.begun] == ["create"]


def test_a_reply_that_is_dropped_has_done_its_work_and_a_call_that_is_lost_has_not():
    aws = SmallAws()
    for fate, there in (("lose", 0), ("drop", 1)):
        aws.fate = fate
        with pytest.raises(ReadTimeoutError):
            plan(aws, "a", 1)
        assert len(aws.seen()) == there
    assert [(entry.action, entry.status) for entry in aws.entries] == [("CreateChangeSet", 0), ("CreateChangeSet", 200)]


def test_what_runs_refuses_the_next_operation_and_an_update_can_be_cancelled():
    aws = SmallAws()
    arn = made(aws)
    planned = plan(aws, "b", 2, arn, "UPDATE")
    aws.execute_change_set(ChangeSetName=planned["Id"], ClientRequestToken="b")
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        aws.delete_stack(StackName=arn, ClientRequestToken="d")
    aws.cancel_update_stack(StackName=arn, ClientRequestToken="b-cancel")
    aws.tick()
    assert [(stack.status, stack.revision) for stack in aws.seen()] == [("UPDATE_ROLLBACK_COMPLETE", 1)]
