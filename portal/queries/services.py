"""Reading services and their instances."""

from django.db.models import Prefetch, QuerySet

from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, User
from portal.queries import components
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
