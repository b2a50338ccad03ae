"""Reading services and their instances."""

from typing import Any

from django.db.models import F, Prefetch, QuerySet
from django.db.models.functions import Coalesce

from portal.enums import DeploymentKind
from portal.models import Deployment, Service, ServiceChange, ServiceInstance, ServicePipeline, User
from portal.queries import attempts, components, prepared
from portal.queries.deployments import HEAVY_OF_LATEST, HEAVY_OF_TARGETS


def visible_to(user: User) -> QuerySet[Service]:
    """With instances and pipeline, and without the columns of their deployments that lists do not show."""
    instances = ServiceInstance.objects.select_related(
        "environment", "version__template", "latest__version", "deployed"
    ).defer(*HEAVY_OF_TARGETS)
    pipelines = ServicePipeline.objects.select_related("version__template", "latest__version").defer(*HEAVY_OF_LATEST)
    rows = Service.objects.select_related("template", "team").prefetch_related(
        Prefetch("instances", instances.order_by("position", "name")), Prefetch("pipeline", pipelines)
    )
    return rows if user.is_authenticated and user.is_active else rows.none()


def instances_visible_to(user: User) -> QuerySet[ServiceInstance]:
    """The same of instances, on their own."""
    rows = ServiceInstance.objects.select_related(
        "service__template", "service__team", "environment", "version__template", "latest__version", "deployed"
    ).defer(*HEAVY_OF_TARGETS)
    return rows if user.is_authenticated and user.is_active else rows.none()


def pipelines_visible_to(user: User) -> QuerySet[ServicePipeline]:
    rows = ServicePipeline.objects.select_related(
        "service__template", "service__team", "version__template", "latest__version", "deployed"
    )
    return rows if user.is_authenticated and user.is_active else rows.none()


def running_change(service: Service) -> ServiceChange | None:
    """The edit under way, or None."""
    return service.changes.filter(finished_at__isnull=True).first()


def blockers_of_deletion(service: Service) -> list[str]:
    """Why it cannot be deleted now, in sentences; [] when it can."""
    if service.is_busy:
        return [f"{service.name} is busy: {service.get_status_display().lower()}. Wait for its end."]
    parts = [
        *service.instances.select_related("latest", "service"),
        *ServicePipeline.objects.filter(service=service).select_related("latest", "service"),
    ]
    busy = [f"A deployment of {part} is running. Wait for its end, or cancel it." for part in parts if part.is_busy]
    return busy + components.blocking(service.instances.all())


def was_changed(service: Service) -> bool:
    """Whether anything but its creation was ever deployed, or begun to be deleted, in this service."""
    rows = Deployment.objects.filter(service_name=service.name, target_created_at__gte=service.created_at)
    return rows.exclude(kind=DeploymentKind.CREATE).exists()


_SERVICE = ("arn", "name", "description", "status", "status_message", "created_at", "last_modified_at")
_WHOLE_SERVICE = ("spec", "branch_name", "repository_connection_arn", "repository_id")


def _pipeline_columns(prefix: str, service: str) -> dict[str, Any]:
    """Columns of a pipeline; before its turn it shows the version that the service's edit deploys."""
    found = attempts.columns(prefix)
    for part in ("major", "minor"):
        found[part] = Coalesce(found[part], attempts.planned(service, part))
    return found


_PIPELINE_OF_SERVICE = {f"pipeline_{name}": shown for name, shown in _pipeline_columns("pipeline__", "pk").items()}
_PIPELINE_OF_SERVICE |= {f"pipeline_{name}": F(f"pipeline__{name}") for name in ("arn", "spec", "created_at")}


def shown(user: User, *, whole: bool = False) -> QuerySet[Any]:
    """What the wire shows of services, as dictionaries, in one query; ``whole`` adds what a single one shows."""
    rows = Service.objects.all() if user.is_authenticated and user.is_active else Service.objects.none()
    if whole:
        return rows.values(*_SERVICE, *_WHOLE_SERVICE, template_name=F("template__name"), **_PIPELINE_OF_SERVICE)
    return rows.values(*_SERVICE, template_name=F("template__name"))


_everything = prepared.Listing(lambda: Service.objects.values(*_SERVICE, template_name=F("template__name")))


def everything(user: User) -> QuerySet[Any] | prepared.Listing:
    """``shown`` of every service, in an order that is still to be applied."""
    return _everything if user.is_authenticated and user.is_active else shown(user)
