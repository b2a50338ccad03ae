"""Pipelines of services. They are read through GetService."""

from collections.abc import Mapping
from typing import Any

from portal import access
from portal.actions import deployments
from portal.actions import pipelines as actions
from portal.enums import Role
from portal.queries import services as queries
from portal.wire import reading
from portal.wire.outputs import outputs_reply, resources_reply
from portal.wire.presenters import services as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


def _shown(caller: Caller, service_name: str) -> Reply:
    rows = queries.shown(caller.user, whole=True).filter(name=service_name)
    return {"pipeline": present.pipeline(access.shown(rows, f"service {service_name} does not exist"))}


@operation("UpdateServicePipeline", Role.DEVELOPER)
def update_service_pipeline(
    caller: Caller,
    *,
    deployment_type: str,
    service_name: str,
    spec: str,
    template_major_version: str | None = None,
    template_minor_version: str | None = None,
) -> Reply:
    actions.update(
        by=caller.user,
        service=access.service(caller.user, service_name, write=True),
        deployment_type=deployment_type,
        spec=spec,
        major=reading.number_or_none(template_major_version),
        minor=reading.number_or_none(template_minor_version),
    )
    return _shown(caller, service_name)


@operation("CancelServicePipelineDeployment", Role.DEVELOPER)
def cancel_service_pipeline_deployment(caller: Caller, *, service_name: str) -> Reply:
    deployments.cancel(by=caller.user, target=access.service_pipeline(caller.user, service_name, write=True))
    return _shown(caller, service_name)


@operation("ListServicePipelineOutputs", Role.VIEWER)
def list_service_pipeline_outputs(
    caller: Caller, *, service_name: str, deployment_id: str | None = None, next_token: str | None = None
) -> Reply:
    return outputs_reply(access.service_pipeline(caller.user, service_name), deployment_id)


@operation("ListServicePipelineProvisionedResources", Role.VIEWER)
def list_service_pipeline_provisioned_resources(
    caller: Caller, *, service_name: str, next_token: str | None = None
) -> Reply:
    return resources_reply(access.service_pipeline(caller.user, service_name))
