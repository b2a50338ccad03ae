"""Where and as whom a target deploys, as its rows say now. Nothing that was written down earlier lets anybody in."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from portal.actions.roles import account_of
from portal.enums import DeploymentTargetType
from portal.errors import Conflict, Invalid
from portal.models import Deployment, Environment
from provisioning.engines.base import Target as Place
from provisioning.problems import Problem

CONNECTION = "/environment_account_connection_id"


def _no_way_in(message: str) -> Invalid:
    """Not a Conflict: what waits for the end of a conflict would wait for ever."""
    return Invalid(message, [Problem(CONNECTION, message)])


def no_component_role(environment: Environment) -> str:
    """Why components cannot be deployed into it, as a sentence."""
    return f"Environment {environment.name} takes no components: it has no component role. Ask a platform engineer."


def entry(environment: Environment, *, component: bool = False, builds: bool = False, had: str = "") -> tuple[str, str]:
    """The role and external id that its account is entered with; ("", "") is the portal's own credentials.

    ``component``: by the role that components are deployed with, else that which the component ``had``; through a
    connection only ever by the connection's. ``builds``: a connection that has nothing but a CodeBuild role is entered
    by that one. Raises Invalid when there is no way in: its connection is gone, not
    accepted, or has no such role; Conflict for a component that there is no role for.
    """
    connection = environment.connection
    if connection is None:
        role = (environment.component_role_arn or had) if component else environment.proton_service_role_arn
        if component and not role:
            raise Conflict(no_component_role(environment))
        if role and account_of(role) != settings.PORTAL_ACCOUNT_ID:
            raise _no_way_in(f"{environment} names a role of another account: that needs an account connection.")
        return role, ""
    if connection.deleted_at is not None:
        raise _no_way_in(
            f"The account connection of {environment} was deleted. Account {connection.environment_account_id} must "
            f"ask for a new one for environment {environment}, and it must be accepted."
        )
    if not connection.is_usable:
        raise _no_way_in(f"The account connection of {environment} is {connection.get_status_display().lower()}.")
    role = connection.building_role_arn if builds else connection.role_arn
    role = connection.component_role_arn if component else role
    if not role:
        lacks = "component role" if component else "role to provision with"
        raise _no_way_in(f"The account connection of {environment} has no {lacks}. Give it one.")
    return role, connection.external_id


def of_deployments(deployments: Iterable[Deployment]) -> dict[UUID, Place]:
    """Where AWS can be asked about what each deployment made, by its key. Those without a way in are left out.

    What was made through a connection is asked about through the connection of now.
    """
    rows = list(deployments)
    names = {row.environment_name for row in rows if row.external_id}
    known = {row.name: row for row in Environment.objects.filter(name__in=names).select_related("connection")}
    found = {}
    for row in rows:
        role, external_id = row.role_arn, row.external_id
        if external_id:
            environment = known.get(row.environment_name)
            if environment is None or environment.target_account_id != row.account_id:
                continue
            try:
                role, external_id = entry(
                    environment,
                    component=row.target_type == DeploymentTargetType.COMPONENT,
                    builds=row.engine == "codebuild",
                )
            except (Conflict, Invalid):
                continue
        found[row.pk] = Place(row.account_id, row.region, role, external_id)
    return found
