"""The namespaces that templates read. AWS Proton: parameters, env-, svc- and comp-parameters.

Every result is a plain JSON-able dict with copies of its inputs: it is frozen on the deployment and sent to the
process that renders. Which namespace exists for which part is AWS Proton's matrix; a name that is not listed there
does not exist, so that a template which reads it fails instead of rendering something else than it did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Context = dict[str, Any]


@dataclass(frozen=True)
class ServiceFacts:
    """A service. The three repository fields are empty for a service without a pipeline."""

    name: str
    branch_name: str = ""
    repository_connection_arn: str = ""
    repository_id: str = ""


@dataclass(frozen=True)
class EnvironmentFacts:
    """An environment as services see it. Its inputs are not visible to them, its outputs are."""

    name: str
    account_id: str
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class InstanceFacts:
    """A service instance as a pipeline or a component sees it. ``inputs`` are merged over the schema's defaults."""

    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    environment: EnvironmentFacts


@dataclass(frozen=True)
class ComponentFacts:
    """The directly defined component of a service instance."""

    name: str
    outputs: Mapping[str, str] = field(default_factory=dict)


def environment_context(*, name: str, inputs: Mapping[str, Any]) -> Context:
    """For an environment's template, which reads no outputs of anything."""
    return {"environment": {"name": name, "inputs": _copy(inputs)}}


def instance_context(
    *,
    service: ServiceFacts,
    name: str,
    inputs: Mapping[str, Any],
    environment: EnvironmentFacts,
    component: ComponentFacts | None = None,
) -> Context:
    """For a service instance's template.

    Without a component ``service_instance.components.default`` has no name and its outputs are empty; the renderer
    treats it as an empty object. ``service_instance.environment`` is the alias of the 2021 documents.
    """
    default = {"outputs": {}} if component is None else {"name": component.name, "outputs": _copy(component.outputs)}
    return {
        "environment": _environment(environment),
        "service": _service(service),
        "service_instance": {
            "name": name,
            "inputs": _copy(inputs),
            "components": {"default": default},
            "environment": _environment(environment),
        },
    }


def pipeline_context(
    *, service: ServiceFacts, inputs: Mapping[str, Any], instances: Sequence[InstanceFacts]
) -> Context:
    """For a pipeline's template: ``instances`` in the order of the service's spec."""
    return {
        "service": _service(service),
        "pipeline": {"inputs": _copy(inputs)},
        "service_instances": [
            {
                "name": instance.name,
                "inputs": _copy(instance.inputs),
                "outputs": _copy(instance.outputs),
                "environment": _environment(instance.environment),
            }
            for instance in instances
        ],
    }


def workflow_context(pipeline: Context, outputs: Mapping[str, str]) -> Context:
    """For the workflows beside a pipeline's template: they come after its infrastructure and so read
    ``pipeline.outputs`` as well, such as the role that they assume."""
    return {**_copy(pipeline), "pipeline": {**_copy(pipeline["pipeline"]), "outputs": _copy(outputs)}}


def component_context(
    *,
    name: str,
    environment: EnvironmentFacts,
    service: ServiceFacts | None = None,
    instance: InstanceFacts | None = None,
) -> Context:
    """For a component's template. ``service`` and ``service_instance`` exist only while it is attached."""
    context: Context = {"component": {"name": name}, "environment": _environment(environment)}
    if service is not None:
        context["service"] = {"name": service.name}
    if instance is not None:
        context["service_instance"] = {"name": instance.name, "inputs": _copy(instance.inputs)}
    return context


def _service(service: ServiceFacts) -> Context:
    return {
        "name": service.name,
        "branch_name": service.branch_name,
        "repository_connection_arn": service.repository_connection_arn,
        "repository_id": service.repository_id,
    }


def _environment(environment: EnvironmentFacts) -> Context:
    return {
        "name": environment.name,
        "account_id": environment.account_id,
        "outputs": _copy(environment.outputs),
    }


def _copy(value: Any) -> Any:
    """A deep copy made of dicts and lists only."""
    if isinstance(value, Mapping):
        return {str(key): _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return value
