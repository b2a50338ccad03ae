from collections.abc import Iterable

import pytest

from provisioning.schema import Schema, compatible, parse_schema
from tests.factories.bundles import PIPELINE_SCHEMA, SERVICE_SCHEMA, schema_text

MAJOR = " Register it as a new major version."


def schema(properties: str, required: Iterable[str] = ()) -> Schema:
    read, problems = parse_schema(schema_text(properties, required=required), "environment")
    assert read is not None, problems
    return read


def service(text: str) -> Schema:
    read, problems = parse_schema(text, "service")
    assert read is not None, problems
    return read


def complaints(old: Schema, new: Schema) -> list[str]:
    assert all(problem.severity == "error" for problem in compatible(old, new))
    return [problem.message.removesuffix(MAJOR) for problem in compatible(old, new)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: {type: string}", "a: {type: string}\nb: {type: string}"),
        ("a: {type: string}", "a: {type: string, default: x, title: New, description: New}"),
        ("a: {type: string, default: x}", "a: {type: string, default: y}"),
        ("a: {type: integer}", "a: {type: number}"),
        ("a: {type: string, enum: [x]}", "a: {type: string, enum: [x, y]}"),
        ("a: {type: string, enum: [x]}", "a: {type: string}"),
        ("a: {type: string, pattern: '^x'}", "a: {type: string}"),
        ("a: {type: string, minLength: 5, maxLength: 9}", "a: {type: string, minLength: 1, maxLength: 99}"),
        ("a: {type: number, exclusiveMinimum: 0}", "a: {type: number, minimum: 0}"),
        ("a: {type: number, minimum: 0, maximum: 9}", "a: {type: number, maximum: 9, minimum: 0}"),
        ("a: {type: number, multipleOf: 10}", "a: {type: number, multipleOf: 5}"),
        ("a: {type: array, items: {type: integer}}", "a: {type: array, items: {type: number}}"),
        ("a: {type: object, additionalProperties: false}", "a: {type: object}"),
        ("a: {type: string, format: email}", "a: {type: string, x-deuteron-group: g}"),
    ],
)
def test_a_minor_version_may_ask_for_less(old: str, new: str) -> None:
    assert complaints(schema(old), schema(new)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("a: {type: string}", "b: {type: string}", "a is gone; specs that set it would lose it."),
        ("a: {type: string}", "a: {type: number}", "a was string and is number now."),
        ("a: {type: number}", "a: {type: integer}", "a was number and is integer now."),
        ("a: {type: string}", "a: {type: string, enum: [x]}", 'enum of a is ["x"] now; there was none before.'),
        ("a: {type: string, enum: [x, y]}", "a: {type: string, enum: [x]}",
         'enum of a is ["x"] now, it was ["x", "y"].'),
        ("a: {type: string}", "a: {type: string, pattern: x}", "pattern of a is x now; there was none before."),
        ("a: {type: string, pattern: y}", "a: {type: string, pattern: x}", "pattern of a is x now, it was y."),
        ("a: {type: string}", "a: {type: string, minLength: 1}", "minLength of a allows less than before."),
        ("a: {type: string, maxLength: 9}", "a: {type: string, maxLength: 8}",
         "maxLength of a allows less than before."),
        ("a: {type: number, minimum: 0}", "a: {type: number, minimum: 1}", "minimum of a allows less than before."),
        ("a: {type: number, maximum: 9}", "a: {type: number, maximum: 8}", "maximum of a allows less than before."),
        ("a: {type: number, minimum: 0}", "a: {type: number, exclusiveMinimum: 0}",
         "exclusiveMinimum of a allows less than before."),
        ("a: {type: number, multipleOf: 5}", "a: {type: number, multipleOf: 10}",
         "multipleOf of a is 10 now, it was 5."),
        ("a: {type: string}", "a: {type: string, format: email}", "format of a is email now; there was none before."),
        ("a: {type: string}", "a: {type: string, const: x}", "const of a is x now; there was none before."),
        ("a: {type: array}", "a: {type: array, uniqueItems: true}",
         "uniqueItems of a is true now; there was none before."),
        ("a: {type: array, maxItems: 3}", "a: {type: array, maxItems: 2}", "maxItems of a allows less than before."),
        ("a: {type: array, items: {type: string}}", "a: {type: array, items: {type: number}}",
         "a[] was string and is number now."),
        ("a: {type: array}", "a: {type: array, items: {type: string}}",
         "The entries of a were free and are described now."),
        ("a: {type: string, nullable: true}", "a: {type: string}", "a could be empty and cannot be now."),
        ("a: {type: object}", "a: {type: object, additionalProperties: false}",
         "additionalProperties of a is false now; there was none before."),
        ("a: {type: object, properties: {b: {type: string}}}", "a: {type: object, properties: {}}",
         "b is gone; specs that set it would lose it."),
        ("a: {type: object}", "a: {type: object, required: [b], properties: {b: {type: string}}}",
         "b is new and required; give it a default."),
    ],
)  # fmt: skip
def test_a_minor_version_must_not_ask_for_more(old: str, new: str, complaint: str) -> None:
    assert complaints(schema(old), schema(new)) == [complaint]


def test_a_new_required_input_needs_a_default() -> None:
    old = schema("a: {type: string}")
    text = "a: {type: string}\nb: {type: string}"
    assert complaints(old, schema(text, ["b"])) == ["b is new and required; give it a default."]
    assert complaints(old, schema(text.replace("b: {", "b: {default: x, "), ["b"])) == []


def test_an_input_must_not_become_required() -> None:
    old = schema("a: {type: string}")
    assert complaints(old, schema("a: {type: string}", ["a"])) == [
        "a has become required; specs without it would be refused."
    ]


def test_losing_a_default_makes_a_required_input_one_that_must_be_supplied() -> None:
    old = schema("a: {type: string, default: x}", ["a"])
    assert complaints(old, schema("a: {type: string}", ["a"])) == [
        "a has become required; specs without it would be refused."
    ]


def test_pipeline_inputs_neither_come_nor_go_in_a_minor_version() -> None:
    without, having = service(SERVICE_SCHEMA), service(PIPELINE_SCHEMA)
    assert "The pipeline inputs are new; a minor version cannot bring them." in complaints(without, having)
    assert "The pipeline inputs are gone." in complaints(having, without)


def test_a_type_may_change_its_name() -> None:
    renamed = service(PIPELINE_SCHEMA.replace("PipelineInputs", "Other"))
    assert complaints(service(PIPELINE_SCHEMA), renamed) == []


def test_every_complaint_has_a_place_in_the_new_schema() -> None:
    (problem,) = compatible(schema("a: {type: string}"), schema("z: {type: string}\na: {type: number}"))
    assert (problem.file, problem.path, problem.line) == (
        "schema/schema.yaml",
        "/schema/types/Inputs/properties/a",
        10,
    )
