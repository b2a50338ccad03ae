"""Driving an edit of a service: instances in order, then the pipeline, with AWS Proton's compensation rules.

Each step looks at the instances' deployments, does at most one thing, and says when to look again. A finished
deployment wakes the edit at once.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal.actions import audit, claims, specs
from portal.actions.finishing import finish
from portal.actions.instances import keep_order
from portal.actions.starting import start, start_removal
from portal.enums import DeploymentKind, DeploymentStatus, ServiceStatus
from portal.errors import Conflict, Forbidden, PortalError
from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, User
from portal.models.fields import at_rest
from portal.queries.rights import may_change, whom_to_ask
from provisioning.engines.base import Outcome
from provisioning.spec import dump_spec

log = logging.getLogger(__name__)
Kind, Phase = ServiceChange.Kind, ServiceChange.Phase
POLL_SECONDS = 10.0  # a finished deployment wakes the edit earlier
STEPS_AT_ONCE = 10
MAX_ATTEMPTS = 8  # claims in a row that wrote nothing
FAILED = {
    Kind.CREATE: ServiceStatus.CREATE_FAILED,
    Kind.UPDATE: ServiceStatus.UPDATE_FAILED,
    Kind.DELETE: ServiceStatus.DELETE_FAILED,
}
FAILED_PIPELINE = "Service Instance(s): {names} failed to deploy - canceling pipeline deployment"


def drive(change_id: UUID | str) -> None:
    """Take every step that is due now. A repeated, late or lost call is harmless.

    A deployment that somebody else runs is waited for; any other refusal ends the edit as failed, with its reason.
    """
    for _ in range(STEPS_AT_ONCE):
        change = claims.claim(ServiceChange, change_id)
        if change is None:
            return
        try:
            try:
                with transaction.atomic():
                    _step(change)
            except Conflict as busy:
                log.info("%s waits: %s", change.pk, busy.message)
                claims.release(change, wait=POLL_SECONDS)
            except PortalError as refusal:
                with transaction.atomic():
                    _give_up(change, refusal.message)
        except claims.LostClaim as lost:
            log.warning("stale write dropped: %s", lost)
            return


def _step(change: ServiceChange) -> None:
    """One step, with the service locked against everybody who deploys or edits it."""
    Service.objects.select_for_update().filter(pk=change.service_id).first()
    if change.finished_at is not None:
        return claims.release(change, wait=None)
    if change.attempts > MAX_ATTEMPTS:
        return _give_up(change, f"{MAX_ATTEMPTS} workers in a row did not survive this step.")
    return STEPS[Phase(change.phase)](change)


def _give_up(change: ServiceChange, message: str) -> None:
    if change.phase == Phase.CLEANUP:
        return _end(change, ServiceStatus.UPDATE_FAILED_CLEANUP_FAILED, message)
    return _end(change, FAILED[Kind(change.kind)], message)


def _wait(change: ServiceChange) -> None:
    claims.release(change, wait=POLL_SECONDS, started=change.started)


def _go(change: ServiceChange, phase: str, **fields: object) -> None:
    claims.release(change, wait=0, phase=phase, **fields)


def _end(change: ServiceChange, status: str, message: str = "") -> None:
    claims.release(change, wait=None, phase=Phase.FINISHED, finished_at=Now())
    Service.objects.filter(pk=change.service_id).update(status=status, status_message=message, last_modified_at=Now())
    audit.record(by=change.actor, action=f"service.{status.lower()}", target=change.service.arn)


def _instances_of(change: ServiceChange, which: Q) -> list[ServiceInstance]:
    rows = ServiceInstance.objects.select_related("service", "environment", "latest", "version", "deployed")
    return list(rows.filter(which, service_id=change.service_id))


def _names(rows: Iterable[ServiceInstance]) -> str:
    return ", ".join(row.name for row in rows)


def _pipeline(change: ServiceChange) -> ServicePipeline | None:
    rows = ServicePipeline.objects.select_related("service", "latest__version", "version", "deployed")
    return rows.filter(service_id=change.service_id).first()


def _instances(change: ServiceChange) -> None:
    """Wait for the new instances; then go on, or undo."""
    rows = _instances_of(change, Q(name__in=change.adds))
    if any(row.is_busy for row in rows):
        return _wait(change)
    failed = [row for row in rows if row.deployed_id is None]
    if not failed:
        return _go(change, Phase.REMOVALS) if change.kind == Kind.UPDATE else _start_pipeline(change)
    names = [row.name for row in failed]
    if change.kind == Kind.CREATE:
        _fail_pipeline(change, names)
        return _end(change, ServiceStatus.CREATE_FAILED, f"Instances failed to deploy: {', '.join(names)}.")
    Service.objects.filter(pk=change.service_id).update(
        **at_rest(change.service, spec=_undo(change)),
        status=ServiceStatus.UPDATE_FAILED_CLEANUP_IN_PROGRESS,
        status_message=f"New instances failed to deploy: {', '.join(names)}. All new instances are removed again.",
    )
    return _go(change, Phase.CLEANUP, failed=names)


def _undo(change: ServiceChange) -> str:
    """The service's spec without what the edit changed, and its instances in that order again.

    Updates of kept instances stay, which ran meanwhile."""
    now = specs.stored(Service.objects.only("arn", "spec").get(pk=change.service_id).spec, "service")
    before = specs.stored(change.previous_spec, "service")
    kept = {entry.name: entry for entry in now.instances if entry.name not in change.adds}
    undone = replace(before, instances=tuple(kept.get(entry.name, entry) for entry in before.instances))
    keep_order(change.service, undone)
    return change.previous_spec if undone == before else dump_spec(undone)


def _remove(change: ServiceChange, rows: Sequence[ServiceInstance | ServicePipeline]) -> bool:
    """Start the removals that this edit has not started yet. Whether all have ended."""
    ended = True
    for row in rows:
        if row.is_busy:
            ended = False
        elif row.arn not in change.started:
            start_removal(by=_actor(change), target=row)
            change.started.append(row.arn)  # written when the step is released
            ended = False
    return ended


def _actor(change: ServiceChange) -> User:
    """Who deploys and removes in this edit. Raises Forbidden when that person lost the right since asking: then the
    edit begins nothing more, and the deployments that it has begun go by their own rule."""
    if change.actor is None:
        raise Forbidden(f"{change.actor_name}, who asked for this, does not exist any more.")
    if not may_change(change.actor, change.service):
        asked = f"{change.actor_name}, who asked for this, may not change {change.service} any more."
        raise Forbidden(f"{asked} Ask {whom_to_ask(change.service)}.")
    return change.actor


def _cleanup(change: ServiceChange) -> None:
    """Remove every instance that this edit created: AWS Proton undoes all of them when one failed."""
    rows = _instances_of(change, Q(name__in=change.adds))
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
    going = Q(name__in=change.removes) | Q(arn__in=change.started) | Q(latest__status=DeploymentStatus.DELETE_FAILED)
    rows = _instances_of(change, going)
    if not _remove(change, rows):
        return _wait(change)
    return _start_pipeline(change, failed=[row.name for row in rows])


def _remove_all(change: ServiceChange) -> None:
    rows: list[ServiceInstance | ServicePipeline] = [*_instances_of(change, Q())]
    pipeline = _pipeline(change)
    if pipeline is not None:
        rows.append(pipeline)
    if not _remove(change, rows):
        return _wait(change)
    if rows:
        left = ", ".join(row.name if isinstance(row, ServiceInstance) else "pipeline" for row in rows)
        return _end(change, ServiceStatus.DELETE_FAILED, f"Could not be deleted: {left}.")
    service = change.service
    claims.release(change, wait=None, phase=Phase.FINISHED, finished_at=Now())
    audit.record(by=change.actor, action="service.deleted", target=service.arn)
    service.delete()
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
        return _end(change, FAILED[Kind(change.kind)], "The pipeline's template version is gone.")
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
    except Conflict:
        raise  # a deployment of the pipeline is running: wait for it
    except PortalError as refusal:
        return _end(change, FAILED[Kind(change.kind)], f"The pipeline cannot be deployed: {refusal.message}")
    return claims.release(change, wait=POLL_SECONDS, phase=Phase.PIPELINE, failed=failed or [])


def _fail_pipeline(change: ServiceChange, names: list[str]) -> None:
    """AWS Proton marks the pipeline failed when an instance of a new service failed; nothing is provisioned."""
    pipeline = _pipeline(change)
    if pipeline is None or change.version is None or pipeline.is_busy:
        return
    inputs = specs.pipeline_inputs(specs.stored(change.spec, "service"), change.version)
    row = start(
        by=_actor(change),
        target=pipeline,
        kind=DeploymentKind.CREATE,
        version=change.version,
        spec=change.spec,
        inputs=inputs,
    )
    finish(row, Outcome("failed", reason=FAILED_PIPELINE.format(names=f"[{', '.join(names)}]")))


def _pipeline_running(change: ServiceChange) -> None:
    pipeline = _pipeline(change)
    if pipeline is not None and pipeline.is_busy:
        return _wait(change)
    if pipeline is not None and pipeline.deployment_status != DeploymentStatus.SUCCEEDED:
        return _end(change, FAILED[Kind(change.kind)], "The pipeline failed to deploy.")
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
