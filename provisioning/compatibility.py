"""Whether a minor version may follow its predecessor."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from provisioning.checker import canonical, shown
from provisioning.formats import FORMATS
from provisioning.problems import Problem, pointer
from provisioning.schema_model import InputType, Property, Schema


def compatible(old: Schema, new: Schema) -> tuple[Problem, ...]:
    """AWS Proton: a minor version must accept every spec that the versions before it in its major accepted.

    Reports what a spec made for ``old`` could meet in ``new``; an empty answer means compatible. The lines are the
    new schema's.
    """
    found: list[Problem] = []
    for part in ("environment", "service", "pipeline"):
        before: InputType | None = getattr(old, part)
        after: InputType | None = getattr(new, part)
        if before is None and after is None:
            continue
        if after is None:
            found.append(_problem("/schema", f"The {part} inputs are gone."))
        elif before is None:
            found.append(_problem("/schema", f"The {part} inputs are new; a minor version cannot bring them."))
        else:
            path = pointer("schema", "types", after.name)
            found += _properties(before.properties, after.properties, path, after.line)
            found += _narrowed(before.raw, after.raw, path, after.line, "The type")
    return tuple(found)


def _problem(path: str, message: str, line: int | None = None) -> Problem:
    return Problem(path, f"{message} Register it as a new major version.", line, "error", "schema/schema.yaml")


def _properties(
    before: tuple[Property, ...], after: tuple[Property, ...], path: str, line: int | None
) -> Iterator[Problem]:
    now = {prop.name: prop for prop in after}
    for old in before:
        where = path + pointer("properties", old.name)
        new = now.pop(old.name, None)
        if new is None:
            yield _problem(where, f"{old.name} is gone; specs that set it would lose it.", line)
        else:
            yield from _property(old, new, where)
            if new.required and not old.required:
                yield _problem(where, f"{old.name} has become required; specs without it would be refused.", new.line)
    for name, new in now.items():
        if new.required:
            where = path + pointer("properties", name)
            yield _problem(where, f"{name} is new and required; give it a default.", new.line)


def _property(old: Property, new: Property, path: str) -> Iterator[Problem]:
    if old.kind != new.kind and (old.kind, new.kind) != ("integer", "number"):
        yield _problem(path, f"{old.name} was {old.kind} and is {new.kind} now.", new.line)
        return
    yield from _narrowed(old.raw, new.raw, path, new.line, old.name)
    if old.kind == "object":
        yield from _properties(old.properties, new.properties, path, new.line)
    if new.items is not None:
        if old.items is None:
            yield _problem(path + "/items", f"The entries of {old.name} were free and are described now.", new.line)
        else:
            yield from _property(old.items, new.items, path + "/items")


def _narrowed(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str, line: int | None, name: str
) -> Iterator[Problem]:
    for keyword, narrower in _NARROWER.items():
        if keyword in new and narrower(old.get(keyword), new[keyword]):
            said = f"{keyword} of {name} is {shown(new[keyword])} now"
            was = f", it was {shown(old[keyword])}" if keyword in old else "; there was none before"
            yield _problem(path + pointer(keyword), f"{said}{was}.", line)
    for inclusive, exclusive, sign in _BOUNDS:
        before, after = _bound(old, inclusive, exclusive, sign), _bound(new, inclusive, exclusive, sign)
        if after is not None and (before is None or after > before):
            keyword = exclusive if exclusive in new else inclusive
            yield _problem(path + pointer(keyword), f"{keyword} of {name} allows less than before.", line)
    if old.get("nullable") and not new.get("nullable"):
        yield _problem(path, f"{name} could be empty and cannot be now.", line)


def _bound(schema: Mapping[str, Any], inclusive: str, exclusive: str, sign: int) -> tuple[float, int] | None:
    """The tightest limit on one side; tighter limits compare as greater."""
    limits = [(sign * schema[inclusive], 0)] if inclusive in schema else []
    if exclusive in schema:
        limits.append((sign * schema[exclusive], 1))
    return max(limits, default=None)


def _fewer_choices(old: list[Any] | None, new: list[Any]) -> bool:
    return old is None or not {canonical(choice) for choice in old} <= {canonical(choice) for choice in new}


def _coarser_step(old: float | None, new: float) -> bool:
    return old is None or Decimal(str(old)) % Decimal(str(new)) != 0


def _other_format(old: str | None, new: str) -> bool:
    return new in FORMATS and old != new


def _fewer_keys(old: Any, new: Any) -> bool:
    return new is not True and old is not False and old != new


_BOUNDS = (
    ("minimum", "exclusiveMinimum", 1),
    ("maximum", "exclusiveMaximum", -1),
    ("minLength", "", 1),
    ("maxLength", "", -1),
    ("minItems", "", 1),
    ("maxItems", "", -1),
    ("minProperties", "", 1),
    ("maxProperties", "", -1),
)
_NARROWER: Mapping[str, Callable[[Any, Any], bool]] = {
    "enum": _fewer_choices,
    "const": lambda old, new: old is None or canonical(old) != canonical(new),
    "pattern": lambda old, new: old != new,
    "format": _other_format,
    "multipleOf": _coarser_step,
    "uniqueItems": lambda old, new: bool(new) and not old,
    "additionalProperties": _fewer_keys,
}
