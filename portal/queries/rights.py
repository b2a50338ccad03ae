"""Who may change what. The one rule, asked by every action and by ``portal.access`` for every door."""

from typing import Any

from portal.enums import Role
from portal.errors import Forbidden
from portal.models import (
    AccessKey,
    Deployment,
    Draft,
    Environment,
    Service,
    ServiceInstance,
    ServicePipeline,
    Team,
    Template,
    TemplateVersion,
    User,
)


def _service_of(thing: Any) -> Service | None:
    if isinstance(thing, Service):
        return thing
    if isinstance(thing, ServiceInstance | ServicePipeline):
        return thing.service
    if isinstance(thing, Deployment) and thing.service_name:
        return Service.objects.select_related("team").filter(name=thing.service_name).first()
    return None


def may_change(user: User, thing: Any) -> bool:
    """Whether this person may change this thing; nobody may who is not active.

    Admins change templates, people and teams; platform engineers every environment and service; developers the
    services of their teams, and those without a team that they made; everybody their own drafts and access keys.
    """
    if not user.is_active:
        return False
    if isinstance(thing, Template | TemplateVersion | User | Team):
        return user.is_admin
    if isinstance(thing, Draft | AccessKey):
        return thing.user_id == user.pk or (isinstance(thing, AccessKey) and user.is_admin)
    if user.is_platform:
        return True
    service = None if isinstance(thing, Environment) else _service_of(thing)
    if service is None or not user.is_developer:
        return False
    if service.team_id is None:
        return service.created_by_id == user.pk
    return user.teams.filter(pk=service.team_id).exists()


def whom_to_ask(thing: Any) -> str:
    """Who may change it, for a disabled button: "an admin", "a platform engineer", "team payments"."""
    if isinstance(thing, Template | TemplateVersion | User | Team):
        return "an admin"
    service = _service_of(thing)
    if service is not None and service.team is not None:
        return f"team {service.team.name}"
    return "a platform engineer"


def require_change(user: User, thing: Any, name: str = "") -> None:
    """Raises Forbidden, with whom to ask, unless this person may change this thing."""
    if not may_change(user, thing):
        raise Forbidden(f"You may not change {name or thing}. Ask {whom_to_ask(thing)}.")


def require(user: User, role: Role) -> None:
    """Raises Forbidden unless this person has the role or a greater one."""
    if not user.at_least(role):
        article = "an" if role == Role.ADMIN else "a"
        raise Forbidden(f"That needs the role of {article} {role.label.lower()}. Ask {article} {role.label.lower()}.")
