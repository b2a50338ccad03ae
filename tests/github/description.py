"""GitHub's published description of its REST interface, and what is wrong with an exchange according to it."""

import functools
import json
import re
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.github.double import Exchange
from tests.github.unpack import DESCRIPTION

_URI = "urn:github"


@functools.cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = _nullable(json.loads(DESCRIPTION.read_text()))
    return found


@functools.cache
def _registry() -> Any:
    return Registry().with_resource(_URI, DRAFT4.create_resource(description()))


def _nullable(value: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema lists null among the types."""
    if isinstance(value, list):
        return [_nullable(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _nullable(item) for key, item in value.items()}
    if changed.get("nullable") is not True:
        return changed
    if isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
        if "enum" in changed:
            changed["enum"] = [*changed["enum"], None]
        return changed
    return {"anyOf": [changed, {"type": "null"}]}


def _operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The path as it is described, and the operation: the one with the fewest variables, as GitHub routes."""
    fitting = []
    for described, verbs in description()["paths"].items():
        pattern = re.sub(r"\\{(\w+)\\}", lambda m: ".+" if m[1] in ("ref", "path") else "[^/]+", re.escape(described))
        if method.lower() in verbs and re.fullmatch(pattern, path):
            fitting.append((described.count("{"), -len(described), described))
    if not fitting:
        return None
    described = min(fitting)[2]
    return described, description()["paths"][described][method.lower()]


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = description()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        value = found
    return value


def complaints(schema: dict[str, Any], value: Any) -> list[str]:
    # References inside the description are relative to it.
    whole = json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{_URI}#/'))
    errors = Draft4Validator(whole, registry=_registry()).iter_errors(value)
    found = [f"/{'/'.join(str(part) for part in error.absolute_path)}: {error.message[:200]}" for error in errors]
    properties = _resolved(schema).get("properties")
    if properties and isinstance(value, dict):
        found += [f"/{key}: is not in the description" for key in value if key not in properties]
    return found


def problems(exchange: Exchange) -> list[str]:
    """What GitHub would not have been asked, or would not have answered, in this exchange."""
    where = f"{exchange.method} {exchange.path}"
    operation = _operation(exchange.method, exchange.path)
    if operation is None:
        return [f"{where}: there is no such operation"]
    path, about = operation
    found = []
    parameters = {p["name"]: p for p in map(_resolved, about.get("parameters", [])) if p["in"] == "query"}
    for name, value in exchange.query.items():
        if name not in parameters:
            found.append(f"query {name}: is not in the description")
        elif choices := parameters[name]["schema"].get("enum"):
            found += [] if value in choices else [f"query {name}: {value} is none of {choices}"]
    if exchange.body is not None:
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        found += [f"request {said}" for said in complaints(schema, exchange.body)]
    answer = about["responses"].get(str(exchange.status))
    if answer is None:
        if exchange.status not in (401, 403, 404, 422, 429, 500):
            found.append(f"status {exchange.status} is not in the description")
    elif exchange.answer is not None and "content" in _resolved(answer):
        schema = _resolved(answer)["content"]["application/json"]["schema"]
        found += [f"answer {said}" for said in complaints(schema, exchange.answer)]
    return [f"{where} ({path}): {said}" for said in found]


def webhook_problems(name: str, payload: dict[str, Any]) -> list[str]:
    """``name`` as GitHub's description calls it, such as "pull-request-opened"."""
    operation = description()["x-webhooks"][name]["post"]
    return complaints(operation["requestBody"]["content"]["application/json"]["schema"], payload)
