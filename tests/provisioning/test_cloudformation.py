"""The CloudFormation engine in the states that an emulator does not show."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from provisioning.engines.base import EngineUnavailable, Job, Outcome, Progress, Target, Unclear
from provisioning.engines.cloudformation import CloudFormationEngine
from provisioning.engines.names import change_set_name
from provisioning.engines.session import Sessions
from provisioning.outputs import Output
from tests.aws import free_port
from tests.provisioning.cloudformation_double import ACCOUNT, CloudFormationDouble

TAGS = {"proton:environment": "arn:aws:proton:us-east-1:111111111111:environment/dev"}
NAME = "AWSProton-dev-cloudformation-X"


@dataclass
class Desk:
    engine: CloudFormationEngine
    aws: CloudFormationDouble
    job: Job
    handle: str | None = None

    @property
    def arn(self) -> str:
        return list(self.aws.stacks)[-1]

    def step(self) -> Progress | Outcome | Unclear:
        before = len(self.aws.ledger)
        result = self.engine.advance(self.job, self.handle)
        assert len(self.aws.ledger) - before <= 1
        if isinstance(result, Progress):
            self.handle = result.handle
        return result

    def wait(self, doing: str) -> Progress:
        result = self.step()
        assert isinstance(result, Progress), result
        assert doing in result.doing
        return result

    def outcome(self) -> Outcome:
        result = self.step()
        assert isinstance(result, Outcome), result
        return result

    def execute(self) -> None:
        """Until CloudFormation works."""
        self.wait("Making the change set")
        self.wait("Executing the change set")

    def turn(self, intent: Any) -> None:
        self.job = replace(self.job, intent=intent)


TARGET = Target(ACCOUNT, "us-east-1")


def new_sessions() -> Sessions:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        sessions = Sessions(account_keys=True)
        for mutating in (True, False):
            sessions.client("cloudformation", TARGET, mutating=mutating)
    return sessions


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return new_sessions()


@pytest.fixture
def desk(sessions: Sessions) -> Iterator[Desk]:
    yield from open_desk(sessions)


def open_desk(sessions: Sessions, clock: Callable[[], float] = lambda: 0.0) -> Iterator[Desk]:
    aws = CloudFormationDouble()
    clients = [sessions.client("cloudformation", TARGET, mutating=mutating) for mutating in (True, False)]
    for client in clients:
        aws.attach(client)
    job = Job(str(uuid.uuid4()), "apply", NAME, TARGET, '{"Resources": {}}', tags=TAGS)
    yield Desk(CloudFormationEngine(sessions, clock=clock), aws, job)
    for client in clients:
        aws.detach(client)


@pytest.fixture
def existing(desk: Desk) -> Desk:
    """With a stack that an earlier deployment made, and its history."""
    arn = desk.aws.put(NAME, "CREATE_COMPLETE", tags={**TAGS, "deuteron:deployment": "earlier"})
    for number in range(7):
        desk.aws.event(arn, f"Old{number}", "CREATE_COMPLETE", token="earlier")
    desk.aws.event(arn, "Old", "CREATE_FAILED", "an old failure", token="earlier")
    desk.job = replace(desk.job, identifier=arn)
    return desk


def test_a_creation_is_watched_to_its_end(desk: Desk) -> None:
    desk.execute()
    waits = [desk.wait("CREATE_IN_PROGRESS").wait for _ in range(14)]
    assert waits[1:] == sorted(waits[1:])
    assert (waits[0], waits[-1]) == (0.5, 15.0)
    desk.aws.end(desk.arn, "CREATE_COMPLETE", token=desk.job.deployment, outputs={"Vpc": "vpc-1"})
    outcome = desk.outcome()
    assert (outcome.status, outcome.outputs) == ("succeeded", (Output("Vpc", "vpc-1"),))
    assert desk.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


def test_calls_carry_names_and_tokens_of_the_deployment(desk: Desk) -> None:
    desk.execute()
    sent = {call["Action"]: call for call in desk.aws.calls}
    made, executed = sent["CreateChangeSet"], sent["ExecuteChangeSet"]
    assert made["ChangeSetName"] == change_set_name(desk.job.deployment)
    assert (made["ClientToken"], executed["ClientRequestToken"]) == (desk.job.deployment, desk.job.deployment)
    assert executed["ChangeSetName"].startswith("arn:")
    assert [made[f"Capabilities.member.{n}"] for n in (1, 2, 3)] == [
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
    ]
    assert made["Tags.member.1.Key"] == "deuteron:deployment"
    assert made["Tags.member.1.Value"] == desk.job.deployment


def test_old_history_is_not_progress_and_new_events_come_once_across_pages(existing: Desk) -> None:
    assert existing.wait("Making").events == ()
    assert existing.wait("Executing").events == ()
    token = existing.job.deployment
    for number in range(8):
        existing.aws.event(existing.arn, f"New{number}", "UPDATE_COMPLETE", token=token)
    seen = existing.wait("UPDATE_IN_PROGRESS").events
    assert [event.resource for event in seen] == [NAME, *(f"New{number}" for number in range(8))]
    assert existing.wait("UPDATE_IN_PROGRESS").events == ()


def test_with_the_handle_lost_the_events_of_this_deployment_are_told_again(existing: Desk) -> None:
    existing.execute()
    existing.aws.event(existing.arn, "New", "UPDATE_COMPLETE", token=existing.job.deployment)
    existing.handle = None
    assert [event.resource for event in existing.wait("UPDATE_IN_PROGRESS").events] == [NAME, "New"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("RequestLimitExceeded", 503),
        ("TooManyRequestsException", 429),
        ("SlowDown", 503),
    ],
)
def test_throttling_waits_longer_each_time_and_spends_nothing(desk: Desk, code: str, status: int) -> None:
    desk.aws.refuse("CreateChangeSet", code, "Rate exceeded", status=status, times=8)
    for number in range(8):
        result = desk.step()
        assert isinstance(result, Progress)
        assert result.throttled
        assert 1.0 <= result.wait <= 1.0 + min(60.0, 2.0**number)
    assert desk.aws.ledger == []


def test_a_look_that_is_throttled_changes_nothing(desk: Desk) -> None:
    desk.aws.refuse("DescribeStacks", "Throttling", "Rate exceeded", times=2)  # botocore asks a second time
    assert desk.wait("slow down").throttled
    assert desk.aws.ledger == []
    desk.execute()


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalFailure", 500), ("ServiceUnavailable", 503), ("html", 500), ("truncated", 200)],
)
def test_a_fault_of_aws_concludes_nothing(desk: Desk, code: str, status: int) -> None:
    desk.aws.refuse("CreateChangeSet", code, status=status)
    with pytest.raises(EngineUnavailable):
        desk.step()
    desk.execute()
    assert desk.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


def test_denied_access_names_the_cause_and_who_was_denied(desk: Desk) -> None:
    desk.aws.refuse("CreateChangeSet", "AccessDenied", "not authorized to perform: cloudformation:CreateChangeSet")
    outcome = desk.outcome()
    assert (outcome.status, outcome.next_action) == ("failed", "retry")
    assert "not authorized to perform: cloudformation:CreateChangeSet" in outcome.reason
    assert f"the portal's own credentials for account {ACCOUNT}" in outcome.reason


def test_denied_access_while_cloudformation_works_is_for_a_person(desk: Desk) -> None:
    desk.execute()
    desk.aws.refuse("DescribeStacks", "AccessDenied", "not authorized")
    result = desk.step()
    assert isinstance(result, Unclear)
    assert "not authorized" in result.reason
    assert result.handle == desk.handle


def test_an_expired_session_is_renewed_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    sessions = new_sessions()
    (desk,) = open_desk(sessions)
    seen = []
    for _ in range(3):
        client = sessions.client("cloudformation", TARGET)
        seen.append(client)
        desk.aws.attach(client)
        desk.aws.refuse("DescribeStacks", "ExpiredToken", "expired")
        desk.wait("Renewing")
    desk.aws.attach(sessions.client("cloudformation", TARGET))
    desk.aws.refuse("DescribeStacks", "ExpiredToken", "expired")
    outcome = desk.outcome()
    assert outcome.status == "failed"
    assert "also after the session was renewed" in outcome.reason
    assert len({id(client) for client in seen}) == 3


@pytest.mark.parametrize("action", ["CreateChangeSet", "ExecuteChangeSet"])
def test_a_lost_reply_is_not_repeated(desk: Desk, action: str) -> None:
    desk.aws.lose_reply(action)
    for _ in range(4):
        try:
            desk.step()
        except EngineUnavailable:
            continue
    desk.aws.end(desk.arn, "CREATE_COMPLETE", token=desk.job.deployment)
    assert desk.outcome().status == "succeeded"
    assert desk.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]
    assert len(desk.aws.stacks) == 1


def test_a_lost_reply_to_a_deletion_is_not_repeated(existing: Desk) -> None:
    existing.turn("remove")
    existing.aws.lose_reply("DeleteStack")
    with pytest.raises(EngineUnavailable):
        existing.step()
    existing.wait("DELETE_IN_PROGRESS")
    existing.aws.end(existing.arn, "DELETE_COMPLETE")
    assert existing.outcome().status == "succeeded"
    assert existing.aws.ledger == ["DeleteStack"]


def test_a_change_set_that_exists_under_our_name_is_ours(existing: Desk) -> None:
    existing.aws.refuse("CreateChangeSet", "AlreadyExistsException", "it exists")
    existing.wait("Making the change set")
    existing.aws._CreateChangeSet(
        {"StackName": NAME, "ChangeSetName": change_set_name(existing.job.deployment), "ChangeSetType": "UPDATE"}
    )
    existing.wait("Executing")


def test_nothing_is_changed_when_looking_took_too_long(sessions: Sessions, desk: Desk) -> None:
    now = iter([0.0, 6.0, 10.0, 11.0])
    desk.engine = CloudFormationEngine(sessions, clock=lambda: next(now))
    desk.wait("Looking again before anything is changed")
    assert desk.aws.ledger == []
    desk.wait("Making the change set")


def test_the_first_real_cause_is_the_earliest_that_is_no_consequence(desk: Desk) -> None:
    desk.execute()
    token = desk.job.deployment
    desk.aws.event(desk.arn, "Queue", "CREATE_FAILED", "Resource creation cancelled", token=token)
    desk.aws.event(desk.arn, "Topic", "CREATE_FAILED", "Topic name is not valid", token=token)
    desk.aws.event(desk.arn, "Other", "CREATE_FAILED", "later and less", token=token)
    desk.aws.event(desk.arn, NAME, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed", token=token)
    desk.aws.end(desk.arn, "ROLLBACK_COMPLETE", token=token)
    outcome = desk.outcome()
    assert outcome.reason == "Topic (AWS::SQS::Queue): Topic name is not valid"
    assert (outcome.status, outcome.next_action) == ("failed", "retry")
    assert outcome.resources[0].identifier == desk.arn


def test_the_cause_inside_a_nested_stack_is_found(desk: Desk) -> None:
    desk.execute()
    token, outer = desk.job.deployment, desk.arn
    inner = desk.aws.put("inner", "ROLLBACK_COMPLETE")
    desk.aws.event(inner, "Table", "CREATE_FAILED", "Table already exists")
    nested = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": inner}
    desk.aws.event(outer, "Data", "CREATE_FAILED", "Embedded stack was not created", token=token, **nested)
    desk.aws.end(outer, "ROLLBACK_COMPLETE", token=token)
    assert desk.outcome().reason == "Data / Table (AWS::SQS::Queue): Table already exists"


@pytest.mark.parametrize(
    ("status", "next_action"),
    [
        ("UPDATE_ROLLBACK_COMPLETE", "retry"),
        ("UPDATE_ROLLBACK_FAILED", "continue-rollback"),
        ("UPDATE_FAILED", "retry"),
    ],
)
def test_an_update_that_ends_badly_says_what_can_be_done(existing: Desk, status: str, next_action: str) -> None:
    existing.execute()
    existing.aws.event(existing.arn, "Q", "UPDATE_FAILED", "no room", token=existing.job.deployment)
    existing.aws.end(existing.arn, status, token=existing.job.deployment)
    outcome = existing.outcome()
    assert (outcome.status, outcome.next_action) == ("failed", next_action)
    assert outcome.reason == "Q (AWS::SQS::Queue): no room"
    assert existing.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


@pytest.mark.parametrize(("status", "next_action"), [("ROLLBACK_FAILED", "delete"), ("CREATE_FAILED", "delete")])
def test_a_creation_that_cannot_be_rolled_back_is_left_to_a_person(desk: Desk, status: str, next_action: str) -> None:
    desk.execute()
    desk.aws.end(desk.arn, status, token=desk.job.deployment)
    outcome = desk.outcome()
    assert (outcome.status, outcome.next_action) == ("failed", next_action)
    assert desk.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_cannot_be_updated_is_not_touched(existing: Desk, status: str) -> None:
    existing.aws.stacks[existing.arn]["StackStatus"] = status
    outcome = existing.outcome()
    assert outcome.status == "failed"
    assert status in outcome.reason
    assert existing.aws.ledger == []


def test_cleaning_up_after_an_update_is_waited_for(existing: Desk) -> None:
    existing.execute()
    existing.aws.end(existing.arn, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", token=existing.job.deployment)
    existing.wait("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    existing.aws.end(existing.arn, "UPDATE_COMPLETE", token=existing.job.deployment)
    assert existing.outcome().status == "succeeded"


def test_an_end_between_two_looks_does_not_give_old_outputs(existing: Desk) -> None:
    existing.execute()
    existing.aws.end(existing.arn, "CREATE_COMPLETE", outputs={"Version": "old"})  # what a late replica still says
    existing.aws.change_sets[next(iter(existing.aws.change_sets))]["ExecutionStatus"] = "EXECUTE_IN_PROGRESS"
    existing.aws.before["DescribeChangeSet"] = lambda: existing.aws.end(
        existing.arn, "UPDATE_COMPLETE", token=existing.job.deployment, outputs={"Version": "new"}
    )
    assert existing.outcome().outputs == (Output("Version", "new"),)


def test_an_end_that_nothing_confirms_is_for_a_person(existing: Desk) -> None:
    existing.execute()
    existing.aws.change_sets.clear()
    existing.aws.events[existing.arn].clear()
    existing.aws.stacks[existing.arn]["StackStatus"] = "CREATE_COMPLETE"
    for _ in range(40):
        result = existing.step()
        if not isinstance(result, Progress):
            break
    assert isinstance(result, Unclear)


def test_a_change_set_without_changes_is_an_unchanged_success_and_goes(existing: Desk) -> None:
    existing.aws.next_change_set = ("FAILED", "UNAVAILABLE", "No updates are to be performed.")
    existing.wait("Making the change set")
    existing.wait("Deleting the change set")
    outcome = existing.outcome()
    assert (outcome.status, outcome.unchanged) == ("succeeded", True)
    assert existing.aws.ledger == ["CreateChangeSet", "DeleteChangeSet"]


def test_a_change_set_that_fails_takes_its_empty_stack_with_it(desk: Desk) -> None:
    desk.aws.next_change_set = ("FAILED", "UNAVAILABLE", "Transform AWS::Serverless failed")
    desk.wait("Making the change set")
    desk.wait("Deleting the change set")
    desk.wait("never filled")
    desk.wait("never filled")
    desk.aws.end(desk.arn, "DELETE_COMPLETE")
    outcome = desk.outcome()
    assert (outcome.status, outcome.reason) == ("failed", "Transform AWS::Serverless failed")
    assert desk.aws.ledger == ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]


def test_a_change_set_that_fails_leaves_a_stack_with_resources(existing: Desk) -> None:
    existing.aws.next_change_set = ("FAILED", "UNAVAILABLE", "Circular dependency")
    existing.wait("Making the change set")
    existing.wait("Deleting the change set")
    assert existing.outcome().reason == "Circular dependency"
    assert existing.aws.ledger == ["CreateChangeSet", "DeleteChangeSet"]


def test_a_pending_change_set_is_waited_for(desk: Desk) -> None:
    desk.aws.next_change_set = ("CREATE_IN_PROGRESS", "UNAVAILABLE", "")
    desk.wait("Making the change set")
    desk.wait("Waiting for the change set")
    next(iter(desk.aws.change_sets.values())).update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE")
    desk.wait("Executing")


def test_a_change_set_that_somebody_deleted_is_not_made_again(existing: Desk) -> None:
    existing.wait("Making the change set")
    existing.aws.change_sets.clear()
    for _ in range(20):
        result = existing.step()
        if isinstance(result, Outcome):
            break
    assert isinstance(result, Outcome)
    assert result.reason == "The change set was deleted before it was executed."
    assert existing.aws.ledger == ["CreateChangeSet"]


def test_a_worker_that_wakes_late_is_refused_by_cloudformation(existing: Desk) -> None:
    existing.wait("Making the change set")
    newer = replace(existing.job, deployment=str(uuid.uuid4()))
    late, other = existing.handle, Desk(existing.engine, existing.aws, newer)
    other.wait("Making")

    def while_it_slept() -> None:
        other.wait("Executing")
        existing.aws.end(existing.arn, "UPDATE_COMPLETE", token=newer.deployment)

    existing.aws.before["ExecuteChangeSet"] = while_it_slept
    existing.wait("something else was faster")
    assert existing.aws.ledger.count("ExecuteChangeSet") == 1
    assert existing.handle != late


def test_a_refused_execution_takes_the_change_set_away(existing: Desk) -> None:
    existing.wait("Making the change set")
    existing.aws.refuse("ExecuteChangeSet", "LimitExceededException", "too many resources")
    existing.wait("refused to execute")
    existing.wait("Deleting the change set")
    assert existing.outcome().reason == "LimitExceededException: too many resources"


def test_an_operation_of_somebody_else_is_waited_for(existing: Desk) -> None:
    existing.aws.stacks[existing.arn]["StackStatus"] = "UPDATE_IN_PROGRESS"
    existing.wait("Waiting for another operation")
    assert existing.aws.ledger == []
    existing.aws.stacks[existing.arn]["StackStatus"] = "UPDATE_COMPLETE"
    existing.wait("Making the change set")


def test_an_update_that_is_refused_because_another_began_is_tried_again(existing: Desk) -> None:
    existing.aws.refuse(
        "CreateChangeSet", "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated."
    )
    existing.wait("something else was faster")
    existing.wait("Making the change set")


def test_a_stack_under_review_by_somebody_else_is_not_touched(desk: Desk) -> None:
    desk.aws._CreateChangeSet({"StackName": NAME, "ChangeSetName": "theirs", "ChangeSetType": "CREATE"})
    assert "was not made for this target" in desk.outcome().reason
    assert desk.aws.ledger == []


def test_a_stack_of_somebody_else_that_is_being_deleted_is_waited_for(desk: Desk) -> None:
    theirs = desk.aws.put(NAME, "DELETE_IN_PROGRESS")
    desk.wait("Waiting for another stack")
    desk.aws.end(theirs, "DELETE_FAILED")
    assert "was not made for this target" in desk.outcome().reason
    assert desk.aws.ledger == []


def test_a_stack_deleted_under_a_deployment_is_not_made_again(desk: Desk) -> None:
    desk.execute()
    desk.aws.end(desk.arn, "DELETE_COMPLETE")
    assert "deleted by something else" in desk.outcome().reason


def test_a_retry_deletes_the_empty_stack_by_arn_and_begins_anew(desk: Desk) -> None:
    old = desk.aws.put(NAME, "ROLLBACK_COMPLETE", tags=TAGS)
    desk.job = replace(desk.job, allow_replace_empty=True)
    desk.wait("Deleting the stack of the failed attempt")
    assert desk.aws.calls[-1]["StackName"] == old
    desk.wait("Deleting the stack of the failed attempt")
    desk.aws.end(old, "DELETE_COMPLETE", token=f"{desk.job.deployment}-replace")
    desk.execute()
    assert desk.arn != old
    assert desk.aws.ledger == ["DeleteStack", "CreateChangeSet", "ExecuteChangeSet"]


def test_a_retry_whose_handle_is_lost_goes_on(desk: Desk) -> None:
    old = desk.aws.put(NAME, "ROLLBACK_COMPLETE", tags=TAGS)
    desk.job = replace(desk.job, allow_replace_empty=True)
    desk.wait("Deleting the stack of the failed attempt")
    desk.handle = None
    desk.wait("DELETE_IN_PROGRESS")
    desk.aws.end(old, "DELETE_COMPLETE", token=f"{desk.job.deployment}-replace")
    desk.execute()
    assert desk.aws.ledger == ["DeleteStack", "CreateChangeSet", "ExecuteChangeSet"]


def test_a_change_set_of_an_earlier_stack_of_the_name_is_not_taken_for_ours(existing: Desk) -> None:
    existing.wait("Making the change set")
    (made,) = existing.aws.change_sets.values()
    other = existing.aws.put("another", "CREATE_COMPLETE")
    existing.aws.change_sets[made["ChangeSetId"]] = {**made, "StackId": other}
    existing.aws.answer_any_stack = True
    existing.wait("Waiting for the change set to appear")
    assert existing.aws.ledger == ["CreateChangeSet"]


def test_a_deletion_that_fails_offers_a_retry_and_then_to_retain(existing: Desk) -> None:
    for next_action in ("retry", "retain"):
        existing.job = replace(existing.job, intent="remove", deployment=str(uuid.uuid4()))
        existing.handle = None
        existing.wait("Deleting the stack")
        token = f"{existing.job.deployment}-delete"
        existing.aws.event(existing.arn, "Bucket", "DELETE_FAILED", "The bucket is not empty", token=token)
        existing.aws.end(existing.arn, "DELETE_FAILED", token=token)
        outcome = existing.outcome()
        assert (outcome.status, outcome.next_action) == ("failed", next_action)
        assert outcome.reason == "Bucket (AWS::SQS::Queue): The bucket is not empty"
    assert existing.aws.ledger == ["DeleteStack", "DeleteStack"]


def test_a_deletion_that_is_refused_says_why(existing: Desk) -> None:
    existing.turn("remove")
    existing.aws.refuse("DeleteStack", "ValidationError", "Export VpcId cannot be deleted as it is in use by web")
    assert "in use by web" in existing.outcome().reason


def test_an_update_in_progress_is_cancelled_by_rolling_it_back(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.wait("Cancelling the update")
    existing.wait("UPDATE_ROLLBACK_IN_PROGRESS")
    existing.aws.end(existing.arn, "UPDATE_ROLLBACK_COMPLETE", token=f"{existing.job.deployment}-cancel")
    outcome = existing.outcome()
    assert (outcome.status, outcome.reason) == ("cancelled", "The update was rolled back.")
    assert existing.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet", "CancelUpdateStack"]


def test_a_cancellation_whose_handle_is_lost_ends_the_same(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.wait("Cancelling the update")
    existing.handle = None
    existing.wait("UPDATE_ROLLBACK_IN_PROGRESS")
    existing.handle = None
    existing.aws.end(existing.arn, "UPDATE_ROLLBACK_COMPLETE", token=f"{existing.job.deployment}-cancel")
    assert existing.outcome().status == "cancelled"


def test_an_update_that_ends_before_its_cancellation_has_succeeded(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.aws.before["CancelUpdateStack"] = lambda: existing.aws.end(
        existing.arn, "UPDATE_COMPLETE", token=existing.job.deployment, outputs={"Version": "2"}
    )
    existing.wait("something else was faster")
    outcome = existing.outcome()
    assert (outcome.status, outcome.outputs) == ("succeeded", (Output("Version", "2"),))


def test_an_update_that_failed_before_its_cancellation_has_failed(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.aws.event(existing.arn, "Q", "UPDATE_FAILED", "no room", token=existing.job.deployment)
    existing.aws.end(existing.arn, "UPDATE_ROLLBACK_COMPLETE", token=existing.job.deployment)
    outcome = existing.outcome()
    assert (outcome.status, outcome.reason) == ("failed", "Q (AWS::SQS::Queue): no room")


def test_a_creation_in_progress_is_not_cancelled_but_watched(desk: Desk) -> None:
    desk.execute()
    desk.turn("cancel")
    desk.wait("CREATE_IN_PROGRESS")
    desk.aws.end(desk.arn, "CREATE_COMPLETE", token=desk.job.deployment)
    assert desk.outcome().status == "succeeded"
    assert desk.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


def test_a_change_set_is_taken_away_by_a_cancellation(existing: Desk) -> None:
    existing.wait("Making the change set")
    existing.turn("cancel")
    existing.wait("Deleting the change set")
    assert existing.outcome().status == "cancelled"
    assert existing.aws.stacks[existing.arn]["StackStatus"] == "CREATE_COMPLETE"


def test_a_cancellation_that_is_denied_watches_the_update(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.aws.refuse("CancelUpdateStack", "AccessDenied", "not authorized")
    existing.wait("cannot be cancelled and is watched: AccessDenied: not authorized")
    existing.wait("UPDATE_IN_PROGRESS")
    existing.aws.end(existing.arn, "UPDATE_COMPLETE", token=existing.job.deployment)
    assert existing.outcome().status == "succeeded"
    assert existing.aws.ledger == ["CreateChangeSet", "ExecuteChangeSet"]


def test_what_botocore_itself_refuses_is_a_failure(desk: Desk) -> None:
    desk.job = replace(desk.job, template="")
    outcome = desk.outcome()
    assert outcome.status == "failed"
    assert "TemplateBody" in outcome.reason
    assert desk.aws.asked == ["DescribeStacks"]


def test_a_template_error_that_speaks_of_absence_is_no_absent_stack(desk: Desk) -> None:
    desk.aws.refuse("CreateChangeSet", "ValidationError", "Template error: Export vpc does not exist")
    assert desk.outcome().reason == "ValidationError: Template error: Export vpc does not exist"


def test_losing_every_race_ends(existing: Desk) -> None:
    existing.aws.refuse("CreateChangeSet", "OperationInProgressException", "busy", times=99)
    for _ in range(60):
        result = existing.step()
        if isinstance(result, Outcome):
            break
    assert isinstance(result, Outcome)
    assert (result.status, result.reason) == ("failed", "OperationInProgressException: busy")


def test_an_aws_that_is_out_of_reach_concludes_nothing(aws_account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    engine = CloudFormationEngine(Sessions(account_keys=True))
    job = Job(str(uuid.uuid4()), "apply", NAME, TARGET, '{"Resources": {}}', tags=TAGS)
    for ask in (lambda: engine.advance(job, None), lambda: engine.preview(job)):
        with pytest.raises(EngineUnavailable, match="Could not connect"):
            ask()


def test_a_role_that_cannot_be_entered_is_named(aws_account: str) -> None:
    role = f"arn:aws:iam::{aws_account}:role/portal"
    job = Job(str(uuid.uuid4()), "apply", NAME, Target("222222222222", "us-east-1", role), "{}", tags=TAGS)
    outcome = CloudFormationEngine(Sessions()).advance(job, None)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.reason) == ("failed", f"Role {role} is not of account 222222222222.")


def test_a_stack_is_made_in_the_account_of_the_role(aws_account: str) -> None:
    engine = CloudFormationEngine(Sessions())
    target = Target(aws_account, "eu-west-1", f"arn:aws:iam::{aws_account}:role/portal", "external")
    template = (
        '{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Q.Arn"}}}}'
    )
    job = Job(str(uuid.uuid4()), "apply", NAME, target, template, tags=TAGS)
    result, handle = engine.advance(job, None), None
    while isinstance(result, Progress):
        handle = result.handle
        result = engine.advance(job, handle)
    assert isinstance(result, Outcome)
    assert result.outputs[0].value.startswith(f"arn:aws:sqs:eu-west-1:{aws_account}:")


@pytest.mark.parametrize("intent", ["apply", "remove"])
def test_a_job_without_tags_does_not_take_a_stack_without_tags(desk: Desk, intent: str) -> None:
    desk.aws.put(NAME, "CREATE_COMPLETE")
    desk.job = replace(desk.job, tags={})
    desk.turn(intent)
    assert "was not made for this target" in desk.outcome().reason
    assert desk.aws.ledger == []


def test_a_cancellation_is_asked_for_once(existing: Desk) -> None:
    existing.execute()
    existing.turn("cancel")
    existing.wait("Cancelling the update")
    existing.aws.stacks[existing.arn]["StackStatus"] = "UPDATE_IN_PROGRESS"  # what a late replica still says
    existing.wait("UPDATE_IN_PROGRESS")
    assert existing.aws.ledger.count("CancelUpdateStack") == 1
