"""What the review and update pages show of a deployment before it is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import yaml

from portal.actions import previews
from portal.actions.previews import Preview
from portal.models import Draft, Environment, ServiceInstance, ServicePipeline, TemplateVersion, User
from portal.queries import sensitive
from portal.web.forms.document import Document, Shape, text_for
from provisioning import masking
from provisioning.changes import DiffLine
from provisioning.engines.base import PlannedChange
from provisioning.masking import mask
from provisioning.problems import Problem


@dataclass(frozen=True)
class PlannedResource:
    name: str
    type: str


@dataclass(frozen=True)
class RenderedPart:
    """The rendered file of one target, its findings and the resources it declares."""

    title: str
    id: str
    path: str
    text: str
    problems: tuple[Problem, ...]
    resources: tuple[PlannedResource, ...]
    diff: tuple[DiffLine, ...] = ()
    unchanged: bool = False
    changes: tuple[PlannedChange, ...] = ()  # what the engine says it would do, when it was asked
    plan_error: str = ""
    is_terraform: bool = False
    new_files: tuple[tuple[str, str], ...] = ()  # of Terraform: path and text


@dataclass(frozen=True)
class Rendered:
    parts: tuple[RenderedPart, ...]
    command: str
    workflows: tuple[tuple[str, tuple[DiffLine, ...]], ...] = ()  # path and what is new in it
    files: tuple[tuple[str, tuple[DiffLine, ...]], ...] = ()  # the same of Terraform
    repository: str = ""  # where those go
    files_error: str = ""


def of_draft(user: User, draft: Draft, document: Document, shape: Shape) -> Rendered:
    """One part for an environment, one for each instance of a service."""
    name = str(draft.details.get("name", ""))
    text = text_for(document, shape, draft.spec)[0]
    hidden = masking.secrets_of_spec(document, shape.schema)
    description = str(draft.details.get("description", ""))
    named = ("environment_account_connection_id", "proton_service_role_arn", "component_role_arn")
    entry = {member: str(draft.details.get(member) or "") for member in named}
    command = previews.create_command(draft.template, draft.version, name or "NAME", text, description, **entry)
    if shape.kind == "environment":
        made = previews.preview_environment(
            by=user, template=draft.template, version=draft.version, name=name, spec=text
        )
        return Rendered((part_of(name or "environment", "environment", made, hidden),), mask(command, hidden))
    parts = []
    for index, entry in enumerate(document["instances"]):
        made = previews.preview_instance(
            by=user,
            version=draft.version,
            service_name=name,
            instance_name=entry["name"],
            environment_name=entry["environment"],
            spec=text,
        )
        parts.append(part_of(entry["name"] or f"Instance {index + 1}", f"instance-{index}", made, hidden))
    return Rendered(tuple(parts), mask(command, hidden))


def of_update(
    user: User,
    target: Environment | ServiceInstance | ServicePipeline,
    version: TemplateVersion,
    document: Document,
    shape: Shape,
    spec: str,
    *,
    plan: bool = False,
) -> Rendered:
    """What would run instead of what runs now; with ``plan`` the engine is asked what it would do."""
    hidden = (*masking.secrets_of_spec(document, shape.schema), *sensitive.values(target.deployed))
    if isinstance(target, Environment):
        made = previews.preview_environment(
            by=user,
            template=target.template,
            version=version,
            name=target.name,
            spec=spec,
            environment=target,
            plan=plan,
        )
    elif isinstance(target, ServicePipeline):
        made = previews.preview_pipeline(by=user, version=version, pipeline=target, spec=spec, plan=plan)
    else:
        made = previews.preview_instance(
            by=user,
            version=version,
            service_name=target.service.name,
            instance_name=target.name,
            environment_name=target.environment.name,
            spec=spec,
            instance=target,
            plan=plan,
        )
    return Rendered(
        parts=(part_of(str(target), "target", made, hidden),),
        command=mask(made.command, hidden),
        workflows=_masked(made.workflows, hidden),
        files=_masked(made.folder.files if made.folder else {}, hidden),
        repository=made.folder.repository if made.folder else "",
        files_error=mask(made.folder.error, hidden) if made.folder else "",
    )


def _masked(
    files: Mapping[str, Iterable[DiffLine]], hidden: tuple[str, ...]
) -> tuple[tuple[str, tuple[DiffLine, ...]], ...]:
    return tuple(
        (path, tuple(replace(line, text=mask(line.text, hidden)) for line in lines)) for path, lines in files.items()
    )


def part_of(title: str, id: str, preview: Preview, hidden: Iterable[str] = ()) -> RenderedPart:
    hidden = tuple(hidden)
    path, text = next(iter(preview.files.items()), ("", ""))
    return RenderedPart(
        title=title,
        id=id,
        path=path,
        text=mask(text, hidden),
        problems=tuple(replace(problem, message=mask(problem.message, hidden)) for problem in preview.problems),
        resources=resources_in(text),
        diff=tuple(replace(line, text=mask(line.text, hidden)) for line in preview.diff),
        unchanged=preview.unchanged,
        changes=tuple(replace(change, detail=mask(change.detail, hidden)) for change in preview.changes),
        plan_error=mask(preview.plan_error, hidden),
        is_terraform=preview.is_terraform,
        new_files=tuple((path, mask(text, hidden)) for path, text in preview.new_files.items()),
    )


class _Declared(yaml.CSafeLoader):
    """Reads a CloudFormation template for its names and types only: what a short tag (!Ref, !Sub) holds is left out."""


_Declared.add_multi_constructor("!", lambda loader, suffix, node: None)


def resources_in(text: str) -> tuple[PlannedResource, ...]:
    """The resources that a CloudFormation template declares; () for anything else."""
    try:
        document = yaml.load(text, _Declared)  # noqa: S506  a safe loader
    except yaml.YAMLError:
        return ()
    resources = document.get("Resources") if isinstance(document, dict) else None
    if not isinstance(resources, dict):
        return ()
    return tuple(
        PlannedResource(str(name), str(resource.get("Type", "")))
        for name, resource in resources.items()
        if isinstance(resource, dict)
    )
