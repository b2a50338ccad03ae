"""What the four List…Outputs and the four List…ProvisionedResources answer. AWS Proton: all of it, never in pages."""

from collections.abc import Mapping
from typing import Any

from portal.errors import NotFound
from portal.models.deployments import Deployable
from portal.queries import deployments as queries
from portal.wire.presenters import attempts as present


def outputs_reply(target: Deployable, deployment_id: str | None) -> Mapping[str, Any]:
    """Of the last successful deployment, or of the named one. Raises NotFound when that was not of this target."""
    found = queries.outputs_of(target) if deployment_id is None else queries.outputs_then(target, deployment_id)
    if found is None:
        raise NotFound(f"{target} has no deployment {deployment_id}")
    return {"outputs": present.outputs(found)}


def resources_reply(target: Deployable) -> Mapping[str, Any]:
    return {"provisionedResources": present.resources(queries.resources_of(target))}
