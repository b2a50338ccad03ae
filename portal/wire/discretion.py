"""Specs are returned as they were written, as AWS Proton does: but secret inputs to those only who may change them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from portal.models import Component, Deployment, Environment, Service, ServiceInstance, ServicePipeline, User
from portal.queries import sensitive
from portal.queries.rights import may_change
from provisioning.masking import mask

TELL_SPECS = {"GetComponent", "GetDeployment", "GetEnvironment", "GetService", "GetServiceInstance"}
SPECS = {"spec", "serviceSpec"}
# What portal.queries.sensitive reads: the other columns are heavy.
READ = ("target_type", "bundle", "service_name", "instance_name", "engine", "inputs", "target_state")


def shown(user: User, operation: str, reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reply; for somebody who may only read it, with the secret inputs of its specs hidden."""
    if operation not in TELL_SPECS or user.is_platform or not reply:
        return reply
    told = next(iter(reply.values()))
    name = told["name"] if operation == "GetService" else told.get("serviceName")
    service = Service.objects.filter(name=name).first() if name else None
    if service is not None and may_change(user, service):
        return reply
    hidden = {value for row in _deployments(operation, told, service) for value in sensitive.values(row)}
    return dict(_masked(reply, hidden)) if hidden else reply


def _deployments(operation: str, told: Mapping[str, Any], service: Service | None) -> Iterable[Deployment]:
    """Those whose inputs stand in the reply."""
    rows = Deployment.objects.only(*READ)
    if operation == "GetDeployment":  # a service's deployment has the spec of all its instances and of its pipeline
        of_target, name = Q(target_arn=told["targetArn"]), told.get("serviceName")
        return rows.filter(of_target | Q(service_name=name) if name else of_target)
    if operation == "GetEnvironment":
        targets = [Environment.objects.filter(arn=told["arn"])]
    elif operation == "GetComponent":
        targets = [Component.objects.filter(arn=told["arn"])]
    else:
        targets = [model.objects.filter(service=service) for model in (ServiceInstance, ServicePipeline)]
    pairs = [pair for rows in targets for pair in rows.values_list("latest_id", "deployed_id")]
    return rows.filter(pk__in={pk for pair in pairs for pk in pair if pk})


def _masked(value: Any, hidden: Iterable[str], name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item, hidden, key) for key, item in value.items()}
    return mask(value, hidden) if name in SPECS and isinstance(value, str) else value
