"""Tags of resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access
from portal.actions import tags as actions
from portal.enums import Role
from portal.errors import NotFound
from portal.models import EnvironmentAccountConnection
from portal.queries import tags as queries
from portal.wire import reading
from portal.wire.paging import page_of_list
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


def _taggable(caller: Caller, arn: str, *, write: bool = False) -> Any:
    """AWS Proton: the tags of an account connection are its environment account's."""
    found = access.by_arn(caller.user, arn, write=write)
    if isinstance(found, EnvironmentAccountConnection) and found.environment_account_id != caller.account_id:
        raise NotFound(f"{arn} does not exist")
    if not hasattr(found, "tags"):
        raise NotFound(f"{arn} has no tags")
    return found


@operation("TagResource", Role.PLATFORM)
def tag_resource(caller: Caller, *, resource_arn: str, tags: Sequence[Mapping[str, str]]) -> Reply:
    actions.tag(by=caller.user, resource=_taggable(caller, resource_arn, write=True), tags=reading.tags(tags))
    return {}


@operation("UntagResource", Role.PLATFORM)
def untag_resource(caller: Caller, *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    for key in tag_keys:
        reading.require_own(key)
    actions.untag(by=caller.user, resource=_taggable(caller, resource_arn, write=True), keys=tag_keys)
    return {}


@operation("ListTagsForResource", Role.VIEWER)
def list_tags_for_resource(
    caller: Caller, *, resource_arn: str, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    found = queries.tags_of(_taggable(caller, resource_arn))
    pairs, token = page_of_list(
        list(found.items()),
        key=lambda pair: pair[0],
        question=["tags", resource_arn],
        max_results=max_results,
        next_token=next_token,
    )
    return {"tags": [{"key": key, "value": value} for key, value in pairs], "nextToken": token}
