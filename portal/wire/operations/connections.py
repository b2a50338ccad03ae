"""Environment account connections. The side that a caller speaks for is the account of its access key."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from portal import access
from portal.actions import connections as actions
from portal.enums import Role
from portal.errors import NotFound
from portal.models import EnvironmentAccountConnection
from portal.queries import connections as queries
from portal.wire import idempotency, paging, reading
from portal.wire.presenters import connections as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]
Connection = EnvironmentAccountConnection


def _shown(connection: Connection) -> Reply:
    return {"environmentAccountConnection": present.connection(connection)}


def _find(caller: Caller, id: str, *, write: bool = False, with_deleted: bool = False) -> Connection:
    """To other accounts than its two sides a connection does not exist."""
    return access.connection(caller.user, id, account_id=caller.account_id, write=write, with_deleted=with_deleted)


@operation("CreateEnvironmentAccountConnection", Role.PLATFORM)
def create_environment_account_connection(
    caller: Caller,
    *,
    environment_name: str,
    management_account_id: str,
    client_token: str | None = None,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    role_arn: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request = {
        "environment_name": environment_name,
        "management_account_id": management_account_id,
        "roles": [role_arn, codebuild_role_arn, component_role_arn],
        "tags": tags,
    }

    def make() -> Connection:
        return actions.request(
            by=caller.user,
            account_id=caller.account_id,
            management_account_id=management_account_id,
            environment_name=environment_name,
            role_arn=role_arn or "",
            codebuild_role_arn=codebuild_role_arn or "",
            component_role_arn=component_role_arn or "",
            tags=reading.tags(tags),
            client_token=client_token or "",
        )

    made = idempotency.once(
        caller,
        "CreateEnvironmentAccountConnection",
        request,
        token=client_token,
        make=make,
        find=lambda arn: queries.visible_to(caller.user).filter(arn=arn).first(),
    )
    return _shown(made)


@operation("GetEnvironmentAccountConnection", Role.VIEWER)
def get_environment_account_connection(caller: Caller, *, id: str) -> Reply:
    return _shown(_find(caller, id))


@operation("ListEnvironmentAccountConnections", Role.VIEWER)
def list_environment_account_connections(
    caller: Caller,
    *,
    requested_by: str,
    environment_name: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
    statuses: Sequence[str] | None = None,
) -> Reply:
    """AWS Proton: requests that the caller's account received as management account, or sent as environment account."""
    of_side = queries.received if requested_by == "MANAGEMENT_ACCOUNT" else queries.sent
    rows = of_side(caller.user, caller.account_id).select_related(None)
    found, token = paging.page(
        queries.filtered(rows, environment_name=environment_name or "", statuses=statuses or ()),
        by=["environment_name", "id"],
        key=lambda row: [row.environment_name, row.pk],
        parse=lambda key: [str(key[0]), UUID(key[1])],
        question=["connections", caller.account_id, requested_by, environment_name, statuses],
        max_results=max_results,
        next_token=next_token,
    )
    return {"environmentAccountConnections": [present.summary(row) for row in found], "nextToken": token}


@operation("UpdateEnvironmentAccountConnection", Role.PLATFORM)
def update_environment_account_connection(
    caller: Caller,
    *,
    id: str,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    role_arn: str | None = None,
) -> Reply:
    return _shown(
        actions.update_roles(
            by=caller.user,
            account_id=caller.account_id,
            connection=_find(caller, id, write=True),
            role_arn=role_arn,
            codebuild_role_arn=codebuild_role_arn,
            component_role_arn=component_role_arn,
        )
    )


@operation("DeleteEnvironmentAccountConnection", Role.PLATFORM)
def delete_environment_account_connection(caller: Caller, *, id: str) -> Reply:
    """AWS Proton: a repeat returns what was deleted while it is known, and nothing otherwise."""
    try:
        found = _find(caller, id, write=True, with_deleted=True)
    except NotFound:
        return {}
    return _shown(actions.delete(by=caller.user, account_id=caller.account_id, connection=found))


@operation("AcceptEnvironmentAccountConnection", Role.PLATFORM)
def accept_environment_account_connection(caller: Caller, *, id: str) -> Reply:
    """Its roles must pass the connect test: a reason to accept them anyhow is given in the browser only."""
    found = _find(caller, id, write=True)
    return _shown(actions.accept(by=caller.user, account_id=caller.account_id, connection=found))


@operation("RejectEnvironmentAccountConnection", Role.PLATFORM)
def reject_environment_account_connection(caller: Caller, *, id: str) -> Reply:
    found = _find(caller, id, write=True)
    return _shown(actions.reject(by=caller.user, account_id=caller.account_id, connection=found))
