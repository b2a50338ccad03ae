"""Versions of environment and service templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from portal import access
from portal.actions import registrations
from portal.actions import templates as actions
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import Invalid, NotFound
from portal.models import TemplateVersion
from portal.queries import templates as queries
from portal.wire import idempotency, reading
from portal.wire.paging import page, whole
from portal.wire.presenters import templates as present
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]
ENVIRONMENT, SERVICE = TemplateKind.ENVIRONMENT, TemplateKind.SERVICE
KEY = {ENVIRONMENT: "environmentTemplateVersion", SERVICE: "serviceTemplateVersion"}


def _shown(version: TemplateVersion) -> Reply:
    row = queries.with_recommended_minor(TemplateVersion.objects.filter(pk=version.pk)).get()
    return {KEY[TemplateKind(row.template.kind)]: present.version(row)}


def _find(caller: Caller, kind: TemplateKind, name: str, major: str, minor: str, *, write: bool) -> TemplateVersion:
    numbers = reading.number(major), reading.number(minor)
    return access.template_version(caller.user, kind, name, *numbers, write=write)


def _create(caller: Caller, kind: TemplateKind, template_name: str, token: str | None, request: Reply) -> Reply:
    template = access.template(caller.user, kind, template_name, write=True)
    source = request["source"]["s3"]
    tags = reading.tags(request["tags"])
    made = idempotency.once(
        caller,
        f"Create{kind.label}TemplateVersion",
        {"template_name": template_name, **request},
        token=token,
        make=lambda: registrations.register_version(
            by=caller.user,
            template=template,
            s3=(source["bucket"], source["key"]),
            major=reading.number_or_none(request["major_version"]),
            description=request["description"] or "",
            compatible=reading.compatible(request.get("compatible_environment_templates", ())),
            supported_component_sources=request.get("supported_component_sources") or (),
            client_token=token or "",
            tags={**template.tags, **tags},
        ),
        find=queries.version_by_arn,
    )
    return _shown(made)


@operation("CreateEnvironmentTemplateVersion", Role.ADMIN)
def create_environment_template_version(
    caller: Caller,
    *,
    template_name: str,
    source: Mapping[str, Any],
    client_token: str | None = None,
    description: str | None = None,
    major_version: str | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request = {"source": source, "description": description, "major_version": major_version, "tags": tags}
    return _create(caller, ENVIRONMENT, template_name, client_token, request)


@operation("CreateServiceTemplateVersion", Role.ADMIN)
def create_service_template_version(
    caller: Caller,
    *,
    template_name: str,
    source: Mapping[str, Any],
    compatible_environment_templates: Sequence[Mapping[str, str]],
    client_token: str | None = None,
    description: str | None = None,
    major_version: str | None = None,
    supported_component_sources: Sequence[str] | None = None,
    tags: Sequence[Mapping[str, str]] | None = None,
) -> Reply:
    request = {
        "source": source,
        "description": description,
        "major_version": major_version,
        "tags": tags,
        "compatible_environment_templates": compatible_environment_templates,
        "supported_component_sources": supported_component_sources,
    }
    return _create(caller, SERVICE, template_name, client_token, request)


@operation("GetEnvironmentTemplateVersion", Role.VIEWER)
def get_environment_template_version(
    caller: Caller, *, template_name: str, major_version: str, minor_version: str
) -> Reply:
    return _shown(_find(caller, ENVIRONMENT, template_name, major_version, minor_version, write=False))


@operation("GetServiceTemplateVersion", Role.VIEWER)
def get_service_template_version(
    caller: Caller, *, template_name: str, major_version: str, minor_version: str
) -> Reply:
    return _shown(_find(caller, SERVICE, template_name, major_version, minor_version, write=False))


def _list(
    caller: Caller,
    kind: TemplateKind,
    template_name: str,
    major: str | None,
    max_results: int | None,
    next_token: str | None,
) -> Reply:
    """Minors of one major, or one row for each major; the newest first."""
    template = access.template(caller.user, kind, template_name)
    if major is None:
        rows = queries.one_of_each_major(caller.user, template)
    else:
        rows = queries.versions_visible_to(caller.user, template).filter(major=reading.number(major))
    found, token = page(
        queries.with_recommended_minor(rows).defer("schema", "problems"),
        by=["major", "minor"],
        key=lambda row: [row.major, row.minor],
        parse=lambda key: [whole(part) for part in key],
        question=["versions", kind, template_name, major],
        max_results=max_results,
        next_token=next_token,
        descending=True,
    )
    return {"templateVersions": [present.version_summary(row) for row in found], "nextToken": token}


@operation("ListEnvironmentTemplateVersions", Role.VIEWER)
def list_environment_template_versions(
    caller: Caller,
    *,
    template_name: str,
    major_version: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    return _list(caller, ENVIRONMENT, template_name, major_version, max_results, next_token)


@operation("ListServiceTemplateVersions", Role.VIEWER)
def list_service_template_versions(
    caller: Caller,
    *,
    template_name: str,
    major_version: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    return _list(caller, SERVICE, template_name, major_version, max_results, next_token)


def _update(
    caller: Caller,
    version: TemplateVersion,
    status: str | None,
    description: str | None,
    compatible: Sequence[Mapping[str, str]] | None = None,
    sources: Sequence[str] | None = None,
) -> Reply:
    """AWS Proton: the one status that can be asked for is PUBLISHED. What is refused changes nothing."""
    if status is not None and status not in {TemplateVersionStatus.PUBLISHED, version.status}:
        raise Invalid(f"{version} is {version.status} and cannot become {status}: only DRAFT becomes PUBLISHED.")
    with transaction.atomic():
        if (description, compatible, sources) != (None, None, None):
            version = actions.update_version(
                by=caller.user,
                version=version,
                description=description,
                compatible=None if compatible is None else reading.compatible(compatible),
                supported_component_sources=sources,
            )
        if status == TemplateVersionStatus.PUBLISHED:
            version = actions.publish_version(by=caller.user, version=version)
    return _shown(version)


@operation("UpdateEnvironmentTemplateVersion", Role.ADMIN)
def update_environment_template_version(
    caller: Caller,
    *,
    template_name: str,
    major_version: str,
    minor_version: str,
    description: str | None = None,
    status: str | None = None,
) -> Reply:
    version = _find(caller, ENVIRONMENT, template_name, major_version, minor_version, write=True)
    return _update(caller, version, status, description)


@operation("UpdateServiceTemplateVersion", Role.ADMIN)
def update_service_template_version(
    caller: Caller,
    *,
    template_name: str,
    major_version: str,
    minor_version: str,
    compatible_environment_templates: Sequence[Mapping[str, str]] | None = None,
    description: str | None = None,
    status: str | None = None,
    supported_component_sources: Sequence[str] | None = None,
) -> Reply:
    version = _find(caller, SERVICE, template_name, major_version, minor_version, write=True)
    return _update(caller, version, status, description, compatible_environment_templates, supported_component_sources)


def _delete(caller: Caller, kind: TemplateKind, template_name: str, major: str, minor: str) -> Reply:
    """AWS Proton: a repeat of a deletion succeeds, and returns nothing when nothing is known any more."""
    try:
        version = _find(caller, kind, template_name, major, minor, write=True)
        shown = _shown(version)
        actions.delete_version(by=caller.user, version=version)
    except NotFound:
        return {}
    return shown


@operation("DeleteEnvironmentTemplateVersion", Role.ADMIN)
def delete_environment_template_version(
    caller: Caller, *, template_name: str, major_version: str, minor_version: str
) -> Reply:
    return _delete(caller, ENVIRONMENT, template_name, major_version, minor_version)


@operation("DeleteServiceTemplateVersion", Role.ADMIN)
def delete_service_template_version(
    caller: Caller, *, template_name: str, major_version: str, minor_version: str
) -> Reply:
    return _delete(caller, SERVICE, template_name, major_version, minor_version)
