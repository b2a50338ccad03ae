"""What a deployment knows and nobody is shown. Found in the bundle that it ran with, which outlives its version."""

from collections.abc import Iterable
from typing import Any

from portal.enums import DeploymentTargetType
from portal.models import Deployment
from portal.queries.deployments import attachment_of
from portal.queries.templates import schema_of_bundle
from provisioning import masking
from provisioning.bundle import Kind
from provisioning.schema import Property


def _properties(deployment: Deployment) -> Iterable[Property] | None:
    """What is known of its inputs; None when that is lost, so that each of them may be a secret."""
    if deployment.target_type == DeploymentTargetType.COMPONENT:
        return _of_the_attachment(deployment)
    if deployment.bundle_id is None:
        return ()
    kind: Kind = "service" if deployment.service_name else "environment"
    nobody_provisions = deployment.engine == "none" and kind == "environment"
    schema = schema_of_bundle(deployment.bundle_id, kind, customer_managed=nobody_provisions)
    part = schema.environment
    if deployment.service_name:
        part = schema.service if deployment.instance_name else schema.pipeline
    return part.properties if part else ()


def _of_the_attachment(deployment: Deployment) -> Iterable[Property] | None:
    """A component's inputs are those of the instance that it was attached to."""
    instance = attachment_of(deployment)
    if instance is None or instance.version is None or instance.version.bundle_id is None:
        return None
    part = schema_of_bundle(instance.version.bundle_id, "service", customer_managed=False).service
    return part.properties if part else ()


def values(deployment: Deployment | None, *, shortest: int = masking.MASK_FROM) -> tuple[str, ...]:
    """The values of its secret inputs, of at least so many characters."""
    if deployment is None:
        return ()
    properties = _properties(deployment)
    if properties is None:
        return tuple(text for text in masking.leaves(deployment.inputs) if len(text) >= shortest)
    return tuple(masking.secret_values(properties, deployment.inputs, shortest=shortest))


def shown_inputs(deployment: Deployment) -> dict[str, Any]:
    """Its inputs for people to read."""
    properties = _properties(deployment)
    if properties is None:
        return dict.fromkeys(deployment.inputs, masking.HIDDEN)
    return masking.without_secrets(properties, deployment.inputs)
