"""schema/schema.yaml: the inputs that a template asks for. AWS Proton: OpenAPI 3.0 schema objects under ``types``."""

from collections.abc import Mapping
from typing import Any, Literal

from provisioning.compatibility import compatible
from provisioning.problems import Problem, errors, pointer
from provisioning.schema_model import MISSING, InputType, Property, PropertyKind, Schema
from provisioning.schema_properties import PropertyReader
from provisioning.yaml_reader import read_yaml

__all__ = ["MISSING", "InputType", "Property", "PropertyKind", "Schema", "compatible", "parse_schema"]

MAX_SCHEMA = 51_200  # characters; AWS Proton: Get…TemplateVersion returns the whole text
_KEYS = {"environment": "environment_input_type", "service": "service_input_type", "pipeline": "pipeline_input_type"}


def parse_schema(
    text: str,
    kind: Literal["environment", "service"],
    *,
    customer_managed: bool = False,
    file: str = "schema/schema.yaml",
) -> tuple[Schema | None, tuple[Problem, ...]]:
    """Reads a schema; None when any problem is an error.

    ``customer_managed`` is AWS Proton's CUSTOMER_MANAGED: an environment that is not provisioned, a service without
    a pipeline. Whether a service's schema and its pipeline directory agree is the bundle's business.
    """
    if len(text) > MAX_SCHEMA:
        return None, (Problem("", f"The schema has {len(text)} characters; the most is {MAX_SCHEMA}.", file=file),)
    document, problems = read_yaml(text, file=file)
    if document is None:
        return None, problems
    reader = PropertyReader(document, file)
    schema = _read(reader, document.value, kind, customer_managed)
    found = tuple(sorted(reader.problems, key=lambda problem: problem.line or 0))
    return (None if errors(found) else schema), found


def _read(reader: PropertyReader, top: Any, kind: str, customer_managed: bool) -> Schema:
    if not isinstance(top, Mapping) or not isinstance(top.get("schema"), Mapping):
        reader.say(
            "", "A schema file starts with schema: and, below it, format:, types: and the name of the input type."
        )
        return Schema()
    for key in top:
        if key != "schema":
            reader.say(pointer(key), f"{key} has no meaning beside schema: and is ignored.", "warning")
    schema = top["schema"]
    _check_format(reader, schema)
    for key in schema:
        if key not in ("format", "types", *_KEYS.values()) and not key.startswith("x-"):
            reader.say(pointer("schema", key), f"{key} has no meaning in a schema and is ignored.", "warning")
    types = schema.get("types")
    if types is not None and not isinstance(types, Mapping):
        reader.say("/schema/types", "types must be a mapping of names to types.")
        types = None
    _check_keys(reader, schema, kind, customer_managed)
    types = types or {}
    if kind == "environment":
        inputs = _named_type(reader, schema, types, "environment", required=True)
        if customer_managed and inputs is not None:
            _check_customer_managed(reader, inputs)
        return Schema(environment=inputs)
    return Schema(
        service=_named_type(reader, schema, types, "service", required=True),
        pipeline=None if customer_managed else _named_type(reader, schema, types, "pipeline", required=False),
    )


def _check_format(reader: PropertyReader, schema: Mapping[str, Any]) -> None:
    form = schema.get("format")
    version = form.get("openapi") if isinstance(form, Mapping) else None
    if version is None:
        reader.say("/schema/format", 'The schema must say format: openapi: "3.0.0".')
    elif not str(version).startswith("3"):
        reader.say("/schema/format/openapi", f'The format must be openapi: "3.0.0", not {version}.')
    elif version != "3.0.0":
        reader.say("/schema/format/openapi", f'openapi {version} is read as "3.0.0".', "warning")


def _check_keys(reader: PropertyReader, schema: Mapping[str, Any], kind: str, customer_managed: bool) -> None:
    for other, key in _KEYS.items():
        if key not in schema:
            continue
        where = pointer("schema", key)
        if kind == "environment" and other != "environment":
            severity: Literal["error", "warning"] = "error" if customer_managed else "warning"
            reader.say(where, f"{key} has no meaning for an environment template.", severity)
        elif kind == "service" and other == "environment":
            reader.say(where, f"{key} has no meaning for a service template.", "warning")
        elif kind == "service" and other == "pipeline" and customer_managed:
            reader.say(where, f"{key} must not be there: this template's pipelines are customer managed.")


def _named_type(
    reader: PropertyReader, schema: Mapping[str, Any], types: Mapping[str, Any], part: str, *, required: bool
) -> InputType | None:
    key = _KEYS[part]
    if key not in schema:
        if required:
            reader.say("/schema", f"Missing property {key}: it names the type that describes the {part}'s inputs.")
        return None
    name, where = schema[key], pointer("schema", key)
    if not isinstance(name, str) or not name:
        reader.say(where, f"{key} must be the name of an entry of types.")
        return None
    if name not in types:
        there = f" There: {', '.join(types)}." if types else ""
        reader.say(where, f"{key} names {name}, which is not below types.{there}")
        return None
    return reader.input_type(name, types[name], pointer("schema", "types", name))


def _check_customer_managed(reader: PropertyReader, inputs: InputType) -> None:
    for prop in inputs.properties:
        where = pointer("schema", "types", inputs.name, "properties", prop.name)
        if prop.kind != "string":
            message = f"{prop.name} becomes an output of the environment, and outputs are text."
            reader.say(where, message, "warning")
        if prop.default is not MISSING:
            message = f"{prop.name} becomes an output of the environment; AWS Proton knew no defaults there."
            reader.say(where, message, "warning")
