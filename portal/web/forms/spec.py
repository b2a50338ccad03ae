"""Schema to form and back: fields as plain values for the one field template, inputs from what was posted.

The document of a form is what its names point into: ``{"spec": {...}}`` for an environment,
``{"instances": [{"name", "environment", "spec": {...}}], "pipeline": {...}}`` for a service.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from portal.web.forms.spec_fields import BUILDERS, Choice, Drawing, Field, build, dom_id, is_secret, text_of
from portal.web.forms.spec_reading import Posted, edit, read
from provisioning.problems import Problem, pointer
from provisioning.schema import MISSING, InputType, Property

__all__ = [
    "BUILDERS",
    "Choice",
    "Field",
    "Posted",
    "Summary",
    "changes",
    "dom_id",
    "edit",
    "fields",
    "flat",
    "is_secret",
    "property_at",
    "read",
    "secrets_of",
    "summary",
    "text_of",
    "without_secrets",
]


def fields(
    properties: Sequence[Property],
    values: Mapping[str, Any],
    problems: Iterable[Problem] = (),
    *,
    prefix: str,
    current: Mapping[str, Any] | None = None,
) -> list[Field]:
    """The fields of some properties, in the schema's order. ``values`` may hold text that is not of its type.

    ``current`` turns on the update mode: it holds the effective inputs that run now. Each field then says its current
    value and whether it changes, and required questions that nobody has answered yet come first.
    """
    by_path: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_path[problem.path].append(problem)
    drawing = Drawing(by_path, current is not None)
    running = current or {}
    made = [
        build(
            prop, prefix + pointer(prop.name), values.get(prop.name, MISSING), running.get(prop.name, MISSING), drawing
        )
        for prop in properties
    ]
    return sorted(made, key=lambda field: not (field.is_new and field.required)) if drawing.update else made


def flat(drawn: Iterable[Field]) -> Iterator[Field]:
    """Every field, those inside groups included."""
    for field in drawn:
        yield field
        yield from flat(field.children)


class Summary(NamedTuple):
    """One line of the error summary: the id of the nearest field ("" when there is none), its label, the problem."""

    id: str
    label: str
    message: str


def summary(drawn: Iterable[Field], problems: Iterable[Problem]) -> list[Summary]:
    """The errors in the order of the form, each linked to its field or to the nearest one around it."""
    known = {field.pointer: (order, field) for order, field in enumerate(flat(drawn))}
    lines = []
    for problem in problems:
        if problem.severity != "error":
            continue
        path = problem.path
        while path and path not in known:
            path = path.rpartition("/")[0]
        order, field = known.get(path, (-1, None))
        lines.append((order, Summary(field.id if field else "", field.label if field else "", problem.message)))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def changes(drawn: Iterable[Field]) -> list[Field]:
    """The single fields whose value is another than the one that runs (update mode)."""
    return [
        field for field in flat(drawn) if field.changed and field.kind not in {"group", "objects", "rows", "locked"}
    ]


def property_at(properties: Sequence[Property], path: str, *, prefix: str) -> Property | None:
    """The property that a pointer below ``prefix`` leads to; row numbers lead to the rows' own property."""
    if not path.startswith(f"{prefix}/"):
        return None
    found: Property | None = None
    level: Sequence[Property] = properties
    for part in path[len(prefix) + 1 :].split("/"):
        if found is not None and found.kind == "array":
            found = found.items if part.isdecimal() else None
        else:
            name = part.replace("~1", "/").replace("~0", "~")
            found = next((prop for prop in level if prop.name == name), None)
        if found is None:
            return None
        level = found.properties
    return found


def secrets_of(input_type: InputType | None) -> list[Property]:
    """Top-level properties that are typed and never shown again."""
    return [prop for prop in (input_type.properties if input_type else ()) if is_secret(prop)]


def without_secrets(properties: Sequence[Property], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs without any value that must not be kept in a draft, at whatever depth."""
    by_name = {prop.name: prop for prop in properties}
    kept: dict[str, Any] = {}
    for name, value in inputs.items():
        prop = by_name.get(name)
        if prop is not None and is_secret(prop):
            continue
        kept[name] = _cleaned(prop, value) if prop is not None else value
    return kept


def _cleaned(prop: Property, value: Any) -> Any:
    if isinstance(value, dict):
        return without_secrets(prop.properties, value)
    if isinstance(value, list) and prop.items is not None:
        return [_cleaned(prop.items, one) for one in value]
    return value
