"""Gathering from rows what a template is rendered with."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from portal import arns
from portal.actions.targets import Target
from portal.enums import DeploymentKind
from portal.errors import Conflict
from portal.models import Component, Environment, Service, ServiceInstance
from portal.queries import components as component_queries
from portal.queries import deployments as queries
from provisioning.context import (
    ComponentFacts,
    EnvironmentFacts,
    InstanceFacts,
    ServiceFacts,
    component_context,
    environment_context,
    instance_context,
    pipeline_context,
)


def service_facts(service: Service) -> ServiceFacts:
    return ServiceFacts(
        name=service.name,
        branch_name=service.branch_name,
        repository_connection_arn=service.repository_connection_arn,
        repository_id=service.repository_id,
    )


def environment_facts(environment: Environment) -> EnvironmentFacts:
    return EnvironmentFacts(
        name=environment.name,
        account_id=environment.target_account_id,
        outputs=queries.output_values(environment),
    )


def component_facts(instance: ServiceInstance) -> ComponentFacts | None:
    """The component attached to an instance, with the outputs that it has now; None when there is none."""
    component = component_queries.attached_to(instance)
    return ComponentFacts(component.name, queries.output_values(component)) if component else None


def _deployed(environment: Environment) -> EnvironmentFacts:
    if environment.deployed_id is None:
        raise Conflict(f"Environment {environment.name} is not deployed yet.")
    return environment_facts(environment)


def gather(target: Target, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The namespaces of AWS Proton's parameters for this target, with ``inputs`` as its own effective inputs."""
    if isinstance(target, Environment):
        return environment_context(name=target.name, inputs=inputs)
    if isinstance(target, ServiceInstance):
        return instance_context(
            service=service_facts(target.service),
            name=target.name,
            inputs=inputs,
            environment=_deployed(target.environment),
            component=component_facts(target),
        )
    if isinstance(target, Component):
        at = target.instance
        return component_context(
            name=target.name,
            environment=_deployed(target.environment),
            service=service_facts(at.service) if at else None,
            instance=InstanceFacts(at.name, inputs, {}, environment_facts(target.environment)) if at else None,
        )
    return pipeline_context(
        service=service_facts(target.service),
        inputs=inputs,
        instances=[
            InstanceFacts(
                name=instance.name,
                inputs=(instance.deployed or instance.latest).inputs if instance.latest else {},
                outputs=queries.output_values(instance),
                environment=environment_facts(instance.environment),
            )
            for instance in target.service.instances.select_related("environment__deployed", "deployed", "latest")
            if instance.latest is None or instance.latest.kind != DeploymentKind.DELETE
        ],
    )


def tags(target: Target) -> dict[str, str]:
    """What AWS Proton puts on provisioned resources: the keys of its managed tags without the ``aws:`` prefix."""
    if isinstance(target, Environment):
        named = {
            "proton:environment": target.arn,
            "proton:template": arns.template("ENVIRONMENT", target.template.name),
        }
    elif isinstance(target, ServiceInstance):
        named = {
            "proton:template": arns.template("SERVICE", target.service.template.name),
            "proton:environment": target.environment.arn,
            "proton:service": target.service.arn,
            "proton:service-instance": target.arn,
        }
    elif isinstance(target, Component):
        named = {"proton:environment": target.environment.arn, "proton:component": target.arn}
        if target.instance is not None:
            named["proton:service"] = target.instance.service.arn
            named["proton:service-instance"] = target.instance.arn
    else:
        named = {
            "proton:template": arns.template("SERVICE", target.service.template.name),
            "proton:service": target.service.arn,
        }
    return {"proton:account": settings.PORTAL_ACCOUNT_ID, **named}
