"""Looking at what is still there, without changing anything."""

from collections.abc import Collection

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from provisioning.engines.base import EngineUnavailable, Target
from provisioning.engines.session import Sessions

GONE = "DELETE_COMPLETE"


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
