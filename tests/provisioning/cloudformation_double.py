"""CloudFormation as far as the engine calls it, moved by the test: states that take hours or luck on the real one.

It answers botocore's requests before they are sent, in the wire's own XML, so that everything of ours and of botocore
runs as ever. ``ledger`` holds every mutating call that took effect: it is the referee.
"""

import datetime
import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

ACCOUNT = "111111111111"
EVENTS_PER_PAGE = 3
_NUMBERS = itertools.count(1)


class Refusal(Exception):
    def __init__(self, code: str, message: str = "", status: int = 400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Lost(Exception):
    """The call takes effect and its reply never arrives."""


class CloudFormationDouble:
    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.events: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.ledger: list[str] = []
        self.asked: list[str] = []
        self.calls: list[dict[str, str]] = []
        self.next_change_set = ("CREATE_COMPLETE", "AVAILABLE", "")
        self.answer_any_stack = False  # as the embedded AWS, where change sets outlive their stack
        self.before: dict[str, Callable[[], None]] = {}  # runs once, before the next call of that name
        self._faults: defaultdict[str, list[Exception]] = defaultdict(list)

    # What a test does

    def attach(self, client: Any) -> None:
        client.meta.events.register("before-send.cloudformation", self._answer)

    def detach(self, client: Any) -> None:
        client.meta.events.unregister("before-send.cloudformation", self._answer)

    def refuse(self, action: str, code: str, message: str = "", *, status: int = 400, times: int = 1) -> None:
        self._faults[action] += [Refusal(code, message, status)] * times

    def lose_reply(self, action: str) -> None:
        self._faults[action].append(Lost())

    def put(self, name: str, status: str, *, tags: Mapping[str, str] | None = None, reason: str = "") -> str:
        arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/{next(_NUMBERS):08d}"
        self.stacks[arn] = {
            "StackId": arn,
            "StackName": name,
            "StackStatus": status,
            "StackStatusReason": reason,
            "CreationTime": _now(),
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
            "Outputs": [],
        }
        return arn

    def event(self, arn: str, resource: str, status: str, reason: str = "", *, token: str = "", **more: str) -> None:
        stack = self.stacks[arn]
        of_stack = resource == stack["StackName"]
        self.events[arn].append(
            {
                "StackId": arn,
                "StackName": stack["StackName"],
                "EventId": f"event-{next(_NUMBERS)}",
                "LogicalResourceId": resource,
                "PhysicalResourceId": arn if of_stack else "",
                "ResourceType": "AWS::CloudFormation::Stack" if of_stack else "AWS::SQS::Queue",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": _now(),
                **({"ClientRequestToken": token} if token else {}),
                **more,
            }
        )

    def end(self, arn: str, status: str, *, token: str = "", outputs: Mapping[str, str] | None = None) -> None:
        """The running operation ends."""
        stack = self.stacks[arn]
        stack["StackStatus"] = status
        if outputs is not None:
            stack["Outputs"] = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        self.event(arn, stack["StackName"], status, token=token)
        good = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for change_set in self.change_sets.values():
            if change_set["StackId"] == arn and change_set["ExecutionStatus"] == "EXECUTE_IN_PROGRESS":
                change_set["ExecutionStatus"] = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"

    # How it answers

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        call = dict(parse_qsl(request.body.decode() if isinstance(request.body, bytes) else request.body))
        action = call["Action"]
        self.asked.append(action)
        self.calls.append(call)
        self.before.pop(action, lambda: None)()
        fault = self._faults[action].pop(0) if self._faults[action] else None
        try:
            if isinstance(fault, Refusal):
                raise fault
            result = getattr(self, f"_{action}")(call)
        except Refusal as refusal:
            if refusal.code == "html":
                return _response(request.url, refusal.status, "<html><body>Internal Server Error")
            if refusal.code == "truncated":
                return _response(request.url, refusal.status, "<DescribeStacksResponse><DescribeSta")
            error = {"Error": {"Type": "Sender", "Code": refusal.code, "Message": refusal.message}}
            return _response(request.url, refusal.status, _xml("ErrorResponse", error))
        if not action.startswith(("Describe", "List")):
            self.ledger.append(action)
        if isinstance(fault, Lost):
            raise ConnectionClosedError(endpoint_url=request.url)
        return _response(request.url, 200, _xml(f"{action}Response", {f"{action}Result": result}))

    def _find(self, name_or_arn: str) -> dict[str, Any]:
        for arn, stack in reversed(self.stacks.items()):
            if arn == name_or_arn or (stack["StackName"] == name_or_arn and stack["StackStatus"] != "DELETE_COMPLETE"):
                return stack
        raise Refusal("ValidationError", f"Stack with id {name_or_arn} does not exist")

    def _change_set(self, call: Mapping[str, str]) -> dict[str, Any]:
        for arn, change_set in self.change_sets.items():
            if arn == call["ChangeSetName"]:
                return change_set
            named = call.get("StackName") and change_set["ChangeSetName"] == call["ChangeSetName"]
            if named and (self.answer_any_stack or change_set["StackId"] == self._find(call["StackName"])["StackId"]):
                return change_set
        raise Refusal("ChangeSetNotFound", f"ChangeSet [{call['ChangeSetName']}] does not exist", 404)

    def _DescribeStacks(self, call: Mapping[str, str]) -> Any:
        return {"Stacks": [self._find(call["StackName"])]}

    def _DescribeStackEvents(self, call: Mapping[str, str]) -> Any:
        events = self.events[self._find(call["StackName"])["StackId"]][::-1]
        start = int(call.get("NextToken", 0))
        page: dict[str, Any] = {"StackEvents": events[start : start + EVENTS_PER_PAGE]}
        if start + EVENTS_PER_PAGE < len(events):
            page["NextToken"] = str(start + EVENTS_PER_PAGE)
        return page

    def _DescribeEvents(self, call: Mapping[str, str]) -> Any:
        raise Refusal("AccessDenied", "not authorized to perform: cloudformation:DescribeEvents", 403)

    def _DescribeChangeSet(self, call: Mapping[str, str]) -> Any:
        return self._change_set(call)

    def _ListChangeSets(self, call: Mapping[str, str]) -> Any:
        arn = self._find(call["StackName"])["StackId"]
        return {"Summaries": [change_set for change_set in self.change_sets.values() if change_set["StackId"] == arn]}

    def _CreateChangeSet(self, call: Mapping[str, str]) -> Any:
        tags = {call[f"Tags.member.{n}.Key"]: call[f"Tags.member.{n}.Value"] for n in _numbers(call, "Tags", "Key")}
        try:
            arn = self._find(call["StackName"])["StackId"]
        except Refusal:
            if call["ChangeSetType"] != "CREATE":
                raise
            arn = self.put(call["StackName"], "REVIEW_IN_PROGRESS")
        if any(
            found["StackId"] == arn and found["ChangeSetName"] == call["ChangeSetName"]
            for found in self.change_sets.values()
        ):
            raise Refusal("AlreadyExistsException", f"ChangeSet {call['ChangeSetName']} cannot be created: it exists")
        status, execution, reason = self.next_change_set
        made = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/{call['ChangeSetName']}/{next(_NUMBERS):08d}"
        self.change_sets[made] = {
            "ChangeSetId": made,
            "ChangeSetName": call["ChangeSetName"],
            "StackId": arn,
            "StackName": self.stacks[arn]["StackName"],
            "Status": status,
            "ExecutionStatus": execution,
            "StatusReason": reason,
            "Changes": [],
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        return {"Id": made, "StackId": arn}

    def _ExecuteChangeSet(self, call: Mapping[str, str]) -> Any:
        change_set = self._change_set(call)
        if change_set["ExecutionStatus"] != "AVAILABLE":
            raise Refusal("InvalidChangeSetStatus", f"it is in {change_set['ExecutionStatus']}")
        change_set["ExecutionStatus"] = "EXECUTE_IN_PROGRESS"
        stack = self.stacks[change_set["StackId"]]
        new = stack["StackStatus"] == "REVIEW_IN_PROGRESS"
        stack["StackStatus"] = "CREATE_IN_PROGRESS" if new else "UPDATE_IN_PROGRESS"
        stack["Tags"] = change_set["Tags"]
        self.event(stack["StackId"], stack["StackName"], stack["StackStatus"], token=call["ClientRequestToken"])
        for arn in [arn for arn, other in self.change_sets.items() if other["StackId"] == stack["StackId"]]:
            if arn != change_set["ChangeSetId"]:
                del self.change_sets[arn]
        return {}

    def _DeleteChangeSet(self, call: Mapping[str, str]) -> Any:
        del self.change_sets[self._change_set(call)["ChangeSetId"]]
        return {}

    def _DeleteStack(self, call: Mapping[str, str]) -> Any:
        stack = self._find(call["StackName"])
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
        self.event(stack["StackId"], stack["StackName"], "DELETE_IN_PROGRESS", token=call["ClientRequestToken"])
        return {}

    def _CancelUpdateStack(self, call: Mapping[str, str]) -> Any:
        stack = self._find(call["StackName"])
        if stack["StackStatus"] != "UPDATE_IN_PROGRESS":
            raise Refusal("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        stack["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
        token = call["ClientRequestToken"]
        self.event(stack["StackId"], stack["StackName"], stack["StackStatus"], "User Initiated", token=token)
        return {}


def _numbers(call: Mapping[str, str], name: str, member: str) -> Iterator[int]:
    return itertools.takewhile(lambda n: f"{name}.member.{n}.{member}" in call, itertools.count(1))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def _xml(tag: str, value: Any) -> str:
    if isinstance(value, list):
        return f"<{tag}>{''.join(_xml('member', part) for part in value)}</{tag}>"
    if isinstance(value, Mapping):
        return f"<{tag}>{''.join(_xml(name, part) for name, part in value.items())}</{tag}>"
    return f"<{tag}>{escape(str(value))}</{tag}>"


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _response(url: str, status: int, text: str) -> AWSResponse:
    headers: Any = {"Content-Type": "text/xml"}
    return AWSResponse(url, status, headers, _Raw(text.encode()))
