"""What a deployment knows and nobody is shown. Found in the bundle that it ran with, which outlives its version."""

from collections.abc import Iterable
from typing import Any

from portal.models import Deployment
from portal.queries.templates import schema_of_bundle
from provisioning import masking
from provisioning.bundle import Kind
from provisioning.schema import Property


def _properties(deployment: Deployment) -> Iterable[Property]:
    if deployment.bundle_id is None:
        return ()
    kind: Kind = "service" if deployment.service_name else "environment"
    nobody_provisions = deployment.engine == "none" and kind == "environment"
    schema = schema_of_bundle(deployment.bundle_id, kind, customer_managed=nobody_provisions)
    part = schema.environment
    if deployment.service_name:
        part = schema.service if deployment.instance_name else schema.pipeline
    return part.properties if part else ()


def values(deployment: Deployment | None) -> tuple[str, ...]:
    """The values of its secret inputs."""
    if deployment is None:
        return ()
    return tuple(masking.secret_values(_properties(deployment), deployment.inputs))


def shown_inputs(deployment: Deployment) -> dict[str, Any]:
    """Its inputs for people to read."""
    return masking.without_secrets(_properties(deployment), deployment.inputs)
