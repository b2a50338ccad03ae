"""Components: AWS Proton's directly defined ones. Developers use them where an admin has switched that on."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access
from portal.actions import components as actions
from portal.actions import deployments
from portal.enums import Role
from portal.errors import NotFound
from portal.models import Component
from portal.queries import components as queries
from portal.wire import idempotency, reading
from portal.wire.outputs import outputs_reply, resources_reply
from portal.wire.paging import page
from portal.wire.presenters import components as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


def _shown(caller: Caller, name: str) -> Reply:
    rows = queries.shown(caller.user, whole=True).filter(name=name)
    return {"component": present.component(access.shown(rows, f"component {name} does not exist"))}


def _find(arn: str) -> Component | None:
    return Component.objects.filter(arn=arn).first()


@operation("CreateComponent", Role.DEVELOPER)
def create_component(
    caller: Caller,
    *,
    name: str,
    manifest: str,
    template_file: str,
    client_token: str | None = None,
    description: str | None = None,
    environment_name: str | None = None,
    service_instance_name: str | None = None,
    service_name: str | None = None,
    service_spec: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    access.require_components(caller.user)
    request = {
        "name": name,
        "texts": [manifest, template_file, service_spec],
        "description": description,
        "place": [environment_name, service_name, service_instance_name],
        "tags": tags,
    }

    def make() -> Component:
        return actions.create(
            by=caller.user,
            name=name,
            manifest=manifest,
            template_file=template_file,
            environment_name=environment_name or "",
            service_name=service_name or "",
            instance_name=service_instance_name or "",
            service_spec=service_spec or "",
            description=description or "",
            client_token=client_token or "",
            tags=reading.tags(tags),
        )

    idempotency.once(caller, "CreateComponent", request, token=client_token, make=make, find=_find)
    return _shown(caller, name)


@operation("GetComponent", Role.VIEWER)
def get_component(caller: Caller, *, name: str) -> Reply:
    return _shown(caller, name)


@operation("ListComponents", Role.VIEWER)
def list_components(
    caller: Caller,
    *,
    environment_name: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
    service_instance_name: str | None = None,
    service_name: str | None = None,
) -> Reply:
    """AWS Proton: names that nothing has give an empty list."""
    reading.require_service(service_name, service_instance_name)
    found, token = page(
        queries.narrowed(
            queries.shown(caller.user),
            environment_name=environment_name or "",
            service_name=service_name or "",
            instance_name=service_instance_name or "",
        ),
        by=["name"],
        key=lambda row: [row["name"]],
        question=["components", environment_name, service_name, service_instance_name],
        max_results=max_results,
        next_token=next_token,
    )
    return {"components": [present.summary(row) for row in found], "nextToken": token}


@operation("UpdateComponent", Role.DEVELOPER)
def update_component(
    caller: Caller,
    *,
    name: str,
    deployment_type: str,
    client_token: str | None = None,
    description: str | None = None,
    service_instance_name: str | None = None,
    service_name: str | None = None,
    service_spec: str | None = None,
    template_file: str | None = None,
) -> Reply:
    """AWS Proton: names left out keep the attachment, "" ends it."""
    component = access.component(caller.user, name, write=True)
    request = {
        "name": name,
        "type": deployment_type,
        "description": description,
        "place": [service_name, service_instance_name],
        "texts": [service_spec, template_file],
    }

    def make() -> Component:
        return actions.update(
            by=caller.user,
            component=component,
            deployment_type=deployment_type,
            description=description,
            service_name=service_name,
            instance_name=service_instance_name,
            service_spec=service_spec,
            template_file=template_file,
            client_token=client_token or "",
        )

    idempotency.once(caller, "UpdateComponent", request, token=client_token, make=make, find=_find)
    return _shown(caller, name)


@operation("DeleteComponent", Role.DEVELOPER)
def delete_component(caller: Caller, *, name: str) -> Reply:
    """A repeat returns the component while it is being deleted, and nothing afterwards."""
    try:
        actions.delete(by=caller.user, component=access.component(caller.user, name, write=True))
        return _shown(caller, name)
    except NotFound:
        return {}


@operation("CancelComponentDeployment", Role.DEVELOPER)
def cancel_component_deployment(caller: Caller, *, component_name: str) -> Reply:
    deployments.cancel(by=caller.user, target=access.component(caller.user, component_name, write=True))
    return _shown(caller, component_name)


@operation("ListComponentOutputs", Role.VIEWER)
def list_component_outputs(
    caller: Caller, *, component_name: str, deployment_id: str | None = None, next_token: str | None = None
) -> Reply:
    return outputs_reply(access.component(caller.user, component_name), deployment_id)


@operation("ListComponentProvisionedResources", Role.VIEWER)
def list_component_provisioned_resources(
    caller: Caller, *, component_name: str, next_token: str | None = None
) -> Reply:
    return resources_reply(access.component(caller.user, component_name))
