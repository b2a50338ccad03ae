"""Wizards under way: saved as they are typed, submitted once."""

from typing import Any

from django.db import transaction

from portal.actions import environments, repositories, services
from portal.actions.places import CONNECTION
from portal.enums import TemplateKind
from portal.errors import Forbidden, Invalid, NotFound
from portal.models import (
    Draft,
    Environment,
    EnvironmentAccountConnection,
    Service,
    Team,
    Template,
    TemplateVersion,
    User,
)
from portal.queries import connections
from portal.queries import templates as template_queries
from portal.queries.rights import require_change
from provisioning.problems import Problem


def _only_active(by: User) -> None:
    if not by.is_active:
        raise Forbidden("This account is not active any more. Ask an admin.")


def start(*, by: User, template: Template, version: TemplateVersion) -> Draft:
    """An empty wizard for one version of a template. Raises NotFound for a version that this person may not use."""
    _only_active(by)
    template_queries.require_usable(by, version)
    return Draft.objects.create(user=by, template=template, version=version)


def save(
    *,
    by: User,
    draft: Draft,
    details: dict[str, Any] | None = None,
    spec: str | None = None,
    version: TemplateVersion | None = None,
) -> Draft:
    """Keep what was typed. None leaves a part as it is. A draft that was submitted is left alone."""
    require_change(by, draft, "this draft")
    if version is not None:
        template_queries.require_usable(by, version)
    if draft.result_arn:
        return draft
    draft.details = draft.details if details is None else details
    draft.spec = draft.spec if spec is None else spec
    draft.version = version or draft.version
    draft.save()
    return draft


def result_of(draft: Draft) -> Environment | Service | None:
    """What submitting it made; None before, or when that was deleted since."""
    for model in (Environment, Service):
        found = model.objects.filter(arn=draft.result_arn).first()
        if found is not None:
            return found
    return None


def submit(*, by: User, draft: Draft, spec: str | None = None) -> Environment | Service:
    """Make what the draft describes. However often it is called, one thing is made, and each call returns it.

    ``spec`` is the draft's spec with its secrets put in: they are typed last and never kept in a draft.
    """
    with transaction.atomic():
        rows = Draft.objects.select_for_update(of=("self",)).select_related("template", "version")
        locked = rows.filter(pk=draft.pk).first()
        if locked is None:
            raise NotFound("This draft does not exist any more.")
        require_change(by, locked, "this draft")
        if locked.result_arn:
            made = result_of(locked)
            if made is None:
                raise NotFound("What this wizard made was deleted since. Start a new one.")
            return made
        made = _make(by, locked, locked.spec if spec is None else spec)
        locked.result_arn = made.arn
        locked.save(update_fields=["result_arn", "saved_at"])
    return made


def _make(by: User, draft: Draft, spec: str) -> Environment | Service:
    details = dict(draft.details)
    common: dict[str, Any] = {
        "by": by,
        "name": str(details.get("name", "")),
        "template": draft.template,
        "spec": spec,
        "major": draft.version.major,
        "minor": draft.version.minor,
        "description": str(details.get("description", "")),
        "team": _team(details),
    }
    if draft.template.kind == TemplateKind.ENVIRONMENT:
        return environments.create(
            **common,
            account_id=str(details.get("account_id", "")),
            proton_service_role_arn=str(details.get("proton_service_role_arn", "")),
            component_role_arn=str(details.get("component_role_arn", "")),
            provisioning_repository=repositories.chosen(details),
            codebuild_role_arn=str(details.get("codebuild_role_arn", "")),
            connection=_connection(by, details),
        )
    return services.create(
        **common,
        branch_name=str(details.get("branch_name", "")),
        repository_connection_arn=str(details.get("repository_connection_arn", "")),
        repository_id=str(details.get("repository_id", "")),
    )


def _connection(by: User, details: dict[str, Any]) -> EnvironmentAccountConnection | None:
    key = details.get("environment_account_connection_id")
    if not key:
        return None
    found = connections.visible_to(by).filter(pk=key).first()
    if found is None:
        message = "The account connection does not exist any more."
        raise Invalid(message, [Problem(CONNECTION, message)])
    return found


def _team(details: dict[str, Any]) -> Team | None:
    name = details.get("team")
    if not name:
        return None
    team = Team.objects.filter(name=name).first()
    if team is None:
        raise Invalid(f"There is no team {name}.", [Problem("/team", f"There is no team {name}.")])
    return team


def discard(*, by: User, draft: Draft) -> None:
    """Throw it away. What it made stays."""
    require_change(by, draft, "this draft")
    draft.delete()
