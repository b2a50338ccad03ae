"""Driving an edit of a service: instances in order, then the pipeline, with AWS Proton's compensation rules.

Each step looks at the instances' deployments, does at most one thing, and says when to look again. A finished
deployment wakes the edit at once.
"""

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import claims, specs
from portal.actions.finishing import finish
from portal.actions.names import unless_taken
from portal.actions.starting import start, start_removal
from portal.enums import DeploymentKind, DeploymentStatus, ServiceStatus
from portal.errors import Conflict, PortalError
from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, User
from provisioning.engines.base import Outcome

log = logging.getLogger(__name__)
Kind, Phase = ServiceChange.Kind, ServiceChange.Phase
POLL_SECONDS = 10.0  # a finished deployment wakes the edit earlier
STEPS_AT_ONCE = 10
FAILED_PIPELINE = "Service Instance(s): {names} failed to deploy - canceling pipeline deployment"


def drive(change_id: UUID | str) -> None:
    """Take every step that is due now. A repeated, late or lost call is harmless."""
    for _ in range(STEPS_AT_ONCE):
        change = claims.claim(ServiceChange, change_id)
        if change is None:
            return
        try:
            with transaction.atomic():
                if change.finished_at is not None:
                    claims.release(change, wait=None)
                else:
                    STEPS[Phase(change.phase)](change)
        except claims.LostClaim as lost:
            log.warning("stale write dropped: %s", lost)
            return


def begin(by: User, service: Service, kind: str, **fields: object) -> ServiceChange:
    """Write the row that workers drive, inside the caller's transaction. Raises Conflict while another one runs."""
    change = unless_taken(
        lambda: ServiceChange.objects.create(
            service=service, kind=kind, actor=by, actor_name=by.username, due_at=Now(), **fields
        ),
        f"{service.name} is being changed. Wait for the end of that.",
    )
    nudges.after_commit(tasks.drive_service_change, change.pk)
    return change


def resume(*, by: User, service: Service) -> None:
    """After a retry of something that had failed: follow it to its end, so that the service can become active.

    Called in the retry's transaction. Does nothing where the service's status does not depend on it.
    """
    service = Service.objects.select_for_update().get(pk=service.pk)
    undeployed = [row.name for row in service.instances.all() if row.deployed_id is None]
    if service.status == ServiceStatus.CREATE_FAILED:
        _follow(by, service, Kind.CREATE, Phase.INSTANCES, ServiceStatus.CREATE_IN_PROGRESS, undeployed)
    elif service.status == ServiceStatus.UPDATE_FAILED:
        _follow(by, service, Kind.UPDATE, Phase.PIPELINE, ServiceStatus.UPDATE_IN_PROGRESS, [])


def _follow(by: User, service: Service, kind: str, phase: str, status: str, adds: list[str]) -> None:
    service.status, service.status_message = status, ""
    service.save(update_fields=["status", "status_message"])
    begin(by, service, kind, phase=phase, spec=service.spec, previous_spec=service.spec, adds=adds)


def _wait(change: ServiceChange) -> None:
    claims.release(change, wait=POLL_SECONDS)


def _go(change: ServiceChange, phase: str, **fields: object) -> None:
    claims.release(change, wait=0, phase=phase, **fields)


def _end(change: ServiceChange, status: str, message: str = "") -> None:
    claims.release(change, wait=None, phase=Phase.FINISHED, finished_at=Now())
    Service.objects.filter(pk=change.service_id).update(status=status, status_message=message, last_modified_at=Now())


def _rows(change: ServiceChange, names: Iterable[str]) -> list[ServiceInstance]:
    rows = ServiceInstance.objects.select_related("service", "environment", "latest", "version", "deployed")
    return list(rows.filter(service_id=change.service_id, name__in=list(names)))


def _names(rows: Iterable[ServiceInstance]) -> str:
    return ", ".join(row.name for row in rows)


def _pipeline(change: ServiceChange) -> ServicePipeline | None:
    rows = ServicePipeline.objects.select_related("service", "latest__version", "version", "deployed")
    return rows.filter(service_id=change.service_id).first()


def _instances(change: ServiceChange) -> None:
    """Wait for the new instances; then go on, or undo."""
    rows = _rows(change, change.adds)
    if any(row.is_busy for row in rows):
        return _wait(change)
    failed = [row for row in rows if row.deployment_status != DeploymentStatus.SUCCEEDED]
    if not failed:
        return _go(change, Phase.REMOVALS) if change.kind == Kind.UPDATE else _start_pipeline(change)
    names = [row.name for row in failed]
    if change.kind == Kind.CREATE:
        _fail_pipeline(change, names)
        return _end(change, ServiceStatus.CREATE_FAILED, f"Instances failed to deploy: {', '.join(names)}.")
    Service.objects.filter(pk=change.service_id).update(
        spec=change.previous_spec,
        status=ServiceStatus.UPDATE_FAILED_CLEANUP_IN_PROGRESS,
        status_message=f"New instances failed to deploy: {', '.join(names)}. All new instances are removed again.",
    )
    return _go(change, Phase.CLEANUP, failed=names)


def _remove(change: ServiceChange, rows: list[ServiceInstance]) -> bool:
    """Start the removals that this edit has not started yet. Whether all have ended."""
    ended = True
    for row in rows:
        started = row.latest and row.latest.kind == DeploymentKind.DELETE and row.latest.created_at >= change.created_at
        if started:
            ended = ended and not row.is_busy
            continue
        ended = False
        if not row.is_busy:
            start_removal(by=_actor(change), target=row)
    return ended


def _actor(change: ServiceChange) -> User:
    if change.actor is None:
        raise Conflict(f"{change.actor_name}, who asked for this, does not exist any more.")
    return change.actor


def _cleanup(change: ServiceChange) -> None:
    """Remove every instance that this edit created: AWS Proton undoes all of them when one failed."""
    rows = _rows(change, change.adds)
    if not _remove(change, rows):
        return _wait(change)
    message = Service.objects.values_list("status_message", flat=True).get(pk=change.service_id)
    if rows:
        left = f"{message} Could not be removed: {_names(rows)}."
        return _end(change, ServiceStatus.UPDATE_FAILED_CLEANUP_FAILED, left)
    return _end(change, ServiceStatus.UPDATE_FAILED_CLEANUP_COMPLETE, message)


def _removals(change: ServiceChange) -> None:
    """Delete what the edit leaves out, and retry what earlier edits could not delete."""
    if change.kind == Kind.DELETE:
        return _remove_all(change)
    rows = _rows(change, change.removes)
    leftovers = ServiceInstance.objects.select_related(
        "service", "environment", "latest", "version", "deployed"
    ).filter(service_id=change.service_id, latest__status=DeploymentStatus.DELETE_FAILED)
    rows = list({row.pk: row for row in [*rows, *leftovers]}.values())
    if not _remove(change, rows):
        return _wait(change)
    return _start_pipeline(change, failed=[row.name for row in rows])


def _remove_all(change: ServiceChange) -> None:
    rows: list[ServiceInstance] = list(
        ServiceInstance.objects.select_related("service", "environment", "latest", "version", "deployed").filter(
            service_id=change.service_id
        )
    )
    pipeline = _pipeline(change)
    gone = _remove(change, rows)
    if pipeline is not None:
        gone = _remove(change, [pipeline]) and gone  # type: ignore[list-item]
    if not gone:
        return _wait(change)
    if rows or pipeline is not None:
        left = [row.name for row in rows] + (["pipeline"] if pipeline is not None else [])
        return _end(change, ServiceStatus.DELETE_FAILED, f"Could not be deleted: {', '.join(left)}.")
    service_id = change.service_id
    claims.release(change, wait=None, phase=Phase.FINISHED, finished_at=Now())
    Service.objects.filter(pk=service_id).delete()
    return None


def _start_pipeline(change: ServiceChange, failed: list[str] | None = None) -> None:
    """Provision the pipeline with the instances as they are now, or end where there is none."""
    pipeline = _pipeline(change)
    if pipeline is None:
        return _end_well(change, failed or [])
    if pipeline.is_busy:
        return _wait(change)
    version = pipeline.shown_version or change.version
    if version is None:
        return _end(change, _failed_status(change), "The pipeline's template version is gone.")
    service = Service.objects.get(pk=change.service_id)
    try:
        inputs = specs.pipeline_inputs(specs.stored(service.spec, "service"), version)
        pipeline.service = service
        start(
            by=_actor(change),
            target=pipeline,
            kind=DeploymentKind.UPDATE if pipeline.deployed_id else DeploymentKind.CREATE,
            version=version,
            spec=service.spec,
            inputs=inputs,
        )
    except PortalError as refusal:
        return _end(change, _failed_status(change), f"The pipeline cannot be deployed: {refusal.message}")
    return claims.release(change, wait=POLL_SECONDS, phase=Phase.PIPELINE, failed=failed or [])


def _failed_status(change: ServiceChange) -> str:
    return ServiceStatus.CREATE_FAILED if change.kind == Kind.CREATE else ServiceStatus.UPDATE_FAILED


def _fail_pipeline(change: ServiceChange, names: list[str]) -> None:
    """AWS Proton marks the pipeline failed when an instance of a new service failed; nothing is provisioned."""
    pipeline = _pipeline(change)
    if pipeline is None or change.version is None or pipeline.is_busy:
        return
    row = start(
        by=_actor(change),
        target=pipeline,
        kind=DeploymentKind.CREATE,
        version=change.version,
        spec=change.spec,
        inputs={},
    )
    finish(row, Outcome("failed", reason=FAILED_PIPELINE.format(names=f"[{', '.join(names)}]")))


def _pipeline_running(change: ServiceChange) -> None:
    pipeline = _pipeline(change)
    if pipeline is not None and pipeline.is_busy:
        return _wait(change)
    if pipeline is not None and pipeline.deployment_status != DeploymentStatus.SUCCEEDED:
        return _end(change, _failed_status(change), "The pipeline failed to deploy.")
    return _end_well(change, change.failed)


def _end_well(change: ServiceChange, failed: list[str]) -> None:
    if failed:
        message = f"Could not be deleted: {', '.join(failed)}."
        return _end(change, ServiceStatus.UPDATE_COMPLETE_CLEANUP_FAILED, message)
    return _end(change, ServiceStatus.ACTIVE)


STEPS: dict[str, Callable[[ServiceChange], None]] = {
    Phase.INSTANCES: _instances,
    Phase.CLEANUP: _cleanup,
    Phase.REMOVALS: _removals,
    Phase.PIPELINE: _pipeline_running,
    Phase.FINISHED: lambda change: claims.release(change, wait=None),
}
