"""Quoted numbers and booleans in a template, as CloudFormation reads them and the embedded AWS does not.

CloudFormation turns scalars into the types of each resource's schema: ``DesiredCount: '3'`` is a 3 there. The schemas
are those that come with cfn-lint; its files are read without importing it, which would cost seconds and 70 MB.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_SCALARS = {"string", "integer", "number", "boolean"}
_UNCHANGED: Any = object()
MAX_DEPTH = 64


def coerce(template: Mapping[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """The template with the properties of its resources in the types of their schemas.

    ``template`` has long-form functions. ``parameters`` are the values of the call; a Ref to a parameter where a
    number or boolean is due becomes that value. What no schema knows stays as it is.
    """
    given = {
        name: str(declared["Default"])
        for name, declared in (template.get("Parameters") or {}).items()
        if isinstance(declared, Mapping) and "Default" in declared
    }
    values = {**given, **parameters}
    resources = {
        name: _resource(resource, values, region) if isinstance(resource, Mapping) else resource
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}


def _resource(resource: Mapping[str, Any], values: Mapping[str, str], region: str) -> dict[str, Any]:
    schema = resource_schema(str(resource.get("Type", "")), region)
    if schema is None or "Properties" not in resource:
        return dict(resource)
    walk = _Walk(schema, values)
    return {**resource, "Properties": walk.value(resource["Properties"], [schema], 0)}


class _Walk:
    """Follows a value and the schemas that may describe it, side by side."""

    def __init__(self, root: Mapping[str, Any], parameters: Mapping[str, str]):
        self._root = root
        self._parameters = parameters

    def value(self, value: Any, schemas: list[Mapping[str, Any]], depth: int) -> Any:
        branches = list(self._branches(schemas, depth))
        if not branches or depth > MAX_DEPTH:
            return value
        if isinstance(value, Mapping):
            if len(value) == 1:
                function = next(iter(value))
                if function == "Ref" or function.startswith("Fn::"):
                    return self._function(function, value, branches, depth)
            return {key: self.value(part, _property(branches, str(key)), depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            items = [branch["items"] for branch in branches if isinstance(branch.get("items"), Mapping)]
            return [self.value(part, items, depth + 1) for part in value]
        return _scalar(value, branches)

    def _function(self, function: str, value: Mapping[str, Any], branches: list[Mapping[str, Any]], depth: int) -> Any:
        argument = value[function]
        if function == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
            return {function: [argument[0], *(self.value(part, branches, depth + 1) for part in argument[1:])]}
        if function == "Ref" and isinstance(argument, str) and argument in self._parameters:
            plain = self._parameters[argument]
            coerced = _scalar(plain, branches)
            return value if isinstance(coerced, str) else coerced
        return dict(value)

    def _branches(self, schemas: list[Mapping[str, Any]], depth: int) -> Iterator[Mapping[str, Any]]:
        """Each schema with its references followed and its alternatives beside it."""
        if depth > MAX_DEPTH:
            return
        for schema in schemas:
            reference = schema.get("$ref")
            if isinstance(reference, str):
                found = self._find(reference)
                if found is not None:
                    yield from self._branches([found], depth + 1)
                continue
            yield schema
            for word in ("allOf", "anyOf", "oneOf"):
                yield from self._branches([part for part in schema.get(word, ()) if isinstance(part, dict)], depth + 1)

    def _find(self, reference: str) -> Mapping[str, Any] | None:
        node: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
        return node if isinstance(node, Mapping) else None


def _property(branches: list[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    named = [branch["properties"][name] for branch in branches if name in branch.get("properties", {})]
    patterns = [part for branch in branches for part in branch.get("patternProperties", {}).values()]
    return [part for part in named or patterns if isinstance(part, Mapping)]


def _scalar(value: Any, branches: list[Mapping[str, Any]]) -> Any:
    """The value in the one type that the schemas want; unchanged when they accept it as it is, or cannot have it."""
    wanted: set[str] = set()
    for branch in branches:
        types = branch.get("type", ())
        wanted.update([types] if isinstance(types, str) else types)
    wanted &= _SCALARS
    if not wanted:
        return value
    if isinstance(value, bool):
        return ("true" if value else "false") if wanted == {"string"} else value
    if isinstance(value, int | float):
        return str(value) if wanted == {"string"} else value
    if not isinstance(value, str) or "string" in wanted:
        return value
    return next((found for kind in sorted(wanted) if (found := _read(value, kind)) is not _UNCHANGED), value)


def _read(text: str, kind: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), _UNCHANGED)
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return _UNCHANGED
    if number.is_integer():
        return int(number)
    return number if kind == "number" else _UNCHANGED


@cache
def resource_schema(kind: str, region: str) -> Mapping[str, Any] | None:
    """The schema of a resource type, or None for one that cfn-lint does not know, such as Custom::Thing."""
    file = _schema_files(region).get(kind)
    if file is None:
        return None
    schema: Mapping[str, Any] = json.loads((_schemas() / "resources" / f"{file}.json").read_text())
    return schema


@cache
def _schema_files(region: str) -> Mapping[str, str]:
    folder = _schemas() / "providers"
    file = folder / f"{region}.json"
    files: Mapping[str, str] = json.loads((file if file.exists() else folder / "us-east-1.json").read_text())
    return files


@cache
def _schemas() -> Path:
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("cfn-lint is not installed")
    return Path(spec.submodule_search_locations[0]) / "data" / "schemas"
