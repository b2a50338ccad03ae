"""A schema as the lines of a table, for people who read rather than fill in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from provisioning.schema_model import MISSING, InputType, Property, Schema


@dataclass(frozen=True)
class SchemaLine:
    name: str
    title: str
    description: str
    type: str
    default: str  # JSON; "" where there is none
    has_default: bool
    required: bool
    limits: tuple[str, ...]
    depth: int


@dataclass(frozen=True)
class SchemaPart:
    """The inputs of an environment, of each instance, or of the pipeline."""

    title: str
    type_name: str
    description: str
    lines: tuple[SchemaLine, ...]


def parts(schema: Schema) -> list[SchemaPart]:
    wanted = (
        ("Inputs", schema.environment),
        ("Inputs of each instance", schema.service),
        ("Inputs of the pipeline", schema.pipeline),
    )
    return [_part(title, inputs) for title, inputs in wanted if inputs is not None]


def _part(title: str, inputs: InputType) -> SchemaPart:
    return SchemaPart(title, inputs.name, inputs.description, tuple(_lines(inputs.properties, 0)))


def _lines(properties: tuple[Property, ...], depth: int) -> Iterator[SchemaLine]:
    for prop in properties:
        has_default = prop.default is not MISSING
        yield SchemaLine(
            name=prop.name,
            title=prop.title,
            description=prop.description,
            type=_type(prop),
            default=json.dumps(prop.default, ensure_ascii=False, default=str) if has_default else "",
            has_default=has_default,
            required=prop.required,
            limits=tuple(_limits(prop.raw)) + tuple(_item_limits(prop)),
            depth=min(depth, 3),
        )
        yield from _lines(prop.properties, depth + 1)
        if prop.items is not None:
            yield from _lines(prop.items.properties, depth + 1)


def _type(prop: Property) -> str:
    if prop.kind == "array" and prop.items is not None:
        return f"array of {_type(prop.items)}"
    kind: str = prop.kind
    if prop.raw.get("format"):
        kind += f" ({prop.raw['format']})"
    return f"{kind} or null" if prop.raw.get("nullable") else kind


WORDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "pattern": "matches {}",
}

COUNTS = (
    ("minLength", "at least", "character", "characters"),
    ("maxLength", "at most", "character", "characters"),
    ("minItems", "at least", "entry", "entries"),
    ("maxItems", "at most", "entry", "entries"),
)


def _limits(raw: Any) -> Iterator[str]:
    if raw.get("enum"):
        yield "one of " + ", ".join(json.dumps(value, ensure_ascii=False, default=str) for value in raw["enum"])
    if "const" in raw:
        yield f"always {json.dumps(raw['const'], default=str)}"
    for keyword, words in WORDS.items():
        if keyword in raw:
            yield words.format(raw[keyword])
    for keyword, words, one, many in COUNTS:
        if keyword in raw:
            yield f"{words} {raw[keyword]} {one if raw[keyword] == 1 else many}"
    if raw.get("uniqueItems"):
        yield "no entry twice"


def _item_limits(prop: Property) -> Iterator[str]:
    if prop.items is not None:
        for limit in _limits(prop.items.raw):
            yield f"each entry: {limit}"
