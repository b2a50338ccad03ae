"""Fetch a row that this person may see or change. The one place that decides, for every door.

What is invisible is NotFound; what is visible but not allowed is Forbidden, with whom to ask.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from portal import arns
from portal.errors import NotFound
from portal.models import (
    AccessKey,
    Component,
    Deployment,
    Draft,
    Environment,
    EnvironmentAccountConnection,
    Repository,
    Service,
    ServiceInstance,
    ServicePipeline,
    Team,
    Template,
    TemplateVersion,
    User,
)
from portal.queries import components, connections, deployments, environments, repositories, services
from portal.queries.rights import (
    may_change,
    may_use_components,
    require,
    require_change,
    require_components,
    whom_to_ask,
)
from portal.queries.templates import may_use_drafts

__all__ = [
    "access_key",
    "by_arn",
    "component",
    "connection",
    "deployment",
    "draft",
    "environment",
    "found",
    "may_change",
    "may_use_components",
    "may_use_drafts",
    "repository",
    "require",
    "require_components",
    "service",
    "service_instance",
    "service_pipeline",
    "shown",
    "team",
    "template",
    "template_version",
    "user_account",
    "whom_to_ask",
]
Found = TypeVar("Found")


def _checked(user: User, found: Found | None, missing: str, write: bool) -> Found:
    if found is None:
        raise NotFound(missing)
    if write:
        require_change(user, found)
    return found


def template(user: User, kind: str, name: str, *, write: bool = False) -> Template:
    found = Template.objects.filter(kind=kind.upper(), name=name).first()
    return _checked(user, found, f"{kind.lower()} template {name} does not exist", write)


def template_version(
    user: User, kind: str, name: str, major: int, minor: int, *, write: bool = False
) -> TemplateVersion:
    """Any registered number is visible to those who may use drafts; others see published versions only."""
    found = (
        TemplateVersion.objects.select_related("template", "registered_by")
        .filter(template__kind=kind.upper(), template__name=name, major=major, minor=minor)
        .first()
    )
    if found is not None and not found.is_published and not may_use_drafts(user):
        found = None
    return _checked(user, found, f"{kind.lower()} template {name} has no version {major}.{minor}", write)


def environment(user: User, name: str, *, write: bool = False) -> Environment:
    found = environments.visible_to(user).defer(None).filter(name=name).first()
    return _checked(user, found, f"environment {name} does not exist", write)


def service(user: User, name: str, *, write: bool = False) -> Service:
    found = services.visible_to(user).filter(name=name).first()
    return _checked(user, found, f"service {name} does not exist", write)


def service_instance(user: User, service_name: str, name: str, *, write: bool = False) -> ServiceInstance:
    found = services.instances_visible_to(user).defer(None).filter(service__name=service_name, name=name).first()
    return _checked(user, found, f"service {service_name} has no instance {name}", write)


def service_pipeline(user: User, service_name: str, *, write: bool = False) -> ServicePipeline:
    found = services.pipelines_visible_to(user).filter(service__name=service_name).first()
    return _checked(user, found, f"service {service_name} has no pipeline", write)


def component(user: User, name: str, *, write: bool = False) -> Component:
    found = components.visible_to(user).defer(None).filter(name=name).first()
    return _checked(user, found, f"component {name} does not exist", write)


def repository(user: User, provider: str, name: str, *, write: bool = False) -> Repository:
    found = repositories.visible_to(user).filter(provider=provider.upper(), name=name).first()
    return _checked(user, found, f"the repository {name} is not linked", write)


def _uuid(id: UUID | str, missing: str) -> UUID:
    try:
        return id if isinstance(id, UUID) else UUID(id)
    except ValueError:
        raise NotFound(missing) from None


def deployment(user: User, id: UUID | str, *, write: bool = False) -> Deployment:
    missing = f"deployment {id} does not exist"
    found = deployments.visible_to(user).defer(None).filter(pk=_uuid(id, missing)).first()
    return _checked(user, found, missing, write)


def connection(
    user: User, id: UUID | str, *, account_id: str = "", write: bool = False, with_deleted: bool = False
) -> EnvironmentAccountConnection:
    """With ``account_id``, only where that account is one of its sides: to others it does not exist.

    ``with_deleted`` finds one that was deleted, too, so that a repeated deletion can return it.
    """
    missing = f"environment account connection {id} does not exist"
    key = _uuid(id, missing)
    rows = connections.visible_to(user, with_deleted=with_deleted)
    rows = connections.of_account(rows, account_id) if account_id else rows
    return _checked(user, rows.filter(pk=key).first(), missing, write)


def shown(rows: QuerySet[Any], missing: str) -> dict[str, Any]:
    """The one row of a query of ``shown``, which is made for the person. Raises NotFound."""
    return found(next(iter(rows.order_by()[:1]), None), missing)


def found(row: dict[str, Any] | None, missing: str) -> dict[str, Any]:
    """What a query of ``one`` gave, which is made for the person. Raises NotFound."""
    if row is None:
        raise NotFound(missing)
    return row


def draft(user: User, id: UUID | str) -> Draft:
    """Drafts are their owner's alone."""
    found = Draft.objects.select_related("template", "version__template").filter(pk=id, user=user)
    return _checked(user, found.first(), "this draft does not exist any more", False)


def user_account(user: User, username: str, *, write: bool = False) -> User:
    return _checked(user, User.objects.filter(username=username).first(), f"{username} does not exist", write)


def team(user: User, name: str, *, write: bool = False) -> Team:
    return _checked(user, Team.objects.filter(name=name).first(), f"team {name} does not exist", write)


def access_key(user: User, key_id: str) -> AccessKey:
    """Keys are their owner's, and admins may revoke them; to others they do not exist."""
    found = AccessKey.objects.select_related("user").filter(pk=key_id).first()
    if found is not None and not may_change(user, found):
        found = None
    return _checked(user, found, f"there is no access key {key_id}", False)


def by_arn(user: User, arn: str, *, write: bool = False) -> Any:
    """The row that an ARN names, by the rules of its kind. Raises NotFound for an ARN of another account or kind."""
    parsed = arns.parse(arn)
    if parsed is not None and parsed.kind == "connection":  # of the environment account, which asked for it
        found = connection(user, parsed.names[0], account_id=parsed.account_id, write=write)
        if found.environment_account_id == parsed.account_id:
            return found
    if parsed is None or parsed.kind not in _BY_KIND or parsed.account_id != settings.PORTAL_ACCOUNT_ID:
        raise NotFound(f"{arn} does not exist")
    return _BY_KIND[parsed.kind](user, *parsed.names, write=write)


def _version_of(user: User, kind: str, name: str, major: str, minor: str, *, write: bool = False) -> TemplateVersion:
    return template_version(user, kind, name, int(major), int(minor), write=write)


_BY_KIND: dict[str, Callable[..., Any]] = {
    "template": template,
    "template_version": _version_of,
    "environment": environment,
    "service": service,
    "service_instance": service_instance,
    "service_pipeline": service_pipeline,
    "deployment": deployment,
    "component": component,
    "repository": repository,
}
