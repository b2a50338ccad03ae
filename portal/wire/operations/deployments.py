"""The history of deployments."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from portal import access
from portal.actions import deployments as actions
from portal.enums import Role
from portal.errors import NotFound
from portal.queries import deployments as queries
from portal.wire import paging, reading
from portal.wire.presenters import deployments as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


@operation("GetDeployment", Role.VIEWER)
def get_deployment(
    caller: Caller,
    *,
    id: str,
    component_name: str | None = None,
    environment_name: str | None = None,
    service_instance_name: str | None = None,
    service_name: str | None = None,
) -> Reply:
    reading.require_service(service_name, service_instance_name)
    rows = queries.narrowed(
        queries.shown(caller.user, whole=True).filter(pk=UUID(id)),
        environment=None,
        service=service_name,
        instance=service_instance_name,
        component=component_name,
    )
    found = _found(rows, id)
    if environment_name not in (None, found["environmentName"]):  # a pipeline's is not its own, and yet it is shown
        raise NotFound(f"deployment {id} does not exist")
    return {"deployment": found}


def _found(rows: QuerySet[Any], id: str) -> dict[str, Any]:
    row = access.shown(rows, f"deployment {id} does not exist")
    return present.deployment(queries.with_environments([row])[0])


@operation("ListDeployments", Role.VIEWER)
def list_deployments(
    caller: Caller,
    *,
    component_name: str | None = None,
    environment_name: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
    service_instance_name: str | None = None,
    service_name: str | None = None,
) -> Reply:
    """The newest first."""
    reading.require_service(service_name, service_instance_name)
    found, token = paging.page(
        queries.narrowed(
            queries.shown(caller.user),
            environment=environment_name,
            service=service_name,
            instance=service_instance_name,
            component=component_name,
        ),
        by=["created_at", "id"],
        key=lambda row: [row["created_at"], row["id"]],
        parse=lambda key: [paging.moment(key[0]), UUID(key[1])],
        question=["deployments", component_name, environment_name, service_name, service_instance_name],
        max_results=max_results,
        next_token=next_token,
        descending=True,
    )
    if not found:  # the history of what is gone stays; of what never was there is none
        if environment_name is not None:
            access.environment(caller.user, environment_name)
        if service_name is not None and service_instance_name is not None:
            access.service_instance(caller.user, service_name, service_instance_name)
        elif service_name is not None:
            access.service(caller.user, service_name)
        if component_name is not None:
            access.component(caller.user, component_name)
    shown = [present.summary(row) for row in queries.with_environments(found)]
    return {"deployments": shown, "nextToken": token}


@operation("DeleteDeployment", Role.PLATFORM)
def delete_deployment(caller: Caller, *, id: str) -> Reply:
    """A repeat succeeds, and returns nothing."""
    if queries.was_removed(caller.user, id):
        return {}
    shown = _found(queries.shown(caller.user, whole=True).filter(pk=UUID(id)), id)
    actions.delete(by=caller.user, deployment=access.deployment(caller.user, id, write=True))
    return {"deployment": shown}
