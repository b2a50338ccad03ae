"""What a deployment or a spec knows and nobody is shown. Found in bundles, which outlive their versions."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from portal.enums import DeploymentTargetType
from portal.models import Deployment, Environment, Service
from portal.queries.attempts import planned
from portal.queries.deployments import attachment_of
from portal.queries.templates import schema_of_bundle
from provisioning import masking
from provisioning.bundle import Kind
from provisioning.schema import Property, Schema
from provisioning.yaml_reader import read_yaml


def _schema(digest: str, service_name: str, engine: str) -> Schema:
    """Of the bundle that a deployment ran with."""
    kind: Kind = "service" if service_name else "environment"
    return schema_of_bundle(digest, kind, customer_managed=engine == "none" and kind == "environment")


def _properties(deployment: Deployment) -> Iterable[Property] | None:
    """What is known of its inputs; None when that is lost, so that each of them may be a secret."""
    if deployment.target_type == DeploymentTargetType.COMPONENT:
        return _of_the_attachment(deployment)
    if deployment.bundle_id is None:
        return ()
    schema = _schema(deployment.bundle_id, deployment.service_name, deployment.engine)
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


def schemas(deployments: QuerySet[Deployment]) -> Iterator[Schema]:
    """Of all bundles that these deployments ran with, in one query."""
    rows = deployments.filter(bundle__isnull=False).order_by()
    for row in rows.values_list("bundle", "service_name", "engine").distinct():
        yield _schema(*row)


def schemas_of_environment(arn: str) -> Iterator[Schema]:
    """Of what it runs, and of what it was to run last, in one query."""
    columns = [f"{which}__{name}" for which in ("latest", "deployed") for name in ("bundle", "engine")]
    for latest, engine, deployed, other in Environment.objects.filter(arn=arn).values_list(*columns):
        for digest, by in {(latest, engine), (deployed, other)}:
            if digest:
                yield _schema(digest, "", by)


def schemas_of_service(name: str) -> Iterator[Schema]:
    """Of what its parts run, were to run last, and are to run by its last edit, in one query."""
    parts = [f"{part}__{which}__bundle" for part in ("instances", "pipeline") for which in ("latest", "deployed")]
    rows = Service.objects.filter(name=name).annotate(planned=planned("pk", "bundle"))
    for digest in {digest for row in rows.values_list("planned", *parts) for digest in row if digest}:
        yield _schema(digest, name, "")


def in_specs(texts: Iterable[str], known: Iterable[Schema]) -> set[str]:
    """The secret values in specs as they were written, which may hold what no deployment has taken up yet.

    Secret is what any of the schemas calls so. A text that cannot be read is a secret.
    """
    parts = {id(schema): schema for schema in known}.values()
    found = set()
    for text in texts:
        document, _ = read_yaml(text)
        if document is None:
            found.add(text)
        else:
            found.update(*(masking.secrets_of_spec(document.value, schema) for schema in parts))
    return found


def in_spec_of(deployment: Deployment) -> set[str]:
    """The same of the spec that it ran with, which holds more than its own inputs; none where its bundle is unknown."""
    if deployment.bundle_id is None:
        return set()
    return in_specs([deployment.spec], [_schema(deployment.bundle_id, deployment.service_name, deployment.engine)])
