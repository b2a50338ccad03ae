"""Documents that are small and explode: YAML, JSON, schemas and the patterns in them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from provisioning.manifest import parse_manifest
from provisioning.problems import errors
from provisioning.schema import parse_schema
from provisioning.spec import check_inputs, parse_spec
from provisioning.yaml_reader import read_yaml
from tests.factories.bundles import schema_text
from tests.provisioning.test_yaml_reader import BOMBS

Refused = Callable[[], bool]

DOCUMENTS = {
    **BOMBS,
    "a key that is there twice": "a: 1\na: 2\n",
    "a key that is there twice, in JSON": '{"a": 1, "a": 2}',
    "aliases in keys": "a: &a x\n? [*a, *a]\n: 1\n",
    "an alias to itself": "a: &a [*a]\n",
    "a merge of itself": "a: &a {<<: *a}\n",
    "merges of merges": "a0: &a0 {k: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 20)}], k{i}: 1}}\n" for i in range(1, 40)),
    "a decimal of a million digits": "a: " + "9" * 1_000_000,
    "a number with a huge exponent": "a: [" + "1" * 99 + "e" + "9" * 99 + "]\nb: !!int 'x'\n",
    "sexagesimals": "a: " + "1" + ":59" * 100_000,
    "depth of flows and mappings": "a: " + "[{b: " * 40_000,
    "depth of blocks": "".join(" " * i + "a:\n" for i in range(2_000)),
    "anchors": "".join(f"a{i}: &a{i} x\n" for i in range(60_000)),
    "comments": "#" * 3_000_000,
    "tags": "a: " + "!x" * 100_000 + " b\n",
    "a tag of Python": "!!python/object/apply:os.system [id]\n",
    "directives": "%YAML 1.1\n" * 50_000 + "---\na: 1\n",
    "many documents": "---\na: 1\n" * 100_000,
    "an escape": 'a: "' + "\\x" * 100_000 + '"\n',
    "folded lines": "a: >\n" + " b\n" * 200_000 + "c: [\n",
    "quotes": "a: '" + "''" * 500_000 + "\n",
    "NUL": "a: \0\n",
    "half a surrogate": "a: \ud800\n",
}
# Patterns and a value that backtracking takes years for.
PATTERNS = {
    "(a+)+b": "a" * 40,
    "^(a+)+$": "a" * 40 + "!",
    "(a|a)*b": "a" * 40,
    "(a|aa)+$": "a" * 60 + "!",
    "([a-zA-Z]+)*1": "a" * 40,
    "(.*a){20}$": "a" * 40 + "!",
    "^(([a-z])+.)+[A-Z]([a-z])+$": "a" * 40,
    "(x+x+)+y": "x" * 40,
    "^(\\w+\\s?)*$": "a " * 30 + "!",
    "((a*)*)*b": "a" * 30,
    "(?=a)(a+)+b": "a" * 40,
    "(?!b)(a|a)*b": "a" * 40,
    "(a+)+\\1b": "a" * 40,
    "(?<!x)(x+x+)+y": "x" * 40,
    "^(?=(a+)+$)b": "a" * 40 + "!",
    "(?=.*){500}(a*)*b": "a" * 40,
}
LARGE_PATTERNS = {"a{1000000000}": "a" * 40, "((((((a{100}){100}){100}){100}){100}){100})": "a" * 40}
REFUSED_PATTERNS = {
    "a long pattern": "a" * 20_000,
    "many alternatives": "|".join(["(a+)+"] * 4_000),
    "open parentheses": "(" * 900,
    "no pattern": "[z-a]",
    "NUL": "a\0b",
    "a back reference to nothing": "(?=a)\\1",
}
PROPERTIES = "name: {{type: string, pattern: {pattern}}}\n"


def _yaml(text: str) -> Refused:
    return lambda: read_yaml(text)[0] is None


def _spec(text: str) -> Refused:
    return lambda: parse_spec(text, "service")[0] is None


def _manifest(text: str) -> Refused:
    return lambda: parse_manifest(text, "manifest.yaml")[0] is None


def _schema(text: str) -> Refused:
    return lambda: bool(errors(parse_schema(text, "environment")[1]))


def _value(properties: str, values: Mapping[str, Any]) -> Refused:
    """The schema is read first: only the check of the values is on trial."""
    schema, problems = parse_schema(schema_text(properties), "environment")
    assert schema is not None and schema.environment is not None, problems
    return lambda: bool(errors(check_inputs(dict(values), schema.environment, path="/spec")[1]))


def corpus() -> dict[str, Refused]:
    """What is tried, each as a function that says whether it was refused."""
    found: dict[str, Refused] = {}
    for name, text in DOCUMENTS.items():
        found[f"{name}, read"] = _yaml(text)
        found[f"{name}, as a spec"] = _spec(text)
        found[f"{name}, as a schema"] = _schema(text)
        found[f"{name}, as a manifest"] = _manifest(text)
    for pattern, value in (PATTERNS | LARGE_PATTERNS).items():
        properties = PROPERTIES.format(pattern=json.dumps(pattern))
        found[f"the pattern {pattern}"] = _value(properties, {"name": value})
        if pattern in LARGE_PATTERNS:
            continue
        many = "".join(f"n{i}: {{type: string, pattern: {json.dumps(pattern)}}}\n" for i in range(40))
        found[f"forty times the pattern {pattern}"] = _value(many, {f"n{i}": "a" * i + value for i in range(40)})
    for name, pattern in REFUSED_PATTERNS.items():
        found[f"{name} in a schema"] = _schema(schema_text(PROPERTIES.format(pattern=json.dumps(pattern))))
    return found | _schemas() | _numbers()


def _schemas() -> dict[str, Refused]:
    loop = 'schema:\n  format: {openapi: "3.0.0"}\n  environment_input_type: A\n  types:\n'
    doubling = loop + "".join(
        f"    {name}:\n      type: object\n      properties:\n"
        f"        x: {{$ref: '#/schema/types/{following}'}}\n        y: {{$ref: '#/schema/types/{following}'}}\n"
        for name, following in zip("ABCDEFGHIJKLMNOPQRST", "BCDEFGHIJKLMNOPQRSTU", strict=True)
    )
    doubling += "    U: {type: object, properties: {z: {type: string}}}\n"
    return {
        "references that double": _schema(doubling),
        "a reference to itself": _schema(loop + "    A: {type: object, properties: {a: {$ref: '#/schema/types/A'}}}\n"),
        "a schema that is too long": _schema(schema_text("name: {type: string}") + "#" * 60_000),
        "nested properties": _schema(
            schema_text("a: " + "{type: object, properties: {a: " * 70 + "{type: string}" + "}}" * 70 + "\n")
        ),
        "oneOf": _schema(schema_text("a: {oneOf: [" + "{type: string}," * 500 + "]}")),
    }


def _numbers() -> dict[str, Refused]:
    return {
        "a remainder that no decimal has": _value("n: {type: number, multipleOf: 7.0e-300}", {"n": 1.0e300}),
        "a step of nothing": _schema(schema_text("n: {type: number, multipleOf: 0}")),
        "a number that is too long for text": _value("n: {type: number, multipleOf: 7}", {"n": 10**4000 + 1}),
        "text that is a huge number": _value("n: {type: number}", {"n": "9" * 100_000}),
        "text with a huge exponent": _value("n: {type: number, maximum: 5}", {"n": "1e999999999"}),
        "a list of everything": _value(
            "n: {type: array, uniqueItems: true, items: {type: number}}", {"n": [i % 5_000 for i in range(5_001)]}
        ),
        "a choice of thousands": _value(
            "n: {type: array, items: {type: string, enum: [" + ",".join(f"v{i}" for i in range(2_000)) + "]}}",
            {"n": ["nothing"] * 1_000},
        ),
    }
