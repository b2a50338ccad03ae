"""Who may change what. The one rule, asked by every action and by ``portal.access`` for every door."""

from typing import Any

from portal.enums import DeploymentTargetType, Role
from portal.errors import Forbidden
from portal.models import (
    AccessKey,
    AccountSettings,
    Component,
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


def developers_use_components() -> bool:
    """AWS Proton: developers are granted components explicitly. Here an admin switches that on for all of them."""
    return bool(AccountSettings.objects.filter(pk=1, developers_use_components=True).exists())


def may_use_components(user: User) -> bool:
    """Whether this person may make components at all; each of them asks for more."""
    return user.is_platform or (user.is_developer and developers_use_components())


def require_components(user: User) -> None:
    """Raises Forbidden unless this person may make components at all."""
    if not may_use_components(user):
        raise Forbidden("You may not make components. Ask a platform engineer.")


def _component_of(thing: Any) -> Component | None:
    if isinstance(thing, Component):
        return thing
    if isinstance(thing, Deployment) and thing.target_type == DeploymentTargetType.COMPONENT:
        rows = Component.objects.select_related("instance__service__team", "team")
        return rows.filter(arn=thing.target_arn, created_at=thing.target_created_at).first()
    return None


def _owned(thing: Any) -> Service | Component | None:
    """What has the team that decides: the service; for a component that is attached to none, itself."""
    component = _component_of(thing)
    if component is not None:
        return component.instance.service if component.instance is not None else component
    return _service_of(thing)


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
    A component is like the service that it is, or was last, attached to, where developers may use components.
    """
    if not user.is_active:
        return False
    if isinstance(thing, Template | TemplateVersion | User | Team):
        return user.is_admin
    if isinstance(thing, Draft | AccessKey):
        return thing.user_id == user.pk or (isinstance(thing, AccessKey) and user.is_admin)
    if user.is_platform:
        return True
    if isinstance(thing, Environment) or not user.is_developer:
        return False
    if _is_of_component(thing) and not developers_use_components():
        return False
    owned = _owned(thing)
    if owned is None:
        return False
    if owned.team_id is None:
        return owned.created_by_id == user.pk
    return user.teams.filter(pk=owned.team_id).exists()


def _is_of_component(thing: Any) -> bool:
    return isinstance(thing, Component) or (
        isinstance(thing, Deployment) and thing.target_type == DeploymentTargetType.COMPONENT
    )


def whom_to_ask(thing: Any) -> str:
    """Who may change it, for a disabled button: "an admin", "a platform engineer", "team payments"."""
    if isinstance(thing, Template | TemplateVersion | User | Team):
        return "an admin"
    owned = _owned(thing)
    if owned is not None and owned.team is not None and (not _is_of_component(thing) or developers_use_components()):
        return f"team {owned.team.name}"
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
