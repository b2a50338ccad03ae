"""Reading environments."""

from django.db.models import Q, QuerySet

from portal.models import Environment, TemplateVersion, User
from portal.queries.deployments import HEAVY_OF_TARGETS


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
    wanted = [(row.template_name, row.major) for row in version.compatible_environments.all()]
    rows = visible_to(user)
    fits = Q(pk__in=[])
    for name, major in wanted:
        runs = Q(version__major=major) | Q(version__isnull=True, latest__version__major=major)
        fits |= Q(template__name=name) & runs
    return rows.filter(fits)


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
