"""Schema to form and back, as plain values."""

from collections.abc import Mapping
from typing import Any

import pytest

from portal.web.forms.spec import edit, fields, flat, property_at, read, summary, without_secrets
from portal.web.forms.spec_fields import BUILDERS, constraint
from provisioning.problems import Problem
from provisioning.schema import InputType, parse_schema
from provisioning.spec import check_inputs

EVERY_KIND = """
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In:
      type: object
      required: [name, size, agree]
      properties:
        name: {type: string, title: Display name, description: "What people read", minLength: 3, maxLength: 20}
        port: {type: integer, default: 8080, minimum: 1, maximum: 65535}
        ratio: {type: number, multipleOf: 0.5}
        agree: {type: boolean}
        logs: {type: boolean, default: true}
        size: {type: string, enum: [small, medium, large]}
        cpu: {type: number, default: 512, enum: [256, 512, 1024, 2048, 4096]}
        zone: {type: string, enum: [a, b, c, d, e, f, g, h, i, j, k, l]}
        notes: {type: string, format: textarea}
        token: {type: string, writeOnly: true}
        engine: {type: string, const: postgres}
        region: {type: string, readOnly: true}
        subnets: {type: array, items: {type: string}, minItems: 1, maxItems: 3}
        ports: {type: array, items: {type: integer}, default: [80, 443]}
        rules:
          type: array
          items:
            type: object
            required: [from]
            properties: {from: {type: integer}, label: {type: string}}
        network:
          type: object
          properties:
            cidr: {type: string, default: 10.0.0.0/16, pattern: '^[0-9./]+$'}
            nat: {type: object, properties: {count: {type: integer}}}
        tags: {type: object, additionalProperties: {type: string}}
"""

FILLED: dict[str, Any] = {
    "name": "my app",
    "port": 9090,
    "ratio": 1.5,
    "agree": False,
    "logs": False,
    "size": "medium",
    "cpu": 1024,
    "zone": "k",
    "notes": "one\ntwo",
    "token": "s3cret",
    "engine": "postgres",
    "subnets": ["subnet-a", "subnet-b"],
    "ports": [8443],
    "rules": [{"from": 1, "label": "x"}, {"from": 2}],
    "network": {"cidr": "10.1.0.0/16", "nat": {"count": 2}},
    "tags": {"team": "payments", "a/b~c": "x"},
}


def input_type(text: str = EVERY_KIND) -> InputType:
    schema, problems = parse_schema(text, "environment")
    assert schema is not None, problems
    assert schema.environment is not None
    return schema.environment


def of(*lines: str, required: str = "") -> InputType:
    """An input type of these properties, each a line of YAML."""
    body = "".join(f"        {line}\n" for line in lines)
    head = EVERY_KIND.split("      required:")[0]
    return input_type(f"{head}      required: [{required}]\n      properties:\n{body}")


def posted(values: Mapping[str, Any], kind: InputType | None = None) -> dict[str, list[str]]:
    """What a browser would send for the form of these values."""
    sent: dict[str, list[str]] = {}
    for field in flat(fields((kind or input_type()).properties, values, prefix="/spec")):
        if field.kind == "switch":
            sent[field.pointer] = ["false", "true"] if field.value == "true" else ["false"]
        elif field.kind in {"radio", "select"}:
            chosen = [choice.value for choice in field.choices if choice.selected]
            sent.update({field.pointer: chosen} if chosen else {})
        elif field.kind in {"rows", "objects"}:
            sent[field.pointer + "#list"] = ["1"]
        elif field.kind == "pairs":
            sent[field.pointer + "#key"] = [child.label for child in field.children]
            sent[field.pointer + "#value"] = [child.value for child in field.children]
        elif field.kind not in {"group", "locked"}:
            sent[field.pointer] = [field.value]
    return {name: [one.replace("\n", "\r\n") for one in each] for name, each in sent.items()}


def one(kind: InputType, values: Mapping[str, Any] | None = None, **more: Any) -> Any:
    return fields(kind.properties, values or {}, prefix="/spec", **more)[0]


def test_every_kind_of_field_round_trips_through_what_a_browser_posts():
    sent = posted(FILLED) | {"/spec/token": ["s3cret"]}
    assert read(sent, input_type(), "/spec") == FILLED


def test_what_round_tripped_is_what_the_checker_accepts():
    effective, problems = check_inputs(read(posted(FILLED), input_type(), "/spec"), input_type(), path="/spec")
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert effective["network"] == FILLED["network"]


def test_there_is_a_builder_for_every_kind_of_property():
    assert sorted(BUILDERS) == ["array", "boolean", "integer", "number", "object", "string"]


def test_the_name_of_a_field_is_its_json_pointer():
    names = {field.pointer for field in flat(fields(input_type().properties, FILLED, prefix="/spec"))}
    assert {
        "/spec/name",
        "/spec/subnets/1",
        "/spec/rules/0/from",
        "/spec/network/nat/count",
        "/spec/tags/a~1b~0c",
    } <= names


def test_an_untouched_form_sends_no_default():
    assert read(posted({}), input_type(), "/spec") == {"engine": "postgres"}


def test_a_default_that_was_written_down_before_stays_written_down():
    assert read(posted({"port": 8080}), input_type(), "/spec", base={"port": 8080})["port"] == 8080


def test_a_required_choice_is_not_made_for_the_person():
    drawn = {field.pointer: field for field in fields(input_type().properties, {}, prefix="/spec")}
    assert [choice.selected for choice in drawn["/spec/size"].choices] == [False, False, False]
    assert [choice.selected for choice in drawn["/spec/agree"].choices] == [False, False]


def test_a_default_is_shown_and_said_to_be_one():
    field = one(of("port: {type: integer, default: 8080}"))
    assert (field.value, field.is_default, field.restorable) == ("8080", True, False)


def test_another_value_can_go_back_to_the_default():
    field = one(of("port: {type: integer, default: 8080}"), {"port": 1})
    assert (field.value, field.is_default, field.restorable, field.default) == ("1", False, True, "8080")


def test_an_empty_field_with_a_default_means_the_default():
    assert read({"/spec/port": [""]}, of("port: {type: integer, default: 8080}"), "/spec", base={"port": 9}) == {}


def test_text_that_is_no_number_is_kept_for_the_checker_to_complain():
    kind = of("port: {type: integer}")
    inputs = read({"/spec/port": ["eighty"]}, kind, "/spec")
    problems = check_inputs(inputs, kind, path="/spec")[1]
    field = one(kind, inputs, problems=problems)
    assert (inputs, field.value, [problem.path for problem in field.problems]) == (
        {"port": "eighty"},
        "eighty",
        ["/spec/port"],
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("8", 8), (" 8 ", 8), ("-1.5", -1.5), ("1e3", 1000.0), ("nan", "nan"), ("1_000", "1_000"), ("\u0663", "\u0663")],
)
def test_numbers_are_read_as_written(text: str, value: Any):
    assert read({"/spec/n": [text]}, of("n: {type: number}"), "/spec") == {"n": value}


def test_a_boolean_with_a_default_is_a_switch_that_can_be_turned_off():
    kind = of("logs: {type: boolean, default: true}")
    assert one(kind).kind == "switch"
    assert read({"/spec/logs": ["false"]}, kind, "/spec") == {"logs": False}
    assert read({"/spec/logs": ["false", "true"]}, kind, "/spec") == {}


@pytest.mark.parametrize(("count", "kind"), [(2, "radio"), (4, "radio"), (5, "select"), (10, "select"), (11, "search")])
def test_the_number_of_choices_decides_how_they_are_drawn(count: int, kind: str):
    choices = ", ".join(f"c{number}" for number in range(count))
    assert one(of(f"size: {{type: string, enum: [{choices}]}}", required="size")).kind == kind


def test_a_value_that_is_no_choice_is_shown_and_not_lost():
    kind = of("size: {type: string, enum: [small, large]}")
    assert [(choice.value, choice.selected) for choice in one(kind, {"size": "huge"}).choices] == [
        ("", False), ("small", False), ("large", False), ("huge", True),
    ]  # fmt: skip
    assert read(posted({"size": "huge"}, kind), kind, "/spec") == {"size": "huge"}


def test_a_default_of_another_type_is_offered_as_it_is():
    field = one(of("public: {type: boolean, default: public}"))
    assert [choice.value for choice in field.choices] == ["true", "false", "public"]
    assert [choice.value for choice in field.choices if choice.selected] == ["public"]


def test_a_constant_is_locked_and_cannot_be_posted():
    kind = of("engine: {type: string, const: postgres}")
    assert (one(kind).kind, one(kind).value) == ("locked", "postgres")
    assert read({"/spec/engine": ["mysql"]}, kind, "/spec") == {"engine": "postgres"}


def test_a_read_only_value_keeps_what_runs_and_cannot_be_posted():
    kind = of("region: {type: string, readOnly: true}")
    assert read({"/spec/region": ["x"]}, kind, "/spec") == {}
    assert read({"/spec/region": ["x"]}, kind, "/spec", base={"region": "us-east-1"}) == {"region": "us-east-1"}


def test_a_secret_is_never_echoed_and_an_empty_one_keeps_the_old():
    kind = of("token: {type: string, writeOnly: true, default: abc}")
    field = one(kind, {"token": "s3cret"})
    assert (field.kind, field.value, field.default) == ("password", "", None)
    assert read({"/spec/token": [""]}, kind, "/spec", base={"token": "s3cret"}) == {"token": "s3cret"}


def test_secrets_are_taken_out_at_every_depth():
    kind = of("a: {type: object, properties: {token: {type: string, writeOnly: true}, b: {type: string}}}")
    inputs = {"a": {"token": "s", "b": "t"}, "extra": 1}
    assert without_secrets(kind.properties, inputs) == {"a": {"b": "t"}, "extra": 1}


def test_keys_that_the_schema_does_not_know_survive_the_form():
    kind = of("name: {type: string}")
    assert read({"/spec/name": ["x"]}, kind, "/spec", base={"waves": 3}) == {"name": "x", "waves": 3}


def test_empty_rows_are_left_out_but_kept_while_the_form_is_drawn_again():
    kind = of("subnets: {type: array, items: {type: string}}")
    sent = {"/spec/subnets#list": ["1"], "/spec/subnets/0": ["a"], "/spec/subnets/1": [""], "/spec/subnets/10": ["b"]}
    assert read(sent, kind, "/spec") == {"subnets": ["a", "b"]}
    assert read(sent, kind, "/spec", keep_blank=True) == {"subnets": ["a", "", "b"]}


def test_taking_out_every_row_of_a_default_list_means_an_empty_list():
    kind = of("ports: {type: array, items: {type: integer}, default: [80]}")
    assert read({"/spec/ports#list": ["1"]}, kind, "/spec") == {"ports": []}


def change(kind: InputType, document: dict[str, Any], what: str, path: str) -> dict[str, Any]:
    return edit(document, what, path, lambda each: property_at(kind.properties, each, prefix="/spec"))


def test_a_first_row_is_added_to_the_default_and_taken_out_of_it():
    kind = of("ports: {type: array, items: {type: integer}, default: [80, 443]}")
    assert change(kind, {"spec": {}}, "add", "/spec/ports") == {"spec": {"ports": [80, 443, ""]}}
    assert change(kind, {"spec": {}}, "remove", "/spec/ports/0") == {"spec": {"ports": [443]}}


def test_rows_deep_inside_are_added_and_removed():
    kind = of("rules: {type: array, items: {type: object, properties: {to: {type: array, items: {type: string}}}}}")
    added = change(kind, {"spec": {"rules": [{}]}}, "add", "/spec/rules")
    assert added == {"spec": {"rules": [{}, {}]}}
    deeper = change(kind, added, "add", "/spec/rules/1/to")
    assert deeper == {"spec": {"rules": [{}, {"to": [""]}]}}
    assert change(kind, deeper, "remove", "/spec/rules/0") == {"spec": {"rules": [{"to": [""]}]}}


@pytest.mark.parametrize("path", ["/spec/nothing/3", "/spec/ports/9", "", "/", "/spec/ports/x"])
def test_removing_what_is_not_there_changes_nothing(path: str):
    kind = of("ports: {type: array, items: {type: integer}}")
    assert change(kind, {"spec": {"ports": [80]}}, "remove", path)["spec"]["ports"] == [80]


def test_restoring_a_default_takes_the_value_out():
    kind = of("port: {type: integer, default: 8080}")
    assert change(kind, {"spec": {"port": 1}}, "restore", "/spec/port") == {"spec": {}}


def test_a_list_that_needs_entries_shows_their_rows():
    kind = of("subnets: {type: array, items: {type: string}, minItems: 2, maxItems: 2}")
    assert [child.pointer for child in one(kind).children] == ["/spec/subnets/0", "/spec/subnets/1"]
    assert one(kind).can_add is False


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("n: {type: number, minimum: 1, maximum: 10}", "1 to 10."),
        ("n: {type: number, minimum: 1}", "1 or more."),
        ("n: {type: integer}", "A whole number."),
        ("n: {type: string, minLength: 12, maxLength: 12}", "Exactly 12 characters."),
        ("n: {type: string, maxLength: 12}", "12 characters or less."),
        ("n: {type: string, pattern: '^[a-z]+$'}", "Must match ^[a-z]+$."),
        ("n: {type: string, format: cidr}", "A network in CIDR form."),
        ("n: {type: array, items: {type: string}, minItems: 1, uniqueItems: true}", "1 entry or more, no entry twice."),
        ("n: {type: string}", ""),
    ],
)
def test_limits_are_said_in_plain_words(line: str, said: str):
    assert constraint(of(line).properties[0]) == said


def test_a_value_of_several_lines_gets_an_area_so_that_no_line_is_lost():
    assert one(of("notes: {type: string}"), {"notes": "a\nb"}).kind == "multiline"


def test_a_value_of_the_wrong_shape_is_shown_as_text():
    field = one(of("network: {type: object, properties: {cidr: {type: string}}}"), {"network": "10.0.0.0/16"})
    assert (field.kind, field.value) == ("multiline", "10.0.0.0/16")


def test_the_summary_links_each_problem_to_its_field_or_the_nearest_around_it():
    rows = "{type: array, items: {type: object, properties: {from: {type: integer}}}}"
    kind = of("name: {type: string}", f"rules: {rows}")
    drawn = fields(kind.properties, {"rules": [{}]}, prefix="/spec")
    problems = [
        Problem("/spec/rules/0/from/deeper", "wrong"),
        Problem("/spec/name", "missing"),
        Problem("", "all of it"),
        Problem("/spec/name", "only a remark", severity="warning"),
    ]
    assert [(line.label, line.message, line.id) for line in summary(drawn, problems)] == [
        ("", "all of it", ""),
        ("name", "missing", "f--spec--name"),
        ("from", "wrong", "f--spec--rules--0--from"),
    ]


def test_in_update_mode_only_what_differs_is_changed_and_new_questions_come_first():
    kind = of("port: {type: integer, default: 9090}", "name: {type: string}", "owner: {type: string}", required="owner")
    drawn = fields(kind.properties, {"port": 8080, "name": "b"}, prefix="/spec", current={"port": 8080, "name": "a"})
    assert [(field.label, field.is_new, field.changed, field.current) for field in drawn] == [
        ("owner", True, False, None),
        ("port", False, False, "8080"),
        ("name", False, True, "a"),
    ]


def test_a_schema_without_inputs_has_no_fields_and_no_inputs():
    kind = input_type(EVERY_KIND.split("      required:")[0] + "      properties: {}\n")
    assert (fields(kind.properties, {}, prefix="/spec"), read({}, kind, "/spec")) == ([], {})


def test_a_schema_of_150_inputs_has_150_fields_that_round_trip():
    kind = of(*(f"input_{number}: {{type: string}}" for number in range(150)))
    values = {f"input_{number}": str(number) for number in range(150)}
    assert len(fields(kind.properties, values, prefix="/spec")) == 150
    assert read(posted(values, kind), kind, "/spec") == values
