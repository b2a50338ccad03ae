"""Looking at what is still there, without changing anything."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from provisioning.engines.base import EngineUnavailable, Target
from provisioning.engines.session import NoAccess, Sessions

GONE = "DELETE_COMPLETE"
CHANGE_SETS = "deuteron-"  # what names of change sets begin with; the deployment's id follows


@dataclass(frozen=True)
class FoundStack:
    """A live stack that carries AWS Proton's tags. ``deployment`` is the one that changed it last, "" if unknown."""

    arn: str
    name: str
    status: str
    changed_at: datetime
    tags: Mapping[str, str]
    deployment: str = ""


def missing_stacks(sessions: Sessions, target: Target, stack_ids: Collection[str]) -> frozenset[str]:
    """Those of ``stack_ids`` (ARNs) that do not exist in the target's account. Raises EngineUnavailable."""
    try:
        pages = sessions.client("cloudformation", target).get_paginator("list_stacks").paginate()
        alive = {
            summary["StackId"] for page in pages for summary in page["StackSummaries"] if summary["StackStatus"] != GONE
        }
    except (BotoCoreError, ClientError, ResponseParserError) as trouble:
        raise EngineUnavailable(f"CloudFormation in {target.account_id} cannot be read: {trouble}") from trouble
    return frozenset(stack_ids) - alive


def tagged_stacks(sessions: Sessions, target: Target, portal_account: str) -> tuple[FoundStack, ...]:
    """Every live stack of the account and region whose tag ``proton:account`` names this portal's account.

    Raises EngineUnavailable.
    """
    found = []
    try:
        for page in sessions.client("cloudformation", target).get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
                if stack["StackStatus"] == GONE or tags.get("proton:account") != portal_account:
                    continue
                change_set = stack.get("ChangeSetId", "").partition(":changeSet/")[2].split("/")[0]
                found.append(
                    FoundStack(
                        arn=stack["StackId"],
                        name=stack["StackName"],
                        status=stack["StackStatus"],
                        changed_at=stack.get("LastUpdatedTime") or stack["CreationTime"],
                        tags=tags,
                        deployment=change_set.removeprefix(CHANGE_SETS) if change_set.startswith(CHANGE_SETS) else "",
                    )
                )
    except (BotoCoreError, ClientError, NoAccess) as trouble:
        raise EngineUnavailable(f"CloudFormation in {target.account_id} cannot be read: {trouble}") from trouble
    return tuple(found)
