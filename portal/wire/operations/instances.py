"""Service instances."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from portal import access
from portal.actions import deployments
from portal.actions import instances as actions
from portal.enums import Role
from portal.errors import Invalid
from portal.models import ServiceInstance
from portal.queries import instances as queries
from portal.wire import idempotency, paging, reading
from portal.wire.outputs import outputs_reply, resources_reply
from portal.wire.presenters import instances as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]
PARSERS: dict[str, Callable[[Any], Any]] = {
    "latest_id": UUID,
    "pk": paging.whole,
    "latest__created_at": paging.moment,
    "created_at": paging.moment,
}


def _shown(caller: Caller, service_name: str, name: str) -> Reply:
    row = access.found(queries.one(caller.user, service_name, name), f"service {service_name} has no instance {name}")
    return {"serviceInstance": present.instance(row)}


def _find(arn: str) -> ServiceInstance | None:
    return ServiceInstance.objects.filter(arn=arn).first()


@operation("CreateServiceInstance", Role.PLATFORM)
def create_service_instance(
    caller: Caller,
    *,
    name: str,
    service_name: str,
    spec: str,
    client_token: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
    template_major_version: str | None = None,
    template_minor_version: str | None = None,
) -> Reply:
    service = access.service(caller.user, service_name, write=True)
    version = [template_major_version, template_minor_version]
    idempotency.once(
        caller,
        "CreateServiceInstance",
        {"name": name, "service_name": service_name, "spec": spec, "tags": tags, "version": version},
        token=client_token,
        make=lambda: actions.create(
            by=caller.user,
            service=service,
            name=name,
            spec=spec,
            major=reading.number_or_none(template_major_version),
            minor=reading.number_or_none(template_minor_version),
            tags=reading.tags(tags),
            client_token=client_token or "",
        ),
        find=_find,
    )
    return _shown(caller, service_name, name)


@operation("GetServiceInstance", Role.VIEWER)
def get_service_instance(caller: Caller, *, service_name: str, name: str) -> Reply:
    return _shown(caller, service_name, name)


@operation("ListServiceInstances", Role.VIEWER)
def list_service_instances(
    caller: Caller,
    *,
    filters: Sequence[Mapping[str, str]] | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
    service_name: str | None = None,
    sort_by: str = "serviceName",
    sort_order: str = "ASCENDING",
) -> Reply:
    pairs = [_pair(one) for one in filters or ()]
    columns = queries.ORDERS[sort_by]
    parsers = [PARSERS.get(column, str) for column in columns]
    found, token = paging.page(
        queries.wanted(caller.user, filters=pairs, service_name=service_name, sort_by=sort_by),
        by=columns,
        key=lambda row: queries.key_of(row, sort_by),
        parse=lambda key: [parse(part) for parse, part in zip(parsers, key, strict=True)],
        question=["instances", filters, service_name, sort_by, sort_order],
        max_results=max_results,
        next_token=next_token,
        descending=sort_order == "DESCENDING",
    )
    if not found and service_name is not None:
        access.service(caller.user, service_name)
    return {"serviceInstances": [present.summary(row) for row in found], "nextToken": token}


def _pair(given: Mapping[str, str]) -> tuple[str, str]:
    if "key" not in given or "value" not in given:
        raise Invalid("Each filter needs a key and a value.")
    return given["key"], given["value"]


@operation("UpdateServiceInstance", Role.DEVELOPER)
def update_service_instance(
    caller: Caller,
    *,
    name: str,
    service_name: str,
    deployment_type: str,
    client_token: str | None = None,
    spec: str | None = None,
    template_major_version: str | None = None,
    template_minor_version: str | None = None,
) -> Reply:
    instance = access.service_instance(caller.user, service_name, name, write=True)
    version = [template_major_version, template_minor_version]

    def update() -> ServiceInstance:
        return actions.update(
            by=caller.user,
            instance=instance,
            deployment_type=deployment_type,
            spec=spec,
            major=reading.number_or_none(template_major_version),
            minor=reading.number_or_none(template_minor_version),
            client_token=client_token or "",
        )

    idempotency.once(
        caller,
        "UpdateServiceInstance",
        {"name": name, "service_name": service_name, "type": deployment_type, "spec": spec, "version": version},
        token=client_token,
        make=update,
        find=_find,
    )
    return _shown(caller, service_name, name)


@operation("CancelServiceInstanceDeployment", Role.DEVELOPER)
def cancel_service_instance_deployment(caller: Caller, *, service_instance_name: str, service_name: str) -> Reply:
    target = access.service_instance(caller.user, service_name, service_instance_name, write=True)
    deployments.cancel(by=caller.user, target=target)
    return _shown(caller, service_name, service_instance_name)


@operation("ListServiceInstanceOutputs", Role.VIEWER)
def list_service_instance_outputs(
    caller: Caller,
    *,
    service_instance_name: str,
    service_name: str,
    deployment_id: str | None = None,
    next_token: str | None = None,
) -> Reply:
    return outputs_reply(access.service_instance(caller.user, service_name, service_instance_name), deployment_id)


@operation("ListServiceInstanceProvisionedResources", Role.VIEWER)
def list_service_instance_provisioned_resources(
    caller: Caller, *, service_instance_name: str, service_name: str, next_token: str | None = None
) -> Reply:
    return resources_reply(access.service_instance(caller.user, service_name, service_instance_name))
