"""A spec's form as it is drawn: the inputs of an environment, or a service's instances and pipeline."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.models import Environment, TemplateVersion
from portal.web.forms.document import Document, Shape
from portal.web.forms.spec import Choice, Field, dom_id, fields, flat
from portal.web.forms.spec_fields import replaced
from provisioning.problems import Problem, pointer
from provisioning.schema import Property


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the form: the inputs of an environment, one instance, the pipeline."""

    title: str
    id: str
    fields: tuple[Field, ...]
    pointer: str = ""
    removable: bool = False
    description: str = ""


def sections(
    document: Document,
    shape: Shape,
    problems: Iterable[Problem] = (),
    *,
    environments: Callable[[str], tuple[Choice, ...]] | None = None,
    current: Mapping[str, Any] | None = None,
    secrets: bool = False,
) -> list[Section]:
    """The form. ``environments`` gives the choices of an instance's picker for the name that is chosen now. Secrets
    are drawn only where they can be kept until they are used: not in a wizard's draft."""
    told = tuple(problems)
    if shape.kind == "environment":
        inputs = shape.schema.environment
        drawn = _fields(inputs.properties if inputs else (), document.get("spec", {}), told, "/spec", current, secrets)
        return [Section("Inputs", "inputs", drawn, description=inputs.description if inputs else "")]
    service = shape.schema.service
    properties = service.properties if service else ()
    entries = document.get("instances", [])
    made = [
        Section(
            entry.get("name") or f"Instance {index + 1}",
            f"instance-{index}",
            (
                *_instance_fields(index, entry, told, environments),
                *_fields(properties, entry.get("spec", {}), told, f"/instances/{index}/spec", current, secrets),
            ),
            pointer=f"/instances/{index}",
            removable=len(entries) > 1,
            description=service.description if service else "",
        )
        for index, entry in enumerate(entries)
    ]
    pipeline = shape.schema.pipeline
    if shape.has_pipeline and pipeline is not None and pipeline.properties:
        drawn = _fields(pipeline.properties, document.get("pipeline", {}), told, "/pipeline", current, secrets)
        made.append(Section("Pipeline", "pipeline", drawn, description=pipeline.description))
    return made


def _fields(
    properties: tuple[Property, ...],
    values: Mapping[str, Any],
    problems: tuple[Problem, ...],
    prefix: str,
    current: Mapping[str, Any] | None,
    secrets: bool,
) -> tuple[Field, ...]:
    drawn = fields(properties, values, problems, prefix=prefix, current=current)
    return tuple(drawn) if secrets else tuple(_open(drawn))


def _open(drawn: Iterable[Field]) -> list[Field]:
    """Without secret fields, at any depth."""
    return [
        replaced(field, children=tuple(_open(field.children))) if field.children else field
        for field in drawn
        if field.kind != "password"
    ]


def secret_fields(document: Document, shape: Shape, problems: Iterable[Problem] = ()) -> list[Field]:
    """The secret fields of the whole form, each under the name of its section."""
    drawn = sections(document, shape, problems, secrets=True)
    several = len(drawn) > 1
    return [
        replaced(field, label=f"{section.title}: {field.label}" if several else field.label, current=None)
        for section in drawn
        for field in flat(section.fields)
        if field.kind == "password"
    ]


def _instance_fields(
    index: int,
    entry: Mapping[str, Any],
    problems: tuple[Problem, ...],
    environments: Callable[[str], tuple[Choice, ...]] | None,
) -> list[Field]:
    name, place = pointer("instances", index, "name"), pointer("instances", index, "environment")
    chosen = entry.get("environment", "")
    return [
        Field(
            pointer=name,
            id=dom_id(name),
            label="Instance name",
            kind="text",
            help="Letters, digits, hyphens and underscores, such as dev or prod. Unique in this service.",
            value=entry.get("name", ""),
            required=True,
            problems=tuple(problem for problem in problems if problem.path == name),
            attrs=(("maxlength", "100"), ("spellcheck", "false")),
        ),
        Field(
            pointer=place,
            id=dom_id(place),
            label="Environment",
            kind="select",
            help="Where this instance runs. Only deployed environments of a compatible template can be chosen.",
            value=chosen,
            required=True,
            choices=environments(chosen) if environments else (Choice(chosen, chosen, selected=True),),
            problems=tuple(problem for problem in problems if problem.path == place),
        ),
    ]


def environment_choices(rows: Iterable[Environment], version: TemplateVersion) -> Callable[[str], tuple[Choice, ...]]:
    """Choices for the environment pickers: those that fit first, the others disabled with the reason."""
    allowed = {(row.template_name, row.major) for row in version.compatible_environments.all()}
    known = [(row.name, _why_not(row, allowed), row.template.name) for row in rows]
    ordered = sorted(known, key=lambda row: (bool(row[1]), row[0]))

    def choices(chosen: str) -> tuple[Choice, ...]:
        made = [Choice("", "Choose one", selected=not chosen)]
        for name, reason, template in ordered:
            made.append(Choice(name, name, name == chosen, bool(reason) and name != chosen, reason or template))
        if chosen and chosen not in {name for name, _, _ in ordered}:
            made.append(Choice(chosen, chosen, selected=True, reason="does not exist"))
        return tuple(made)

    return choices


def _why_not(row: Environment, allowed: set[tuple[str, int]]) -> str:
    shown = row.shown_version
    if shown is None or (row.template.name, shown.major) not in allowed:
        number = f" {shown.major}" if shown else ""
        return f"{row.template.name}{number} does not fit this template"
    if row.latest is not None and row.latest.kind == "delete":
        return "being deleted"
    return "" if row.deployed_id else "not deployed yet"
