"""Reading services and their instances."""

from django.db.models import Prefetch, QuerySet

from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, User


def visible_to(user: User) -> QuerySet[Service]:
    rows = Service.objects.select_related("template", "team").prefetch_related(
        Prefetch(
            "instances",
            ServiceInstance.objects.select_related(
                "environment", "version__template", "latest__version", "deployed"
            ).order_by("position", "name"),
        ),
        Prefetch("pipeline", ServicePipeline.objects.select_related("version__template", "latest__version")),
    )
    return rows if user.is_authenticated and user.is_active else rows.none()


def instances_visible_to(user: User) -> QuerySet[ServiceInstance]:
    rows = ServiceInstance.objects.select_related(
        "service__template", "service__team", "environment", "version__template", "latest__version", "deployed"
    )
    return rows if user.is_authenticated and user.is_active else rows.none()


def running_change(service: Service) -> ServiceChange | None:
    """The edit under way, or None."""
    return service.changes.filter(finished_at__isnull=True).first()


def blockers_of_deletion(service: Service) -> list[str]:
    """Why it cannot be deleted now, in sentences; [] when it can."""
    if service.is_busy:
        return [f"{service.name} is busy: {service.get_status_display().lower()}. Wait for its end."]
    busy = [str(instance) for instance in service.instances.select_related("latest", "service") if instance.is_busy]
    return [f"A deployment of {name} is running. Wait for its end, or cancel it." for name in busy]
