"""Writing the rows that workers drive: a deployment, or the removal of what deployments made."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import pull_request_jobs
from portal.actions.names import unless_taken
from portal.actions.targets import Target, engine_for, where, who
from portal.enums import DeploymentKind, DeploymentStatus
from portal.errors import Conflict
from portal.models import (
    Component,
    Deployment,
    Environment,
    ServiceInstance,
    ServicePipeline,
    TemplateVersion,
    User,
)
from provisioning.engines.names import stack_name


def _state(target: Target, version: TemplateVersion | None, spec: str, template_file: str) -> dict[str, Any]:
    """What a deployment leads from or to, in the words of AWS Proton's states; {} for nothing."""
    if isinstance(target, Component):
        if not template_file:
            return {}
        at = target.instance
        attached = {"service_name": at.service.name, "service_instance_name": at.name} if at else {}
        return {**attached, "service_spec": spec, "template_file": template_file}
    if version is None:
        return {}
    return {
        "spec": spec,
        "template_name": version.template.name,
        "template_major_version": str(version.major),
        "template_minor_version": str(version.minor),
    }


def _around(target: Target) -> dict[str, Any]:
    """The last successes of what an instance finds when it is deployed."""
    if not isinstance(target, ServiceInstance):
        return {}
    found: dict[str, Any] = {}
    if target.environment.deployed_id:
        found["last_successful_environment_deployment_id"] = str(target.environment.deployed_id)
    pipeline = getattr(target.service, "pipeline", None)
    if pipeline is not None and pipeline.deployed_id:
        found["last_successful_service_pipeline_deployment_id"] = str(pipeline.deployed_id)
    component = getattr(target, "component", None) if target.latest_id else None  # a new one has none yet
    if component is not None and component.deployed_id:
        found["last_successful_component_deployment_ids"] = [str(component.deployed_id)]
    return found


def _external_name(target: Target, engine: str) -> str:
    """What the engine calls what it makes: a stack for each target, a CodeBuild project for each environment."""
    if engine in ("command", "pull-request", "workflow"):
        return ""
    if engine == "codebuild":
        if isinstance(target, ServicePipeline):
            return stack_name("pipelines", "codebuild", settings.PORTAL_ACCOUNT_ID)
        home = target if isinstance(target, Environment) else target.environment
        return stack_name(home.name, "codebuild", f"{home.arn}#{home.created_at.isoformat()}")
    named_by = who(target)
    name = "-".join(part for part in (named_by.get("service_name"), _short_name(target)) if part)
    return stack_name(name, "cloudformation", f"{target.arn}#{target.created_at.isoformat()}")


def start(
    *,
    by: User,
    target: Target,
    kind: str,
    version: TemplateVersion | None,
    spec: str,
    inputs: Mapping[str, Any],
    template_file: str = "",
    retry_of: Deployment | None = None,
    allow_replace_empty: bool = False,
    lost: bool = False,
    again: bool = False,
) -> Deployment:
    """Write the row that a worker will drive, inside the caller's transaction.

    ``version`` is None and ``template_file`` given for a component only. ``lost``: what earlier deployments made is
    known to be gone, so make it anew; ``again``: open a pull request that a person closed anew. Raises Conflict when a
    deployment of the target is running: the unique index is the lock; also while one of the component that is attached
    to it runs, or of the instance that it is attached to.
    """
    if not lost:
        require_quiet(target)
    engine = engine_for(target, version)
    if isinstance(target, ServicePipeline) and version is not None:
        pull_request_jobs.require_repository(target, version)
    return _start(
        by=by,
        target=target,
        kind=kind,
        version=version,
        spec=spec,
        template_file=template_file,
        inputs=dict(inputs),
        status=DeploymentStatus.IN_PROGRESS,
        engine=engine,
        delivery=pull_request_jobs.planned(target, version, engine, again=again),
        retry_of=retry_of,
        allow_replace_empty=allow_replace_empty,
        identifier="" if lost or target.latest is None else target.latest.identifier,
        target_state={**_state(target, version, spec, template_file), **_around(target)},
    )


def start_removal(*, by: User, target: Target, retry_of: Deployment | None = None) -> Deployment:
    """Write the row that removes what the target's deployments made. Raises Conflict while one is running."""
    source = target.deployed or target.latest
    require_quiet(target)
    commands = source if source is not None and source.runs_commands else None
    return _start(
        by=by,
        target=target,
        kind=DeploymentKind.DELETE,
        version=target.shown_version,
        spec=target.spec,
        inputs=source.inputs if source else {},
        status=DeploymentStatus.DELETE_IN_PROGRESS,
        engine=source.engine if source else "none",
        retry_of=retry_of,
        allow_replace_empty=False,
        identifier=target.latest.identifier if target.latest else "",
        target_state={},
        # the commands that remove it, as they were rendered
        rendered=pull_request_jobs.without_workflows(commands.rendered) if commands else {},
        context=commands.context if commands else {},
        delivery=pull_request_jobs.planned_removal(source),
    )


def _start(*, by: User, target: Target, kind: str, version: TemplateVersion | None, **fields: Any) -> Deployment:
    previous = target.latest
    named = version or (previous.version if previous else None)
    if named is not None and not TemplateVersion.objects.select_for_update().filter(pk=named.pk).values_list("pk"):
        raise Conflict(f"{named} was deleted meanwhile. Choose another version.")
    deployment = unless_taken(
        lambda: Deployment.objects.create(
            target_arn=target.arn,
            target_created_at=target.created_at,
            kind=kind,
            template_name=named.template.name if named else (previous.template_name if previous else ""),
            template_major=named.major if named else (previous.template_major if previous else 0),
            template_minor=named.minor if named else (previous.template_minor if previous else 0),
            version=named,
            bundle_id=named.bundle_id if named else None,
            initial_state=_initial_state(target),
            succeeded_before=target.deployed_id,
            external_name=_external_name(target, fields["engine"]),
            actor=by,
            actor_name=by.username,
            due_at=Now(),
            doing="Waiting for a worker",
            **who(target),
            **where(target, fields["engine"], removing=kind == DeploymentKind.DELETE),
            **fields,
        ),
        f"A deployment of {target} is running. Wait for its end, or cancel it.",
    )
    deployment.refresh_from_db(fields=["due_at"])  # the database's clock said when
    target.latest = deployment
    target.save(update_fields=["latest"])
    nudges.after_commit(tasks.drive_deployment, deployment.pk)
    return deployment


def _initial_state(target: Target) -> dict[str, Any]:
    if isinstance(target, Component):
        return dict(target.deployed.target_state) if target.deployed else {}
    return _state(target, target.version, target.spec, "")


def require_quiet(target: Target) -> None:
    """AWS Proton: an instance and the component attached to it are not deployed at once. Raises Conflict.

    Called with their service locked.
    """
    other: ServiceInstance | Component | None = None
    if isinstance(target, ServiceInstance):
        other = Component.objects.select_related("latest").filter(instance=target).first()
    elif isinstance(target, Component) and target.instance_id:
        other = ServiceInstance.objects.select_related("latest", "service").get(pk=target.instance_id)
    if other is not None and other.is_busy:
        raise Conflict(f"A deployment of {other} is running, which {target} waits for. Wait for its end.")


def _short_name(target: Target) -> str:
    return "pipeline" if isinstance(target, ServicePipeline) else target.name


def require_not_going(target: Target) -> None:
    """AWS Proton: what is being deleted, or could not be, is deleted again and never updated. Raises Conflict."""
    if target.latest is not None and target.latest.kind == DeploymentKind.DELETE:
        done = "is being deleted" if target.is_busy else "could not be deleted: delete it again instead"
        raise Conflict(f"{target} {done}.")
