"""Environment and service templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal import access, arns
from portal.actions import templates as actions
from portal.enums import Role, TemplateKind
from portal.errors import NotFound
from portal.models import Template
from portal.queries import templates as queries
from portal.wire import idempotency, reading
from portal.wire.paging import page
from portal.wire.presenters import templates as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]
ENVIRONMENT, SERVICE = TemplateKind.ENVIRONMENT, TemplateKind.SERVICE
KEY = {ENVIRONMENT: "environmentTemplate", SERVICE: "serviceTemplate"}


def _shown(template: Template) -> Reply:
    return _reply(queries.with_recommended(Template.objects.filter(pk=template.pk)).get())


def _reply(template: Any) -> Reply:
    return {KEY[TemplateKind(template.kind)]: present.template(template)}


def _create(caller: Caller, kind: TemplateKind, name: str, provisioning: str | None, request: Reply) -> Reply:
    tags = reading.tags(request["tags"])

    def make() -> Template:
        made: Any = actions.create_template(
            by=caller.user,
            kind=kind,
            name=name,
            display_name=request["display_name"] or "",
            description=request["description"] or "",
            encryption_key=request["encryption_key"] or "",
            provisioning=provisioning or "",
            tags=tags,
        )
        made.recommended_major = made.recommended_minor = None  # it has no version yet
        return made

    made = idempotency.create(
        caller,
        f"Create{kind.label}Template",
        {"name": name, "provisioning": provisioning, **request},
        arn=arns.template(kind, name),
        make=make,
        find=lambda arn: queries.with_recommended(Template.objects.filter(kind=kind, name=name)).first(),
        fingerprint=lambda row: [row.display_name, row.description, row.tags],
    )
    return _reply(made)


@operation("CreateEnvironmentTemplate", Role.ADMIN)
def create_environment_template(
    caller: Caller,
    *,
    name: str,
    description: str | None = None,
    display_name: str | None = None,
    encryption_key: str | None = None,
    provisioning: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request = {
        "description": description,
        "display_name": display_name,
        "encryption_key": encryption_key,
        "tags": tags,
    }
    return _create(caller, ENVIRONMENT, name, provisioning, request)


@operation("CreateServiceTemplate", Role.ADMIN)
def create_service_template(
    caller: Caller,
    *,
    name: str,
    description: str | None = None,
    display_name: str | None = None,
    encryption_key: str | None = None,
    pipeline_provisioning: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request = {
        "description": description,
        "display_name": display_name,
        "encryption_key": encryption_key,
        "tags": tags,
    }
    return _create(caller, SERVICE, name, pipeline_provisioning, request)


@operation("GetEnvironmentTemplate", Role.VIEWER)
def get_environment_template(caller: Caller, *, name: str) -> Reply:
    return _shown(access.template(caller.user, ENVIRONMENT, name))


@operation("GetServiceTemplate", Role.VIEWER)
def get_service_template(caller: Caller, *, name: str) -> Reply:
    return _shown(access.template(caller.user, SERVICE, name))


def _list(kind: TemplateKind, max_results: int | None, next_token: str | None) -> Reply:
    rows, token = page(
        queries.with_recommended(Template.objects.filter(kind=kind)),
        by=["name"],
        key=lambda row: [row.name],
        question=["templates", kind],
        max_results=max_results,
        next_token=next_token,
    )
    return {"templates": [present.template(row) for row in rows], "nextToken": token}


@operation("ListEnvironmentTemplates", Role.VIEWER)
def list_environment_templates(
    caller: Caller, *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    return _list(ENVIRONMENT, max_results, next_token)


@operation("ListServiceTemplates", Role.VIEWER)
def list_service_templates(caller: Caller, *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    return _list(SERVICE, max_results, next_token)


def _update(caller: Caller, kind: TemplateKind, name: str, display_name: str | None, description: str | None) -> Reply:
    template = access.template(caller.user, kind, name, write=True)
    return _shown(
        actions.update_template(by=caller.user, template=template, display_name=display_name, description=description)
    )


@operation("UpdateEnvironmentTemplate", Role.ADMIN)
def update_environment_template(
    caller: Caller, *, name: str, description: str | None = None, display_name: str | None = None
) -> Reply:
    return _update(caller, ENVIRONMENT, name, display_name, description)


@operation("UpdateServiceTemplate", Role.ADMIN)
def update_service_template(
    caller: Caller, *, name: str, description: str | None = None, display_name: str | None = None
) -> Reply:
    return _update(caller, SERVICE, name, display_name, description)


def _delete(caller: Caller, kind: TemplateKind, name: str) -> Reply:
    """AWS Proton: a repeat of a deletion succeeds, and returns nothing when nothing is known any more."""
    try:
        template = access.template(caller.user, kind, name, write=True)
        shown = _shown(template)
        actions.delete_template(by=caller.user, template=template)
    except NotFound:
        return {}
    return shown


@operation("DeleteEnvironmentTemplate", Role.ADMIN)
def delete_environment_template(caller: Caller, *, name: str) -> Reply:
    return _delete(caller, ENVIRONMENT, name)


@operation("DeleteServiceTemplate", Role.ADMIN)
def delete_service_template(caller: Caller, *, name: str) -> Reply:
    return _delete(caller, SERVICE, name)
