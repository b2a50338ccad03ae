"""Linked repositories."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access, arns
from portal.actions import repositories as actions
from portal.enums import Role
from portal.errors import NotFound
from portal.models import Repository
from portal.queries import repositories as queries
from portal.wire import idempotency, reading
from portal.wire.paging import page
from portal.wire.presenters import repositories as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


@operation("CreateRepository", Role.PLATFORM)
def create_repository(
    caller: Caller,
    *,
    provider: str,
    name: str,
    connection_arn: str,
    encryption_key: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    """The access is tested before anything is written, with the portal's own credentials: the connection is kept."""
    given = reading.tags(tags)
    known = Repository.objects.filter(provider=provider, name=name).exists()
    found = None if known else actions.check_access(provider, name)
    made = idempotency.create(
        caller,
        "CreateRepository",
        {"connection_arn": connection_arn, "encryption_key": encryption_key, "tags": tags},
        arn=arns.repository(provider, name),
        make=lambda: actions.link(
            by=caller.user,
            provider=provider,
            name=name,
            connection_arn=connection_arn,
            encryption_key=encryption_key or "",
            tags=given,
            found=found,
        ),
        find=lambda arn: Repository.objects.filter(provider=provider, name=name).first(),
        fingerprint=lambda row: [row.tags],
    )
    return {"repository": present.repository(made)}


@operation("GetRepository", Role.VIEWER)
def get_repository(caller: Caller, *, provider: str, name: str) -> Reply:
    return {"repository": present.repository(access.repository(caller.user, provider, name))}


@operation("ListRepositories", Role.VIEWER)
def list_repositories(caller: Caller, *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    rows, token = page(
        queries.visible_to(caller.user),
        by=["provider", "name"],
        key=lambda row: [row.provider, row.name],
        question=["repositories"],
        max_results=max_results,
        next_token=next_token,
    )
    return {"repositories": [present.summary(row) for row in rows], "nextToken": token}


@operation("DeleteRepository", Role.PLATFORM)
def delete_repository(caller: Caller, *, provider: str, name: str) -> Reply:
    """AWS Proton: a repeat of a deletion succeeds, and returns nothing when nothing is known any more."""
    try:
        row = access.repository(caller.user, provider, name, write=True)
        shown = present.repository(row)
        actions.unlink(by=caller.user, repository=row)
    except NotFound:
        return {}
    return {"repository": shown}
