"""Reading environments."""

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Q, QuerySet

from portal.models import Environment, TemplateVersion, User
from portal.queries import attempts, prepared
from portal.queries.deployments import HEAVY_OF_TARGETS


def takes_components(environment: Environment) -> bool:
    """Whether components can be deployed into it: by its component role, or by its repository's automation."""
    return bool(component_role(environment) or environment.provisioning_repository)


def component_role(environment: Environment) -> str:
    """The role that components in it are deployed with; "" where it takes none. AWS Proton: it is the switch.

    Of an environment that was made with a connection it is the connection's.
    """
    return str((environment.connection or environment).component_role_arn)


def visible_to(user: User) -> QuerySet[Environment]:
    """Everyone who is signed in may read; lists and single rows come from here alike."""
    rows = Environment.objects.select_related(
        "template", "version__template", "latest__version", "deployed", "team", "connection"
    )
    rows = rows.defer(*HEAVY_OF_TARGETS)
    return rows if user.is_authenticated and user.is_active else rows.none()


def compatible_with(user: User, version: TemplateVersion) -> QuerySet[Environment]:
    """Environments whose (template, major) the service template version lists. AWS Proton ignores the minor."""
    return running_any(
        visible_to(user), [(row.template_name, row.major) for row in version.compatible_environments.all()]
    )


def blockers_of_deletion(environment: Environment) -> list[str]:
    """Why it cannot be deleted now, in sentences; [] when it can."""
    reasons = []
    if environment.is_busy:
        reasons.append(f"A deployment of {environment.name} is running. Wait for its end, or cancel it.")
    instances = list(environment.instances.select_related("service").order_by("service__name", "name"))
    if instances:
        names = ", ".join(str(instance) for instance in instances[:5]) + (", …" if len(instances) > 5 else "")
        count = f"{len(instances)} service instance{'s' if len(instances) > 1 else ''}"
        reasons.append(f"{count} run{'' if len(instances) > 1 else 's'} in it: {names}. Delete those first.")
    components = list(environment.components.order_by("name").values_list("name", flat=True))
    if components:
        names = ", ".join(components[:5]) + (", …" if len(components) > 5 else "")
        count = f"{len(components)} component{'s' if len(components) > 1 else ''}"
        reasons.append(f"{count} belong{'' if len(components) > 1 else 's'} to it: {names}. Delete those first.")
    return reasons


_SHOWN = (
    "arn", "name", "description", "created_at", "target_account_id", "proton_service_role_arn", "component_role_arn",
    "connection_id",
)  # fmt: skip
_WHOLE = ("spec", "codebuild_role_arn", "provisioning_repository")
_SHOWN_EXPRESSIONS = {
    "template_name": F("template__name"),
    "provisioning": F("template__provisioning"),
    **attempts.columns(),
}


def shown(user: User) -> QuerySet[Any]:
    """What the wire shows of environments, as dictionaries, in one query."""
    rows = Environment.objects.all() if user.is_authenticated and user.is_active else Environment.objects.none()
    return rows.values(*_SHOWN, **_SHOWN_EXPRESSIONS)


_everything = prepared.Listing(lambda: Environment.objects.values(*_SHOWN, **_SHOWN_EXPRESSIONS))


def everything(user: User) -> QuerySet[Any] | prepared.Listing:
    """``shown`` of every environment, in an order that is still to be applied."""
    return _everything if user.is_authenticated and user.is_active else shown(user)


def _whole() -> QuerySet[Any]:
    return Environment.objects.order_by().values(*_SHOWN, *_WHOLE, **_SHOWN_EXPRESSIONS)


_one = prepared.Statement(_whole, "name")


def one(user: User, name: str) -> dict[str, Any] | None:
    """All that the wire shows of a single environment; None when this person sees no such one."""
    return next(iter(_one(name)), None) if user.is_authenticated and user.is_active else None


def running_any(rows: QuerySet[Any], wanted: Iterable[tuple[str, int]]) -> QuerySet[Any]:
    """Those based on any of the (template, major version) pairs."""
    found = Q(pk__in=[])
    for name, major in wanted:
        found |= Q(template__name=name) & attempts.running_major(major)
    return rows.filter(found)
