"""Beginning edits of services, and following to its end what is tried again. ``service_changes`` drives them."""

from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions.names import unless_taken
from portal.enums import DeploymentKind, ServiceStatus
from portal.errors import Conflict
from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, User

Kind, Phase = ServiceChange.Kind, ServiceChange.Phase


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


def require_free(target: ServiceInstance | ServicePipeline) -> None:
    """AWS Proton: while a service is edited its pipeline and the instances that go are locked; kept ones are not.

    Raises Conflict. Called with the service locked.
    """
    change = ServiceChange.objects.filter(service_id=target.service_id, finished_at__isnull=True).first()
    if change is None:
        return
    if change.kind == Kind.DELETE:
        raise Conflict(f"{target.service.name} is being deleted.")
    leaving = {*change.removes, *(change.adds if change.phase == Phase.CLEANUP else [])}
    if isinstance(target, ServicePipeline) or target.name in leaving:
        raise Conflict(f"{target.service.name} is being changed, and {target} with it. Wait for the end of that.")


def require_settled(instance: ServiceInstance) -> None:
    """Like ``require_free``, and refuses as well while the edit is adding the instance, which it may undo."""
    require_free(instance)
    change = ServiceChange.objects.filter(service_id=instance.service_id, finished_at__isnull=True).first()
    if change is not None and instance.name in change.adds:
        raise Conflict(f"{instance} is being added. Wait for the end of that.")


def resume(*, by: User, target: ServiceInstance | ServicePipeline) -> None:
    """After a new attempt of something that had failed: follow it to its end, so that the service's status is right.

    Called in the attempt's transaction, with the service locked. Does nothing where the status does not depend on it.
    """
    service = Service.objects.get(pk=target.service_id)
    if target.latest is not None and target.latest.kind == DeploymentKind.DELETE:
        return _resume_removal(by, service, target)
    undeployed = [row.name for row in service.instances.all() if row.deployed_id is None]
    if isinstance(target, ServicePipeline):
        if not undeployed and service.status == ServiceStatus.CREATE_FAILED:
            _follow(by, service, Kind.CREATE, Phase.PIPELINE, ServiceStatus.CREATE_IN_PROGRESS)
        elif service.status == ServiceStatus.UPDATE_FAILED:
            _follow(by, service, Kind.UPDATE, Phase.PIPELINE, ServiceStatus.UPDATE_IN_PROGRESS)
    elif service.status == ServiceStatus.CREATE_FAILED:
        _follow(by, service, Kind.CREATE, Phase.INSTANCES, ServiceStatus.CREATE_IN_PROGRESS, adds=undeployed)
    return None


def _resume_removal(by: User, service: Service, target: ServiceInstance | ServicePipeline) -> None:
    kind, phase, status, names = {
        ServiceStatus.DELETE_FAILED: (Kind.DELETE, Phase.REMOVALS, ServiceStatus.DELETE_IN_PROGRESS, "removes"),
        ServiceStatus.UPDATE_COMPLETE_CLEANUP_FAILED: (
            Kind.UPDATE,
            Phase.REMOVALS,
            ServiceStatus.UPDATE_IN_PROGRESS,
            "removes",
        ),
        ServiceStatus.UPDATE_FAILED_CLEANUP_FAILED: (
            Kind.UPDATE,
            Phase.CLEANUP,
            ServiceStatus.UPDATE_FAILED_CLEANUP_IN_PROGRESS,
            "adds",
        ),
    }.get(ServiceStatus(service.status), ("", "", "", ""))
    if kind:
        going = service.instances.filter(latest__kind=DeploymentKind.DELETE)
        _follow(
            by,
            service,
            kind,
            phase,
            status,
            started=[target.arn],
            **{names: list(going.values_list("name", flat=True))},
        )


def _follow(by: User, service: Service, kind: str, phase: str, status: str, **fields: object) -> None:
    before = service.changes.filter(version__isnull=False).order_by("-created_at").first()
    Service.objects.filter(pk=service.pk).update(status=status, status_message="")
    begin(
        by,
        service,
        kind,
        phase=phase,
        spec=service.spec,
        previous_spec=service.spec,
        version=before.version if before else None,
        **fields,
    )
