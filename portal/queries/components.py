"""Reading components, and what they may attach to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from portal.enums import ComponentSource, DeploymentKind
from portal.models import Component, Deployment, Environment, Service, ServiceInstance, TemplateVersion, User
from portal.queries import attempts, deployments, environments
from portal.queries.usage import FAILED

_HEAVY = ("template_file", "manifest", "spec")
_HEAVY_OF_DEPLOYMENTS = tuple(f"{one}__{name}" for one in ("latest", "deployed") for name in Deployment.HEAVY)


def visible_to(user: User) -> QuerySet[Component]:
    """Everyone who is signed in may read; lists and single rows come from here alike."""
    rows = Component.objects.select_related("environment", "instance__service__team", "team", "latest", "deployed")
    rows = rows.defer(*_HEAVY, *_HEAVY_OF_DEPLOYMENTS)
    return rows if user.is_authenticated and user.is_active else rows.none()


_SHOWN = ("arn", "name", "created_at", "last_modified_at")
_SHOWN_EXPRESSIONS = {
    "environment_name": F("environment__name"),
    "service_name": F("instance__service__name"),
    "instance_name": F("instance__name"),
    **attempts.progress(),
}


def shown(user: User, *, whole: bool = False) -> QuerySet[Any]:
    """What the wire shows of components, as dictionaries, in one query; ``whole`` is for a single one."""
    rows = Component.objects.all() if user.is_authenticated and user.is_active else Component.objects.none()
    more = ("description", "spec", "last_client_request_token") if whole else ()
    return rows.values(*_SHOWN, *more, **_SHOWN_EXPRESSIONS)


def filtered(
    user: User, *, environment_name: str = "", service_name: str = "", instance_name: str = ""
) -> QuerySet[Component]:
    """Those that this person sees, narrowed."""
    return narrowed(
        visible_to(user), environment_name=environment_name, service_name=service_name, instance_name=instance_name
    )


def narrowed(
    rows: QuerySet[Any], *, environment_name: str = "", service_name: str = "", instance_name: str = ""
) -> QuerySet[Any]:
    """AWS Proton: those of an environment, attached to its instances or not; of a service; of one instance. Names that
    nothing has give an empty list."""
    wanted = {
        "environment__name": environment_name,
        "instance__service__name": service_name,
        "instance__name": instance_name,
    }
    return rows.filter(**{column: value for column, value in wanted.items() if value})


def attached_to(instance: ServiceInstance) -> Component | None:
    """The component attached to an instance: at most one."""
    rows = Component.objects.select_related("environment", "latest", "deployed")
    return rows.defer(*_HEAVY_OF_DEPLOYMENTS).filter(instance=instance).first()


def attached_to_service(service: Service) -> dict[int, Component]:
    """The components attached to a service, by the primary key of their instance. One query."""
    rows = Component.objects.select_related("latest").defer(*_HEAVY).filter(instance__service=service)
    return {row.instance_id: row for row in rows}


def blocking(instances: QuerySet[ServiceInstance]) -> list[str]:
    """Why these instances cannot be removed: AWS Proton keeps an instance while a component is attached to it."""
    rows = Component.objects.filter(instance__in=instances).select_related("instance__service")
    return [
        f"Component {row.name} is attached to {row.instance}. Detach it first." for row in rows.order_by("name").all()
    ]


def blockers_of_deletion(component: Component) -> list[str]:
    """Why it cannot be deleted now, in sentences; [] when it can."""
    reasons = []
    if component.instance is not None:
        reasons.append(f"It is attached to {component.instance}. Detach it first.")
    if component.is_busy:
        reasons.append(f"A deployment of {component} is running. Wait for its end, or cancel it.")
    return reasons


@dataclass(frozen=True)
class Content:
    """What an update keeps of a component unless it says otherwise."""

    template_file: str
    spec: str


def content_of(component: Component) -> Content:
    """The template file that runs, or else that of the last attempt; and the spec of the present attachment, "" for
    none. An attachment takes effect before its deployment succeeds: then the spec is that of the last attempt."""
    runs, last = component.deployed, component.latest
    source = runs or last
    at = component.instance
    if at is None or last is None or source is None:
        return Content(source.template_file if source else "", "")
    now = (at.service.name, at.name)
    known = next((row for row in (runs, last) if row is not None and _attachment(row) == now), None)
    return Content(source.template_file, known.spec if known else "")


def _attachment(deployment: Deployment) -> tuple[str, str]:
    state = deployment.target_state
    return state.get("service_name", ""), state.get("service_instance_name", "")


def is_news(instance: ServiceInstance, component: Component | None) -> bool:
    """Whether the instance was deployed with other facts of its component than there are now, so that only deploying
    it again brings these to it. ``component`` is what is attached to it."""
    if instance.deployed is None:
        return False
    outputs = deployments.output_values(component) if component else {}
    now = {"name": component.name, "outputs": outputs} if component else {"outputs": {}}
    known: Mapping[str, Any] = instance.deployed.context.get("service_instance", {}).get("components", {})
    return bool(known.get("default", {"outputs": {}}) != now)


@dataclass(frozen=True)
class ComponentCounts:
    """AWS Proton's summary of components: they have no template, and so are never behind."""

    total: int
    failed: int


def counts() -> ComponentCounts:
    """One query."""
    found = Component.objects.aggregate(total=Count("pk"), failed=Count("pk", filter=Q(latest__status__in=FAILED)))
    return ComponentCounts(**found)


def supports(version: TemplateVersion | None) -> bool:
    """Whether components may attach to instances that run this version."""
    return version is not None and ComponentSource.DIRECTLY_DEFINED in version.supported_component_sources


def environments_for(user: User) -> list[Environment]:
    """Deployed environments that take components."""
    rows = environments.visible_to(user).filter(deployed__isnull=False).exclude(latest__kind=DeploymentKind.DELETE)
    return [row for row in rows.order_by("name") if environments.takes_components(row)]


def instances_for(user: User, environment: Environment | None = None) -> list[ServiceInstance]:
    """Instances that this person may attach a component to; only those of ``environment`` where one is given."""
    versions = TemplateVersion.objects.exclude(supported_component_sources=[])
    supporting = [row.pk for row in versions.only("supported_component_sources") if supports(row)]
    rows = ServiceInstance.objects.filter(version__in=supporting, component__isnull=True, deployed__isnull=False)
    rows = rows.exclude(latest__kind=DeploymentKind.DELETE).select_related("service", "environment__connection")
    if not user.is_platform:
        mine = Q(service__team__in=user.teams.all()) | Q(service__team__isnull=True, service__created_by=user)
        rows = rows.filter(mine)
    if environment is not None:
        rows = rows.filter(environment=environment)
    found = rows.order_by("service__name", "position", "name")
    return [row for row in found if environments.takes_components(row.environment)]
