"""CloudFormation in a few dictionaries, for thousands of runs: stacks, change sets and events, on a clock of ticks.

Speaks as a boto3 client does, by the rules that the engine rests on: a change set is used up by any change of its
stack, a repeated token has its answer again, an operation that runs refuses the next one. The ledger holds every call
that changes something. What the next call meets is drawn from outside: ``fate``, ``before`` and ``after``.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.faults.aws_liar import Entry
from tests.faults.referee import Stack as Seen

ACCOUNT = "123456789012"
REVISION = re.compile(r"VisibilityTimeout: (\d+)")


@dataclass
class Stack:
    arn: str
    name: str
    tags: dict[str, str]
    status: str = "REVIEW_IN_PROGRESS"
    revision: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ChangeSet:
    arn: str
    name: str
    stack: str
    kind: str
    revision: int
    tags: dict[str, str]
    execution: str = "AVAILABLE"


@dataclass
class Running:
    stack: Stack
    kind: str
    token: str
    change_set: ChangeSet | None = None
    rolling_back: bool = False


class SmallAws:
    def __init__(self) -> None:
        self.live: dict[str, Stack] = {}  # by ARN; deleted ones too
        self.change_sets: dict[str, ChangeSet] = {}
        self.running: dict[str, Running] = {}
        self.entries: list[Entry] = []  # as the liar's ledger
        self.begun: list[tuple[str, str, str]] = []  # (stack, kind, token) of operations
        self.tokens: dict[tuple[str, str, str], Any] = {}
        self.fate = ""  # of the next mutating call: "drop", "lose", "throttle"
        self.fails = ""  # kind of the next operation that fails
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self._numbers = itertools.count(1)

    # What a test does

    def tick(self) -> None:
        """Every operation that runs ends now."""
        for arn, operation in list(self.running.items()):
            del self.running[arn]
            self._end(operation)

    def seen(self) -> list[Seen]:
        return [
            Seen(stack.arn, stack.tags.get("proton:environment", ""), stack.status, stack.revision)
            for stack in self.live.values()
            if stack.status != "DELETE_COMPLETE"
        ]

    def _end(self, operation: Running) -> None:
        stack, kind = operation.stack, operation.kind
        bad = operation.rolling_back or self.fails == kind
        if self.fails == kind:
            self.fails = ""
        if kind == "delete":
            stack.status = "DELETE_FAILED" if bad else "DELETE_COMPLETE"
        elif kind == "create":
            stack.status = "ROLLBACK_COMPLETE" if bad else "CREATE_COMPLETE"
        else:
            stack.status = "UPDATE_ROLLBACK_COMPLETE" if bad else "UPDATE_COMPLETE"
        if operation.change_set is not None:
            operation.change_set.execution = "EXECUTE_FAILED" if bad else "EXECUTE_COMPLETE"
            if not bad:
                stack.revision, stack.tags = operation.change_set.revision, operation.change_set.tags
        self._event(stack, stack.status, operation.token)

    def _event(self, stack: Stack, status: str, token: str) -> None:
        stack.events.insert(
            0,
            {
                "StackId": stack.arn,
                "EventId": f"event-{next(self._numbers)}",
                "LogicalResourceId": stack.name,
                "PhysicalResourceId": stack.arn,
                "ResourceType": "AWS::CloudFormation::Stack",
                "ResourceStatus": status,
                "ResourceStatusReason": "it failed" if status.endswith("FAILED") else "",
                "Timestamp": datetime.now(UTC),
                "ClientRequestToken": token,
            },
        )

    # Looking

    def _find(self, reference: str) -> Stack | None:
        if reference in self.live:
            return self.live[reference]
        named = [stack for stack in self.live.values() if stack.name == reference]
        return next((stack for stack in named if stack.status != "DELETE_COMPLETE"), None)

    def _stack(self, reference: str, operation: str) -> Stack:
        stack = self._find(reference)
        if stack is None:
            raise _error("ValidationError", f"Stack with id {reference} does not exist", operation)
        return stack

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        stack = self._stack(StackName, "DescribeStacks")
        outputs = [{"OutputKey": "Revision", "OutputValue": str(stack.revision)}] if stack.revision else []
        return {
            "Stacks": [
                {
                    "StackId": stack.arn,
                    "StackName": stack.name,
                    "StackStatus": stack.status,
                    "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
                    "Outputs": outputs,
                }
            ]
        }

    def describe_change_set(self, *, ChangeSetName: str, StackName: str = "") -> dict[str, Any]:
        stack = self._find(StackName) if StackName else None
        for change_set in self.change_sets.values():
            if change_set.arn == ChangeSetName or (
                stack is not None and change_set.name == ChangeSetName and change_set.stack == stack.arn
            ):
                return {
                    "ChangeSetId": change_set.arn,
                    "StackId": change_set.stack,
                    "Status": "CREATE_COMPLETE",
                    "ExecutionStatus": change_set.execution,
                }
        raise _error("ChangeSetNotFound", f"ChangeSet [{ChangeSetName}] does not exist", "DescribeChangeSet")

    def get_paginator(self, name: str) -> "_Pages":
        return _Pages(self, name)

    # Changing

    def _changing(
        self, action: str, reference: str, change_set: str, token: str, call: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        fate, self.fate = self.fate, ""
        before, self.before = self.before, lambda: None
        after, self.after = self.after, lambda: None
        before()
        status = 200
        try:
            if fate == "throttle":
                raise _error("Throttling", "Rate exceeded", action)
            if fate == "lose":
                status = 0
                raise ReadTimeoutError(endpoint_url="https://cloudformation")
            answer = call()
        except ClientError:
            status = 400
            raise
        finally:
            self.entries.append(Entry(time.time(), action, reference, change_set, token, status, fate, 0, ACCOUNT))
        after()
        if fate == "drop":
            raise ReadTimeoutError(endpoint_url="https://cloudformation")
        return answer

    def create_change_set(self, **wanted: Any) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            known = self.tokens.get((wanted["StackName"], "plan", wanted["ClientToken"]))
            if known:
                return dict(known)
            tags = {tag["Key"]: tag["Value"] for tag in wanted["Tags"]}
            stack = self._find(wanted["StackName"])
            if stack is None:
                number = next(self._numbers)
                arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{wanted['StackName']}/{number}"
                stack = self.live[arn] = Stack(arn, wanted["StackName"], tags)
                self._event(stack, "REVIEW_IN_PROGRESS", "")
            elif wanted["ChangeSetType"] == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
                raise _error("AlreadyExistsException", f"Stack [{stack.name}] already exists", "CreateChangeSet")
            elif stack.arn in self.running or stack.status in ("ROLLBACK_COMPLETE", "DELETE_FAILED"):
                message = f"Stack:{stack.arn} is in {stack.status} state and can not be updated."
                raise _error("ValidationError", message, "CreateChangeSet")
            if any(one.name == wanted["ChangeSetName"] and one.stack == stack.arn for one in self.change_sets.values()):
                raise _error("AlreadyExistsException", "ChangeSet already exists", "CreateChangeSet")
            number = next(self._numbers)
            arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/{wanted['ChangeSetName']}/{number}"
            match = REVISION.search(wanted.get("TemplateBody", ""))
            revision = int(match[1]) if match else 0
            self.change_sets[arn] = ChangeSet(
                arn, wanted["ChangeSetName"], stack.arn, wanted["ChangeSetType"], revision, tags
            )
            answer = {"StackId": stack.arn, "Id": arn}
            self.tokens[wanted["StackName"], "plan", wanted["ClientToken"]] = answer
            return answer

        return self._changing(
            "CreateChangeSet", wanted["StackName"], wanted["ChangeSetName"], wanted["ClientToken"], call
        )

    def execute_change_set(self, *, ChangeSetName: str, ClientRequestToken: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            change_set = self.change_sets.get(ChangeSetName)
            if change_set is None:
                raise _error("ChangeSetNotFound", f"ChangeSet [{ChangeSetName}] does not exist", "ExecuteChangeSet")
            if (change_set.stack, "execute", ClientRequestToken) in self.tokens:
                return {}
            stack = self.live[change_set.stack]
            if change_set.execution != "AVAILABLE" or stack.arn in self.running:
                message = f"ChangeSet [{ChangeSetName}] is in {change_set.execution} status"
                raise _error("InvalidChangeSetStatus", message, "ExecuteChangeSet")
            self.tokens[change_set.stack, "execute", ClientRequestToken] = True
            change_set.execution = "EXECUTE_IN_PROGRESS"
            kind = "create" if stack.status == "REVIEW_IN_PROGRESS" else "update"
            self.change_sets = {
                arn: one for arn, one in self.change_sets.items() if one.stack != stack.arn or one is change_set
            }
            self._begin(Running(stack, kind, ClientRequestToken, change_set))
            return {}

        return self._changing("ExecuteChangeSet", ChangeSetName, ChangeSetName, ClientRequestToken, call)

    def _begin(self, operation: Running) -> None:
        stack = operation.stack
        stack.status = f"{operation.kind.upper()}_IN_PROGRESS"
        self.running[stack.arn] = operation
        self.begun.append((stack.arn, operation.kind, operation.token))
        self._event(stack, stack.status, operation.token)

    def delete_change_set(self, *, ChangeSetName: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            change_set = self.change_sets.get(ChangeSetName)
            if change_set is not None and change_set.execution == "AVAILABLE":
                del self.change_sets[ChangeSetName]
            return {}

        known = self.change_sets.get(ChangeSetName)
        name = known.name if known else ChangeSetName
        return self._changing("DeleteChangeSet", ChangeSetName, name, "", call)

    def delete_stack(self, *, StackName: str, ClientRequestToken: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            stack = self._find(StackName)
            if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
                return {}
            if (stack.arn, "delete", ClientRequestToken) in self.tokens:
                return {}
            if stack.arn in self.running:
                message = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                raise _error("ValidationError", message, "DeleteStack")
            self.tokens[stack.arn, "delete", ClientRequestToken] = True
            self.change_sets = {arn: one for arn, one in self.change_sets.items() if one.stack != stack.arn}
            self._begin(Running(stack, "delete", ClientRequestToken))
            return {}

        return self._changing("DeleteStack", StackName, "", ClientRequestToken, call)

    def cancel_update_stack(self, *, StackName: str, ClientRequestToken: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            stack = self._stack(StackName, "CancelUpdateStack")
            operation = self.running.get(stack.arn)
            if operation is None or stack.status != "UPDATE_IN_PROGRESS":
                message = "CancelUpdateStack cannot be called from current stack status"
                raise _error("ValidationError", message, "CancelUpdateStack")
            operation.rolling_back, operation.token = True, ClientRequestToken
            stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
            self._event(stack, stack.status, ClientRequestToken)
            return {}

        return self._changing("CancelUpdateStack", StackName, "", ClientRequestToken, call)


class _Pages:
    def __init__(self, aws: SmallAws, name: str):
        self.aws, self.name = aws, name

    def paginate(self, **of: Any) -> Iterator[dict[str, Any]]:
        if self.name == "describe_events":
            yield {"OperationEvents": []}
            return
        stack = self.aws._stack(of["StackName"], self.name)
        if self.name == "describe_stack_events":
            yield {"StackEvents": list(stack.events)}
        else:
            sets = [one for one in self.aws.change_sets.values() if one.stack == stack.arn]
            yield {"Summaries": [{"ChangeSetName": one.name, "StackId": one.stack} for one in sets]}


class SmallSessions:
    """Stands where the product gets its AWS clients from."""

    def __init__(self, aws: SmallAws):
        self.aws = aws

    def client(self, service: str, target: Any, **_: Any) -> SmallAws:
        assert service == "cloudformation", service
        return self.aws

    def forget(self, target: Any) -> None:
        """Nothing is remembered."""


def _error(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
