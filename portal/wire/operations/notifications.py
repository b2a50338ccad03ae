"""Reports about deployments that something else than the portal carries out."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access
from portal.actions import notifications as actions
from portal.enums import Role
from portal.errors import NotFound
from portal.models import Component, Environment, ServiceInstance, ServicePipeline
from portal.wire.registry import Caller, operation
from provisioning.outputs import Output


@operation("NotifyResourceDeploymentStatusChange", Role.DEVELOPER)
def notify_resource_deployment_status_change(
    caller: Caller,
    *,
    resource_arn: str,
    deployment_id: str = "",
    outputs: Sequence[Mapping[str, str]] | None = None,
    status: str = "",
    status_message: str = "",
) -> Mapping[str, Any]:
    target = access.by_arn(caller.user, resource_arn, write=True)
    if not isinstance(target, Environment | ServiceInstance | ServicePipeline | Component):
        raise NotFound(f"{resource_arn} is nothing that is deployed")
    actions.notify(
        by=caller.user,
        target=target,
        status=status,
        deployment_id=deployment_id,
        message=status_message,
        outputs=None
        if outputs is None
        else [Output(output.get("key", ""), output.get("valueString", "")) for output in outputs],
    )
    return {}
