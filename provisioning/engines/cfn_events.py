"""Stack events as progress, and the first real cause among them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioning.engines.base import Event
from provisioning.engines.cfn_stacks import ChangeSet, Stacks

_CANCELLED = ("resource creation cancelled", "resource update cancelled", "resource deletion cancelled")
_NESTED = "AWS::CloudFormation::Stack"

Raw = Mapping[str, Any]


def fresh(stacks: Stacks, stack: str, *, seen: str, token: str) -> tuple[list[Raw], str]:
    """Events newer than ``seen``, oldest first, and the id of the newest of all.

    With nothing seen yet: those that carry this deployment's token, as when the handle was lost.
    """
    found: list[Raw] = []
    newest = ""
    for event in stacks.events(stack):
        newest = newest or event["EventId"]
        if event["EventId"] == seen or (not seen and not ours(event, token)):
            break
        found.append(event)
    return found[::-1], newest


def operation(stacks: Stacks, stack: str, *, since: str, token: str) -> list[Raw]:
    """Every event of this deployment, oldest first: those with its token, else all that are newer than ``since``."""
    found: list[Raw] = []
    for event in stacks.events(stack):
        if event["EventId"] == since:
            break
        found.append(event)
    found.reverse()
    return [event for event in found if ours(event, token)] or (found if since else [])


def ours(event: Raw, token: str) -> bool:
    """Whether an operation of this deployment caused it: every token it uses starts with its id."""
    return str(event.get("ClientRequestToken", "")).startswith(token)


def of_stack(event: Raw) -> bool:
    """Whether it is about the stack itself rather than one of its resources."""
    return bool(event.get("PhysicalResourceId") == event.get("StackId"))


def shown(events: Iterable[Raw]) -> tuple[Event, ...]:
    return tuple(
        Event(
            id=event["EventId"],
            at=event["Timestamp"].timestamp(),
            resource=event.get("LogicalResourceId", ""),
            status=event.get("ResourceStatus", ""),
            message=event.get("ResourceStatusReason", ""),
            type=event.get("ResourceType", ""),
            failed=event.get("ResourceStatus", "").endswith("_FAILED"),
        )
        for event in events
    )


def validation(stacks: Stacks, stack: str, events: Sequence[Raw]) -> list[Raw]:
    """The errors behind a stack event that only says "Validation failed", as events of their resources."""
    if not any("DescribeEvents" in event.get("ResourceStatusReason", "") for event in events):
        return []
    start = events[0]["Timestamp"]
    return [_of_resource(error) for error in stacks.validation_errors(StackName=stack) if error["Timestamp"] >= start]


def change_set_cause(stacks: Stacks, change_set: ChangeSet) -> str:
    """Why a change set failed, with the errors behind a reason that only says where they can be had."""
    if "DescribeEvents" not in change_set.reason:
        return change_set.reason or "The change set failed."
    errors = [_of_resource(error) for error in stacks.validation_errors(ChangeSetName=change_set.id)]
    return "; ".join(_words(error) for error in errors) or change_set.reason


def _of_resource(error: Raw) -> Raw:
    return {
        **error,
        "ResourceStatus": "VALIDATION_FAILED",
        "ResourceStatusReason": error["ValidationStatusReason"],
    }


def first_cause(stacks: Stacks, events: Sequence[Raw], *, depth: int = 3) -> str:
    """Why it failed, in the provider's words: the earliest failure that is not the mere consequence of another one.

    ``events`` are those of one operation, oldest first. A nested stack's own events since then are asked for the
    cause inside it. "" when no event tells.
    """
    failures = [
        event
        for event in events
        if event.get("ResourceStatus", "").endswith("_FAILED")
        and not event.get("ResourceStatusReason", "").lower().startswith(_CANCELLED)
    ]
    cause = next((event for event in failures if not of_stack(event)), None) or next(iter(failures), None)
    if cause is None:
        return ""
    if not of_stack(cause) and cause.get("ResourceType") == _NESTED and cause.get("PhysicalResourceId") and depth > 0:
        start = events[0]["Timestamp"]
        inside = [event for event in stacks.events(cause["PhysicalResourceId"]) if event["Timestamp"] >= start]
        deeper = first_cause(stacks, inside[::-1], depth=depth - 1)
        if deeper:
            return f"{cause['LogicalResourceId']} / {deeper}"
    return _words(cause)


def _words(event: Raw) -> str:
    reason = str(event.get("ResourceStatusReason") or event["ResourceStatus"])
    if of_stack(event) or not event.get("LogicalResourceId"):
        return reason
    return f"{event['LogicalResourceId']} ({event.get('ResourceType', '')}): {reason}"
