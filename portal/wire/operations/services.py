"""Services."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access, arns
from portal.actions import services as actions
from portal.enums import Role, ServiceStatus, TemplateKind
from portal.errors import Invalid, NotFound
from portal.models import Service, Team
from portal.queries import services as queries
from portal.wire import idempotency, reading
from portal.wire.paging import page
from portal.wire.presenters import services as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]
TEAM_TAG = "deuteron:team"  # AWS Proton has no teams


def _shown(caller: Caller, name: str) -> Reply:
    rows = queries.shown(caller.user, whole=True).filter(name=name)
    return {"service": present.service(access.shown(rows, f"service {name} does not exist"))}


def _team(caller: Caller, tags: Mapping[str, str]) -> Team | None:
    """Who a new service belongs to; None for the caller's own team."""
    name = tags.get(TEAM_TAG)
    try:
        return None if name is None else access.team(caller.user, name)
    except NotFound:
        raise Invalid(f"The tag {TEAM_TAG} names team {name}, which does not exist.") from None


def _asked(row: Service) -> list[Any]:
    """What somebody who modifies a service changes, also when that did not succeed."""
    deleted = row.status in {ServiceStatus.DELETE_IN_PROGRESS, ServiceStatus.DELETE_FAILED}
    return [row.description, row.tags, row.spec, deleted, queries.was_changed(row)]


@operation("CreateService", Role.DEVELOPER)
def create_service(
    caller: Caller,
    *,
    name: str,
    spec: str,
    template_name: str,
    template_major_version: str,
    template_minor_version: str | None = None,
    description: str | None = None,
    branch_name: str | None = None,
    repository_connection_arn: str | None = None,
    repository_id: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request: dict[str, Any] = {
        "spec": spec,
        "template": [template_name, template_major_version, template_minor_version],
        "description": description,
        "repository": [branch_name, repository_connection_arn, repository_id],
        "tags": tags,
    }
    if len({part is None for part in request["repository"]}) == 2:
        raise Invalid("Give repositoryConnectionArn, repositoryId and branchName together, or none of them.")
    given = reading.tags(tags)
    idempotency.create(
        caller,
        "CreateService",
        request,
        arn=arns.service(name),
        make=lambda: actions.create(
            by=caller.user,
            name=name,
            template=access.template(caller.user, TemplateKind.SERVICE, template_name),
            spec=spec,
            major=reading.number(template_major_version),
            minor=reading.number_or_none(template_minor_version),
            description=description or "",
            team=_team(caller, given),
            branch_name=branch_name or "",
            repository_connection_arn=repository_connection_arn or "",
            repository_id=repository_id or "",
            tags=given,
        ),
        find=lambda arn: Service.objects.filter(arn=arn).first(),
        fingerprint=_asked,
    )
    return _shown(caller, name)


@operation("GetService", Role.VIEWER)
def get_service(caller: Caller, *, name: str) -> Reply:
    return _shown(caller, name)


@operation("ListServices", Role.VIEWER)
def list_services(caller: Caller, *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    found, token = page(
        queries.everything(caller.user),
        by=["name"],
        key=lambda row: [row["name"]],
        question=["services"],
        max_results=max_results,
        next_token=next_token,
    )
    return {"services": [present.summary(row) for row in found], "nextToken": token}


@operation("UpdateService", Role.DEVELOPER)
def update_service(caller: Caller, *, name: str, description: str | None = None, spec: str | None = None) -> Reply:
    service = access.service(caller.user, name, write=True)
    actions.update(by=caller.user, service=service, spec=spec, description=description)
    return _shown(caller, name)


@operation("DeleteService", Role.DEVELOPER)
def delete_service(caller: Caller, *, name: str) -> Reply:
    """AWS Proton: a repeat returns the service while it is being deleted, and nothing afterwards."""
    try:
        actions.delete(by=caller.user, service=access.service(caller.user, name, write=True))
        return _shown(caller, name)
    except NotFound:
        return {}
