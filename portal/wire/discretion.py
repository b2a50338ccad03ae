"""Specs are returned as they were written, as AWS Proton does: but secret inputs to those only who may change them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portal.enums import DeploymentTargetType
from portal.models import Component, Deployment, Service, User
from portal.queries import sensitive
from portal.queries.rights import may_change
from provisioning.masking import mask
from provisioning.schema import Schema

TELL_SPECS = {"GetComponent", "GetDeployment", "GetEnvironment", "GetService", "GetServiceInstance"}
SPECS = {"spec", "serviceSpec"}
# What portal.queries.sensitive reads of a deployment: the other columns are heavy.
READ = ("target_type", "bundle", "service_name", "instance_name", "engine", "inputs", "target_state")


def shown(user: User, operation: str, reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reply; for somebody who may only read it, with the secret inputs of its specs hidden."""
    if operation not in TELL_SPECS or user.is_platform or not reply:
        return reply
    told = next(iter(reply.values()))
    texts = {text for text in _specs(told) if text}
    service_name = told["name"] if operation == "GetService" else told.get("serviceName")
    if not texts or _may_change(user, service_name):
        return reply
    hidden = sensitive.in_specs(texts, _schemas(operation, told, service_name))
    hidden.update(value for row in _deployments(operation, told) for value in sensitive.values(row))
    return dict(_masked(reply, hidden)) if hidden else reply


def _may_change(user: User, service_name: str | None) -> bool:
    """Environments are changed by platform engineers only, who are shown everything."""
    if not service_name or not user.is_developer:
        return False
    service = Service.objects.filter(name=service_name).only("team", "created_by").first()
    return service is not None and may_change(user, service)


def _schemas(operation: str, told: Mapping[str, Any], service_name: str | None) -> Iterator[Schema]:
    """Those that the specs in the reply may have been written for."""
    if operation == "GetEnvironment":
        yield from sensitive.schemas_of_environment(told["arn"])
    elif operation == "GetDeployment":
        of_target = Deployment.objects.filter(target_arn=told["targetArn"])
        yield from sensitive.schemas(
            Deployment.objects.filter(service_name=service_name) if service_name else of_target
        )
    if service_name:
        yield from sensitive.schemas_of_service(service_name)


def _deployments(operation: str, told: Mapping[str, Any]) -> Iterable[Deployment]:
    """Those of a component in the reply, whose inputs are those of an instance that may be gone."""
    rows = Deployment.objects.only(*READ)
    if operation == "GetDeployment":
        return rows.filter(target_arn=told["targetArn"], target_type=DeploymentTargetType.COMPONENT)
    if operation != "GetComponent":
        return ()
    pairs = Component.objects.filter(arn=told["arn"]).values_list("latest_id", "deployed_id")
    return rows.filter(pk__in={pk for pair in pairs for pk in pair if pk})


def _specs(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in SPECS and isinstance(item, str):
                yield item
            else:
                yield from _specs(item)


def _masked(value: Any, hidden: Iterable[str], name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item, hidden, key) for key, item in value.items()}
    return mask(value, hidden) if name in SPECS and isinstance(value, str) else value
