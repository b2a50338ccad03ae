"""Environments."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access, arns
from portal.actions import deployments
from portal.actions import environments as actions
from portal.enums import DeploymentKind, Role, TemplateKind
from portal.errors import NotFound
from portal.models import Environment, EnvironmentAccountConnection
from portal.queries import environments as queries
from portal.wire import idempotency, reading
from portal.wire.outputs import outputs_reply, resources_reply
from portal.wire.paging import page
from portal.wire.presenters import environments as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


def _shown(caller: Caller, name: str) -> Reply:
    row = access.found(queries.one(caller.user, name), f"environment {name} does not exist")
    return {"environment": present.environment(row)}


def _connection(caller: Caller, id: str | None) -> EnvironmentAccountConnection | None:
    """The way into another account. AWS Proton: the caller is its management account."""
    return None if id is None else access.connection(caller.user, id, account_id=caller.account_id)


def _asked(row: Environment) -> list[Any]:
    """What somebody who modifies an environment changes, also when that did not succeed."""
    latest = row.latest
    roles = [row.proton_service_role_arn, row.codebuild_role_arn, row.component_role_arn, row.connection_id]
    attempt = [latest.spec, latest.number, latest.kind == DeploymentKind.DELETE] if latest else []
    return [row.description, row.tags, *roles, *attempt]


@operation("CreateEnvironment", Role.PLATFORM)
def create_environment(
    caller: Caller,
    *,
    name: str,
    spec: str,
    template_name: str,
    template_major_version: str,
    template_minor_version: str | None = None,
    description: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
    proton_service_role_arn: str | None = None,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    environment_account_connection_id: str | None = None,
    provisioning_repository: Mapping[str, str] | None = None,
) -> Reply:
    request = {
        "spec": spec,
        "template": [template_name, template_major_version, template_minor_version],
        "description": description,
        "tags": tags,
        "roles": [proton_service_role_arn, codebuild_role_arn, component_role_arn],
        "repository": provisioning_repository,
        "connection": environment_account_connection_id,
    }
    idempotency.create(
        caller,
        "CreateEnvironment",
        request,
        arn=arns.environment(name),
        make=lambda: actions.create(
            by=caller.user,
            name=name,
            template=access.template(caller.user, TemplateKind.ENVIRONMENT, template_name),
            spec=spec,
            major=reading.number(template_major_version),
            minor=reading.number_or_none(template_minor_version),
            description=description or "",
            proton_service_role_arn=proton_service_role_arn or "",
            codebuild_role_arn=codebuild_role_arn or "",
            component_role_arn=component_role_arn or "",
            provisioning_repository=provisioning_repository,
            connection=_connection(caller, environment_account_connection_id),
            tags=reading.tags(tags),
        ),
        find=lambda arn: Environment.objects.filter(arn=arn).select_related("latest").first(),
        fingerprint=_asked,
    )
    return _shown(caller, name)


@operation("GetEnvironment", Role.VIEWER)
def get_environment(caller: Caller, *, name: str) -> Reply:
    return _shown(caller, name)


@operation("ListEnvironments", Role.VIEWER)
def list_environments(
    caller: Caller,
    *,
    environment_templates: Sequence[Mapping[str, str]] | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    rows = queries.everything(caller.user)
    if environment_templates:
        rows = queries.running_any(queries.shown(caller.user), reading.compatible(environment_templates))
    found, token = page(
        rows,
        by=["name"],
        key=lambda row: [row["name"]],
        question=["environments", environment_templates],
        max_results=max_results,
        next_token=next_token,
    )
    return {"environments": [present.summary(row) for row in found], "nextToken": token}


@operation("UpdateEnvironment", Role.PLATFORM)
def update_environment(
    caller: Caller,
    *,
    name: str,
    deployment_type: str,
    spec: str | None = None,
    template_major_version: str | None = None,
    template_minor_version: str | None = None,
    description: str | None = None,
    proton_service_role_arn: str | None = None,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    environment_account_connection_id: str | None = None,
    provisioning_repository: Mapping[str, str] | None = None,
) -> Reply:
    environment = access.environment(caller.user, name, write=True)
    actions.update(
        by=caller.user,
        environment=environment,
        deployment_type=deployment_type,
        spec=spec,
        major=reading.number_or_none(template_major_version),
        minor=reading.number_or_none(template_minor_version),
        description=description,
        proton_service_role_arn=proton_service_role_arn,
        codebuild_role_arn=codebuild_role_arn,
        component_role_arn=component_role_arn,
        provisioning_repository=provisioning_repository,
        connection=_connection(caller, environment_account_connection_id),
    )
    return _shown(caller, name)


@operation("DeleteEnvironment", Role.PLATFORM)
def delete_environment(caller: Caller, *, name: str) -> Reply:
    """AWS Proton: a repeat returns the environment while it is being deleted, and nothing afterwards."""
    try:
        actions.delete(by=caller.user, environment=access.environment(caller.user, name, write=True))
        return _shown(caller, name)
    except NotFound:
        return {}


@operation("CancelEnvironmentDeployment", Role.PLATFORM)
def cancel_environment_deployment(caller: Caller, *, environment_name: str) -> Reply:
    deployments.cancel(by=caller.user, target=access.environment(caller.user, environment_name, write=True))
    return _shown(caller, environment_name)


@operation("ListEnvironmentOutputs", Role.VIEWER)
def list_environment_outputs(
    caller: Caller, *, environment_name: str, deployment_id: str | None = None, next_token: str | None = None
) -> Reply:
    return outputs_reply(access.environment(caller.user, environment_name), deployment_id)


@operation("ListEnvironmentProvisionedResources", Role.VIEWER)
def list_environment_provisioned_resources(
    caller: Caller, *, environment_name: str, next_token: str | None = None
) -> Reply:
    return resources_reply(access.environment(caller.user, environment_name))
