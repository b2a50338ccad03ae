from typing import Literal

import pytest

from provisioning.problems import Problem, errors
from provisioning.schema import MISSING, Property, Schema, parse_schema
from tests.factories.bundles import ENVIRONMENT_SCHEMA, PIPELINE_SCHEMA, SERVICE_SCHEMA, schema_text

Kind = Literal["environment", "service"]


def read(text: str, kind: Kind = "environment", *, customer_managed: bool = False) -> Schema:
    schema, problems = parse_schema(text, kind, customer_managed=customer_managed)
    assert schema is not None, problems
    return schema


def refusals(text: str, kind: Kind = "environment", *, customer_managed: bool = False) -> list[tuple[int | None, str]]:
    schema, problems = parse_schema(text, kind, customer_managed=customer_managed)
    assert schema is None
    assert {problem.file for problem in problems} == {"schema/schema.yaml"}
    return [(problem.line, problem.message) for problem in errors(problems)]


def prop(text: str) -> Property:
    """The one property of a schema without any problem."""
    schema, problems = parse_schema(schema_text(text), "environment")
    assert problems == ()
    assert schema is not None
    assert schema.environment is not None
    (found,) = schema.environment.properties
    return found


def tolerated(text: str) -> tuple[Property, list[str]]:
    """The one property of a schema with warnings, and what they say."""
    schema, problems = parse_schema(schema_text(text), "environment")
    assert schema is not None, problems
    assert schema.environment is not None
    assert {problem.severity for problem in problems} == {"warning"}
    assert all(problem.line for problem in problems)
    return schema.environment.properties[0], [problem.message for problem in problems]


def test_an_environment_schema_names_environment_input_type() -> None:
    schema = read(ENVIRONMENT_SCHEMA)
    assert schema.environment is not None
    assert (schema.environment.name, schema.service, schema.pipeline) == ("Inputs", None, None)
    assert [prop.name for prop in schema.environment.properties] == ["vpc_cidr", "name"]


def test_a_service_schema_names_service_input_type_and_perhaps_pipeline_input_type() -> None:
    assert read(SERVICE_SCHEMA, "service").pipeline is None
    both = read(PIPELINE_SCHEMA, "service")
    assert both.service is not None
    assert both.pipeline is not None
    assert (both.service.name, both.pipeline.name) == ("Inputs", "PipelineInputs")


@pytest.mark.parametrize("kind", ["environment", "service"])
def test_a_missing_input_type_is_refused(kind: Kind) -> None:
    other = SERVICE_SCHEMA if kind == "environment" else ENVIRONMENT_SCHEMA
    message = f"Missing property {kind}_input_type: it names the type that describes the {kind}'s inputs."
    assert refusals(other, kind) == [(1, message)]


def test_an_input_type_that_is_not_below_types_is_refused() -> None:
    text = ENVIRONMENT_SCHEMA.replace("input_type: Inputs", "input_type: Other")
    assert refusals(text) == [(4, "environment_input_type names Other, which is not below types. There: Inputs.")]
    assert refusals(text.replace("Other", "[Inputs]")) == [
        (4, "environment_input_type must be the name of an entry of types.")
    ]


def test_pipeline_input_type_must_be_absent_where_pipelines_are_customer_managed() -> None:
    message = "pipeline_input_type must not be there: this template's pipelines are customer managed."
    assert refusals(PIPELINE_SCHEMA, "service", customer_managed=True) == [(5, message)]


def test_a_customer_managed_environment_names_environment_input_type_only() -> None:
    text = ENVIRONMENT_SCHEMA.replace("  types:", "  pipeline_input_type: Inputs\n  types:")
    message = "pipeline_input_type has no meaning for an environment template."
    assert refusals(text, customer_managed=True) == [(5, message)]
    schema, problems = parse_schema(text, "environment")
    assert schema is not None
    assert [(problem.severity, problem.message) for problem in problems] == [("warning", message)]


def test_a_customer_managed_environment_has_text_without_defaults() -> None:
    text = schema_text("VpcId: {type: string}\nCount: {type: number}\nName: {type: string, default: x}")
    schema, problems = parse_schema(text, "environment", customer_managed=True)
    assert schema is not None
    assert [(problem.severity, problem.line) for problem in problems] == [("warning", 10), ("warning", 11)]


def test_the_format_is_openapi_3() -> None:
    missing = ENVIRONMENT_SCHEMA.replace('  format:\n    openapi: "3.0.0"\n', "")
    assert refusals(missing) == [(1, 'The schema must say format: openapi: "3.0.0".')]
    assert refusals(ENVIRONMENT_SCHEMA.replace("3.0.0", "2.0")) == [
        (3, 'The format must be openapi: "3.0.0", not 2.0.')
    ]
    assert read(ENVIRONMENT_SCHEMA.replace('"3.0.0"', "3.0.0")) == read(ENVIRONMENT_SCHEMA)
    _, problems = parse_schema(ENVIRONMENT_SCHEMA.replace("3.0.0", "3.1.0"), "environment")
    assert [problem.message for problem in problems] == ['openapi 3.1.0 is read as "3.0.0".']


@pytest.mark.parametrize("properties", ["", "{}"])
def test_a_schema_with_no_inputs_is_welcome(properties: str) -> None:
    schema, problems = parse_schema(schema_text(properties), "environment")
    assert problems == ()
    assert schema is not None
    assert schema.environment is not None
    assert (schema.environment.properties, schema.environment.raw) == ((), {"type": "object", "properties": {}})


def test_an_input_type_with_nothing_below_it_is_one_without_inputs() -> None:
    text = 'schema: {format: {openapi: "3.0.0"}, environment_input_type: Nothing, types: {Nothing: }}'
    schema = read(text)
    assert schema.environment is not None
    assert schema.environment.properties == ()


def test_a_schema_with_150_fields_works() -> None:
    schema = read(schema_text("\n".join(f"field_{number}: {{type: string}}" for number in range(150))))
    assert schema.environment is not None
    assert len(schema.environment.properties) == 150


@pytest.mark.parametrize(
    "text",
    ["", "schema", "schema: 5", "- schema", "types: {}"],
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    assert [message for _, message in refusals(text)] == [
        "A schema file starts with schema: and, below it, format:, types: and the name of the input type."
    ]


def test_a_schema_that_is_not_yaml_is_refused_with_its_line() -> None:
    assert refusals("schema:\n  types: [\n") == [
        (3, "This is not valid YAML: while parsing a flow node did not find expected node content.")
    ]


def test_a_schema_has_at_most_51200_characters() -> None:
    text = ENVIRONMENT_SCHEMA + "#" * (51_200 - len(ENVIRONMENT_SCHEMA))
    assert read(text) == read(ENVIRONMENT_SCHEMA)
    assert refusals(text + "#") == [(None, "The schema has 51201 characters; the most is 51200.")]


@pytest.mark.parametrize("kind", ["string", "number", "integer", "boolean", "array", "object"])
def test_keyword_type(kind: str) -> None:
    assert prop(f"it: {{type: {kind}}}").kind == kind


def test_keyword_title_and_description() -> None:
    found = prop("it: {type: string, title: The title, description: What it is}")
    assert (found.title, found.description, found.line) == ("The title", "What it is", 9)


def test_keyword_default() -> None:
    assert prop("it: {type: number, default: 80}").default == 80
    assert prop("it: {type: string, default: 10.0.0.0/16}").default == "10.0.0.0/16"
    assert prop("it: {type: string}").default is MISSING
    assert prop('it: {type: string, default: ""}').default == ""


def test_keyword_enum() -> None:
    assert prop("it: {type: number, enum: [256, 512]}").enum == (256, 512)


def test_keyword_pattern() -> None:
    pattern = r"([0-9]{1,3}\.){3}[0-9]{1,3}($|/(16|24))"
    assert prop(f"it: {{type: string, pattern: '{pattern}'}}").raw["pattern"] == pattern


def test_keywords_minlength_and_maxlength() -> None:
    raw = {"type": "string", "minLength": 1, "maxLength": 9}
    assert prop("it: {type: string, minLength: 1, maxLength: 9}").raw == raw


def test_keywords_minimum_and_maximum() -> None:
    raw = {"type": "number", "minimum": 0, "maximum": 65535}
    assert prop("it: {type: number, minimum: 0, maximum: 65535}").raw == raw


def test_keyword_items() -> None:
    found = prop("it: {type: array, items: {type: object, properties: {port: {type: number}}}, minItems: 1}")
    assert found.items is not None
    assert [child.name for child in found.items.properties] == ["port"]
    port = {"type": "number"}
    assert found.raw == {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "properties": {"port": port}},
    }


def test_keyword_required_means_must_be_supplied_unless_there_is_a_default() -> None:
    text = schema_text("a: {type: string}\nb: {type: string, default: x}\nc: {type: string}", required=["a", "b"])
    schema = read(text)
    assert schema.environment is not None
    assert [prop.required for prop in schema.environment.properties] == [True, False, False]
    assert schema.environment.raw["required"] == ["a"]


def test_nested_objects_have_properties_of_their_own() -> None:
    found = prop("it: {type: object, required: [a], properties: {a: {type: string}, b: {type: integer, default: 1}}}")
    assert [(child.name, child.kind, child.required) for child in found.properties] == [
        ("a", "string", True),
        ("b", "integer", False),
    ]


def test_both_forms_of_exclusive_limits() -> None:
    raw = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 9}
    assert prop("it: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 9}").raw == raw
    openapi = "it: {type: number, minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: true}"
    assert prop(openapi).raw == raw
    assert prop("it: {type: number, minimum: 0, exclusiveMinimum: false}").raw == {"type": "number", "minimum": 0}


def test_further_keywords_of_json_schema_are_enforced() -> None:
    assert prop("it: {type: integer, multipleOf: 5, const: 10}").raw == {
        "type": "integer",
        "multipleOf": 5,
        "const": 10,
    }
    assert prop("it: {type: string, nullable: true, format: email}").raw == {
        "type": "string",
        "nullable": True,
        "format": "email",
    }
    assert prop("it: {type: array, uniqueItems: true}").raw == {"type": "array", "uniqueItems": True}
    assert prop("it: {type: object, additionalProperties: false}").raw["additionalProperties"] is False
    more = prop("it: {type: object, additionalProperties: {type: number}}").raw["additionalProperties"]
    assert more == {"type": "number"}


def test_remarks_and_extensions_are_kept() -> None:
    text = "it: {type: string, example: a, deprecated: true, readOnly: false, writeOnly: true, x-deuteron-unit: MB}"
    assert prop(text).raw == {
        "type": "string",
        "example": "a",
        "deprecated": True,
        "readOnly": False,
        "writeOnly": True,
        "x-deuteron-unit": "MB",
    }


@pytest.mark.parametrize("reference", ["#/schema/types/Size", "#/types/Size", "#/components/schemas/Size"])
def test_local_references_are_followed(reference: str) -> None:
    text = schema_text(f'it: {{$ref: "{reference}", title: Mine}}').replace(
        "  types:\n", "  types:\n    Size: {type: string, enum: [s, m], title: Size}\n"
    )
    schema, problems = parse_schema(text, "environment")
    assert problems == ()
    assert schema is not None
    assert schema.environment is not None
    (found,) = schema.environment.properties
    assert (found.title, found.enum, found.raw) == (
        "Mine",
        ("s", "m"),
        {"type": "string", "enum": ["s", "m"], "title": "Mine"},
    )


@pytest.mark.parametrize("reference", ["#/schema/types/Nothing", "other.yaml#/x", "https://example.com/x", "#", "5"])
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    message = f"{reference} does not lead to a type of this file, such as #/schema/types/Name."
    assert refusals(schema_text(f'it: {{$ref: "{reference}"}}')) == [(9, message)]


@pytest.mark.parametrize(
    "properties",
    [
        'it: {$ref: "#/schema/types/Inputs"}',
        'it: {$ref: "#/schema/types/Inputs/properties/it"}',
        'it: {type: array, items: {$ref: "#/schema/types/Inputs/properties/it"}}',
        'it: {$ref: "#/schema/types/Inputs/properties/b"}\nb: {$ref: "#/schema/types/Inputs/properties/it"}',
    ],
)
def test_references_in_a_circle_are_refused(properties: str) -> None:
    messages = {message.split(" ", 1)[1] for _, message in refusals(schema_text(properties))}
    assert messages == {"leads back to itself."}


def test_references_that_multiply_are_refused() -> None:
    types = "".join(
        f"    T{number}: {{type: object, properties: {{"
        + ", ".join(f'p{child}: {{$ref: "#/schema/types/T{number + 1}"}}' for child in range(10))
        + "}}\n"
        for number in range(8)
    )
    text = schema_text('it: {$ref: "#/schema/types/T0"}').replace(
        "  types:\n", f"  types:\n{types}    T8: {{type: string}}\n"
    )
    assert [message for _, message in refusals(text)] == ["The schema has more than 2000 properties."]


def test_references_that_nest_too_deep_are_refused() -> None:
    types = "".join(
        f'    T{number}: {{type: object, properties: {{p: {{$ref: "#/types/T{number + 1}"}}}}}}\n'
        for number in range(500)
    )
    text = schema_text('it: {$ref: "#/types/T0"}').replace("  types:\n", f"  types:\n{types}")
    assert [message for _, message in refusals(text)] == ["The schema is nested deeper than 64 levels."]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("it: {type: boolean, default: public}", "The default does not fit the input's own rules: "
         "This must be true or false, not public."),
        ("it: {type: number, default: '80'}", "The default does not fit the input's own rules: "
         "This must be a number, not 80."),
        ("it: {type: string, enum: [a], default: b}", "The default does not fit the input's own rules: "
         "Choose one of a; b is none of them."),
        ("it: {type: number, minLength: 1}", "minLength has no meaning for type number and is ignored."),
        ("it: {type: string, minimum: 1}", "minimum has no meaning for type string and is ignored."),
        ("it: {type: boolean, pattern: a}", "pattern has no meaning for type boolean and is ignored."),
        ("it: {type: string, maxLenght: 5}", "maxLenght is no keyword of an OpenAPI schema and is ignored. "
         "Did you mean maxLength?"),
        ("it: {type: string, sensitive: true}", "sensitive is no keyword of an OpenAPI schema and is ignored."),
        ("it: {type: string, required: true}", "required is a list of names on the object that holds the properties; "
         "here it is ignored."),
        ("it: {type: string, maxLength: '5'}", "maxLength is written as text; it is read as 5."),
        ("it: {type: string, format: postcode}", "The format postcode is not known and is not checked. Known: "
         "account-id, arn, aws-account-id, aws-region, cidr, date, date-time, duration, email, hostname, image, "
         "image-reference, instance-type, ipv4, ipv6, region, uri, uuid."),
        ("it: {description: no type}", "it does not say its type; it is taken for string."),
        ("it: {type: String}", "The type is written string, not String."),
        ("it: {type: string, default: }", "The default is empty and counts as none."),
        ("it: {type: string, pattern: '^(?!aws)'}", "The pattern uses look-around or the like: it is checked with a "
         "time limit, for short values only."),
        ("it: {type: number, enum: [small]}", "small is no number, so that nobody can choose it."),
    ],
)  # fmt: skip
def test_what_proton_tolerated_is_a_warning_with_a_line(properties: str, message: str) -> None:
    assert tolerated(properties)[1] == [message]


def test_wrong_typed_defaults_are_kept_as_they_are() -> None:
    assert tolerated("it: {type: boolean, default: public}")[0].default == "public"
    assert tolerated("it: {type: string, default: 8080}")[0].default == 8080


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ("it: {default: true}", "boolean"),
        ("it: {enum: [1, 2]}", "integer"),
        ("it: {default: 1.5}", "number"),
        ("it: {items: {type: string}}", "array"),
        ("it: {properties: {a: {type: string}}}", "object"),
    ],
)
def test_a_type_that_is_not_said_is_taken_from_the_rest(properties: str, kind: str) -> None:
    assert tolerated(properties)[0].kind == kind


def test_enum_values_are_read_in_the_type_of_the_property() -> None:
    assert tolerated("it: {type: string, enum: [on, off, 1.10]}")[0].enum == ("on", "off", "1.10")
    assert tolerated("it: {type: number, enum: ['256', '512']}")[0].enum == (256, 512)
    assert tolerated("it: {type: boolean, enum: ['true']}")[0].enum == (True,)


def test_required_names_that_are_no_properties_are_a_warning() -> None:
    schema, (problem,) = parse_schema(schema_text("a: {type: string}", required=["a", "b"]), "environment")
    assert schema is not None
    message = "required names b, which is no property; it is ignored."
    path = "/schema/types/Inputs/required/1"
    assert problem == Problem(path, message, 12, "warning", "schema/schema.yaml")


@pytest.mark.parametrize(
    "keyword",
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "discriminator", "patternProperties", "dependentRequired"],
)
def test_a_rule_that_cannot_be_honoured_is_an_error_with_its_line(keyword: str) -> None:
    message = f"{keyword} cannot be honoured here. Describe the input with type, enum, pattern and limits."
    assert refusals(schema_text(f"a: {{type: string}}\nit:\n  type: string\n  {keyword}: []")) == [(12, message)]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("it: {type: strng}", "There is no type strng. Use one of string, number, integer, boolean, array, object."),
        ("it: {type: int}", "There is no type int. Did you mean integer?"),
        ("it: {type: [string, number]}", 'There is no type ["string", "number"]. '
         "Use one of string, number, integer, boolean, array, object."),
        ("it: string", "it must be a mapping that says at least its type."),
        ("it:", "it must be a mapping that says at least its type."),
        ("it: {type: string, minLength: -1}", "minLength must be a whole number of 0 or more."),
        ("it: {type: string, maxLength: many}", "maxLength must be a whole number of 0 or more."),
        ("it: {type: string, minLength: 1.5}", "minLength must be a whole number of 0 or more."),
        ("it: {type: number, minimum: low}", "minimum must be a number."),
        ("it: {type: number, maximum: true}", "maximum must be a number."),
        ("it: {type: number, multipleOf: 0}", "multipleOf must be a number above 0."),
        ("it: {type: number, exclusiveMinimum: true}", "exclusiveMinimum: true needs minimum beside it."),
        ("it: {type: number, minimum: 5, maximum: 1}", "maximum is less than minimum, so that no value is allowed."),
        ("it: {type: string, enum: []}", "enum must be a list with at least one value."),
        ("it: {type: string, enum: a}", "enum must be a list with at least one value."),
        ("it: {type: string, pattern: '(a'}", "The pattern is not a regular expression "
         "(missing ), unterminated subpattern at position 0)."),
        ("it: {type: string, pattern: 5}", "pattern must be text; put it in quotes."),
        ("it: {type: string, format: [email]}", "format must be text."),
        ("it: {type: string, nullable: maybe}", "nullable must be true or false."),
        ("it: {type: object, properties: [a]}", "properties must be a mapping of names to properties."),
        ("it: {type: object, required: a}", "required must be a list of names."),
        ("it: {type: object, additionalProperties: some}", "additionalProperties must be true, false or a schema."),
        ("it: {type: array, items: [{type: string}]}", "it[] must be a mapping that says at least its type."),
        ("x" * 101 + ": {type: string}", "The name of an input has at most 100 characters."),
    ],
)  # fmt: skip
def test_a_keyword_that_makes_no_sense_is_an_error_with_its_line(properties: str, message: str) -> None:
    assert refusals(schema_text(properties)) == [(9, message)]


def test_a_named_type_is_an_object() -> None:
    text = ENVIRONMENT_SCHEMA.replace("type: object", "type: string")
    assert (7, "The type Inputs must be an object, not string.") in refusals(text)
    assert refusals('schema: {format: {openapi: "3.0.0"}, environment_input_type: A, types: {A: [1]}}') == [
        (1, "The type A must be a mapping with type: object and properties:.")
    ]


def test_types_that_are_no_mapping_are_refused() -> None:
    text = 'schema: {format: {openapi: "3.0.0"}, environment_input_type: A, types: [A]}'
    assert [message for _, message in refusals(text)] == [
        "types must be a mapping of names to types.",
        "environment_input_type names A, which is not below types.",
    ]


def test_every_problem_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = schema_text("a: {type: strng}\nb: {type: number, minimum: low}\nc: {oneOf: []}\nd: 5")
    assert [line for line, _ in refusals(text)] == [9, 10, 11, 12]


def test_keys_without_meaning_are_warnings() -> None:
    text = schema_text("a: {type: string}", more="version: 1\nx-team: ours\n") + "more: 1\n"
    schema, problems = parse_schema(text, "environment")
    assert schema is not None
    assert [(problem.line, problem.message) for problem in problems] == [
        (5, "version has no meaning in a schema and is ignored."),
        (12, "more has no meaning beside schema: and is ignored."),
    ]


def test_equal_schemas_are_equal_wherever_their_lines_are() -> None:
    assert read(ENVIRONMENT_SCHEMA) == read("# a remark\n" + ENVIRONMENT_SCHEMA)
