import copy
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.problems import Problem
from provisioning.schema import InputType, parse_schema
from provisioning.spec import check_inputs
from tests.factories.bundles import schema_text


def inputs_of(properties: str, required: Iterable[str] = ()) -> InputType:
    schema, problems = parse_schema(schema_text(properties, required=required), "environment")
    assert schema is not None, problems
    assert schema.environment is not None
    return schema.environment


def effective(properties: str, given: dict[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    values, problems = check_inputs(given, inputs_of(properties, required))
    assert problems == ()
    return dict(values)


def complaint(properties: str, value: Any) -> str:
    """What is said about a value of the one property ``it``."""
    _, (problem,) = check_inputs({"it": value}, inputs_of(properties))
    assert (problem.path, problem.severity) == ("/it", "error")
    return problem.message


def mended(properties: str, value: Any) -> tuple[Any, str]:
    """The effective value of the one property ``it``, and the warning about it."""
    values, (problem,) = check_inputs({"it": value}, inputs_of(properties))
    assert (problem.path, problem.severity) == ("/it", "warning")
    return values["it"], problem.message


def test_defaults_are_merged_in_the_order_of_the_schema() -> None:
    text = "a: {type: string, default: x}\nb: {type: number}\nc: {type: number, default: 3}"
    assert list(effective(text, {"c": 9, "b": 2}).items()) == [("a", "x"), ("b", 2), ("c", 9)]


def test_an_optional_input_without_default_is_absent() -> None:
    assert effective("a: {type: string}", {}) == {}


def test_a_required_input_with_a_default_need_not_be_supplied() -> None:
    assert effective("a: {type: string, default: x}", {}, ["a"]) == {"a": "x"}


def test_defaults_are_merged_into_objects_and_entries_that_are_given() -> None:
    text = """
        one: {type: object, properties: {a: {type: string, default: x}, b: {type: string}}}
        many: {type: array, items: {type: object, properties: {a: {type: number, default: 1}}}}
        none: {type: object, properties: {a: {type: string, default: x}}}
    """
    given = {"one": {"b": "y"}, "many": [{}, {"a": 2}]}
    assert effective(text, given) == {"one": {"a": "x", "b": "y"}, "many": [{"a": 1}, {"a": 2}]}


def test_a_missing_required_input_has_its_own_pointer() -> None:
    _, problems = check_inputs({}, inputs_of("a: {type: string}", ["a"]), path="/spec")
    assert problems == (Problem("/spec/a", "This is required."),)


def test_a_missing_input_of_a_nested_object_has_its_own_pointer() -> None:
    text = "many: {type: array, items: {type: object, required: [a/b], properties: {a/b: {type: string}}}}"
    _, problems = check_inputs({"many": [{"a/b": "x"}, {}]}, inputs_of(text))
    assert [problem.path for problem in problems] == ["/many/1/a~1b"]


def test_every_error_is_reported_at_once() -> None:
    text = "a: {type: number}\nb: {type: string, minLength: 3, pattern: '^x'}\nc: {type: boolean}"
    _, problems = check_inputs({"a": "x", "b": "y", "c": 5}, inputs_of(text, ["a"]), path="/p")
    assert [problem.path for problem in problems] == ["/p/a", "/p/b", "/p/b", "/p/c"]


def test_extra_keys_are_warnings_and_left_out() -> None:
    text = "a: {type: string}\ntotalwaves: {type: number}"
    values, problems = check_inputs({"a": "x", "totalWaves": 3, "other": 4}, inputs_of(text), path="/spec")
    message = "The template has no input of this name; the value is ignored."
    assert values == {"a": "x"}
    assert problems == (
        Problem("/spec/totalWaves", f"{message} Did you mean totalwaves?", None, "warning"),
        Problem("/spec/other", message, None, "warning"),
    )
    assert check_inputs({"a": 1}, None) == (
        {},
        (Problem("/a", "The template has no input of this name.", None, "warning"),),
    )


def test_extra_keys_are_kept_or_refused_where_the_schema_says_so() -> None:
    assert effective("it: {type: object}", {"it": {"any": 1}}) == {"it": {"any": 1}}
    text = "it: {type: object, properties: {a: {type: string}}, additionalProperties: %s}"
    assert effective(text % "true", {"it": {"b": 1}}) == {"it": {"b": 1}}
    assert effective(text % "{type: number}", {"it": {"b": 1}}) == {"it": {"b": 1}}
    for allowed, message in (("false", "There is no input of this name."), ("{type: number}", "This must be a number")):
        _, (problem,) = check_inputs({"it": {"b": "x"}}, inputs_of(text % allowed))
        assert (problem.path, problem.severity) == ("/it/b", "error")
        assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "value", "better", "message"),
    [
        ("it: {type: number}", "80", 80, "'80' is taken for a number: 80."),
        ("it: {type: number}", "-1.50", -1.5, "'-1.50' is taken for a number: -1.5."),
        ("it: {type: integer}", "80", 80, "'80' is taken for a number: 80."),
        ("it: {type: integer}", "80.0", 80, "'80.0' is taken for a number: 80."),
        ("it: {type: number, enum: [256, 512]}", "512", 512, "'512' is taken for a number: 512."),
        ("it: {type: boolean}", "true", True, "'true' is taken for true or false: true."),
        ("it: {type: string}", 8080, "8080", "8080 is taken for text: 8080."),
        ("it: {type: string, enum: ['true', 'false']}", True, "true", "True is taken for text: true."),
    ],
)
def test_what_loses_nothing_is_taken_with_a_warning(text: str, value: Any, better: Any, message: str) -> None:
    assert mended(text, value) == (better, message)
    assert type(mended(text, value)[0]) is type(better)


def test_entries_and_nested_values_are_mended_too() -> None:
    text = """
        ports: {type: array, items: {type: number}}
        one: {type: object, properties: {a: {type: boolean}}}
    """
    values, problems = check_inputs({"ports": [1, "2"], "one": {"a": "false"}}, inputs_of(text))
    assert values == {"ports": [1, 2], "one": {"a": False}}
    assert [problem.path for problem in problems] == ["/ports/1", "/one/a"]


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("it: {type: number}", "080", "This must be a number, not 080."),
        ("it: {type: number}", "1e3", "This must be a number, not 1e3."),
        ("it: {type: number}", " 80", "This must be a number, not  80."),
        ("it: {type: number}", "9" * 20, f"This must be a number, not {'9' * 20}."),
        ("it: {type: number}", True, "This must be a number, not true."),
        ("it: {type: number}", "", "This must be a number; it is empty."),
        ("it: {type: integer}", 1.5, "This must be a whole number, not 1.5."),
        ("it: {type: integer}", "1.5", "This must be a whole number, not 1.5."),
        ("it: {type: boolean}", "yes", "This must be true or false, not yes."),
        ("it: {type: boolean}", 1, "This must be true or false, not 1."),
        ("it: {type: string}", 1.10, "This must be text, not 1.1. Put it in quotes."),
        ("it: {type: string}", False, "This must be text, not false. Put it in quotes."),
        ("it: {type: string}", ["a"], 'This must be text, not ["a"].'),
        ("it: {type: array}", "a", "This must be a list, not a."),
        ("it: {type: object}", [], "This must be a mapping (keys and values), not []."),
        ("it: {type: string, enum: [s, m]}", "l", "Choose one of s, m; l is none of them."),
        ("it: {type: string, enum: [s, m]}", "", "Choose one of s, m; it is empty."),
        ("it: {type: boolean, enum: [true]}", False, "Choose one of true; false is none of them."),
        ("it: {type: string, const: a}", "b", "This must be a."),
        ("it: {type: string, pattern: '^a$'}", "b", "This does not match the pattern ^a$."),
        ("it: {type: string, minLength: 1}", "", "This must have at least 1 character; it has 0."),
        ("it: {type: string, maxLength: 2}", "äöü", "This must have at most 2 characters; it has 3."),
        ("it: {type: number, minimum: 1}", 0, "This must be at least 1; it is 0."),
        ("it: {type: number, maximum: 65535}", 70000, "This must be at most 65535; it is 70000."),
        ("it: {type: number, exclusiveMinimum: 0}", 0, "This must be more than 0; it is 0."),
        ("it: {type: number, maximum: 1, exclusiveMaximum: true}", 1, "This must be less than 1; it is 1."),
        ("it: {type: integer, multipleOf: 5}", 7, "This must be a multiple of 5; it is 7."),
        ("it: {type: number, multipleOf: 5}", float("inf"), "This must be a multiple of 5; it is inf."),
        ("it: {type: number, multipleOf: 5}", 10**400 + 1, f"This must be a multiple of 5; it is 1{56 * '0'}...."),
        ("it: {type: array, minItems: 1}", [], "This must have at least 1 entry."),
        ("it: {type: array, maxItems: 2}", [1, 2, 3], "This must have at most 2 entries."),
        ("it: {type: array, uniqueItems: true}", [{"a": 1}, {"a": 1.0}], "No entry may be there twice."),
        ("it: {type: object, minProperties: 1}", {}, "This must have at least 1 key."),
        ("it: {type: object, maxProperties: 1}", {"a": 1, "b": 2}, "This must have at most 1 key."),
        ("it: {type: string, format: email}", "a", "This must be an e-mail address, such as team@example.com."),
        ("it: {type: string, format: cidr}", "10.0.0.0", "This must be a network in CIDR form, such as 10.0.0.0/16."),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(text: str, value: Any, message: str) -> None:
    assert complaint(text, value) == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("it: {type: number}", 1.5),
        ("it: {type: integer}", 10**18),
        ("it: {type: number, multipleOf: 0.1}", 0.3),
        ("it: {type: number, multipleOf: 0.5}", 10**400),
        ("it: {type: number, enum: [1]}", 1.0),
        ("it: {type: string, pattern: b}", "abc"),
        ("it: {type: string, pattern: '^$|^\\d{12}$'}", ""),
        ("it: {type: array, uniqueItems: true}", [1, True, "1"]),
        ("it: {type: string, format: password}", "anything"),
        ("it: {type: string, format: unknown}", "anything"),
        ("it: {type: string, nullable: true, enum: [a]}", None),
        ("it: {type: string, maxLength: 2}", "ab"),
    ],
)
def test_what_is_right_is_kept_as_it_is(text: str, value: Any) -> None:
    assert effective(text, {"it": value}) == {"it": value}


def test_a_whole_float_becomes_an_integer_without_a_word() -> None:
    assert repr(effective("it: {type: integer}", {"it": 80.0})) == "{'it': 80}"


def test_a_pattern_with_look_around_is_checked_too() -> None:
    text = "it: {type: string, pattern: '^(?!aws)'}"
    assert effective(text, {"it": "mine"}) == {"it": "mine"}
    assert complaint(text, "aws-mine") == "This does not match the pattern ^(?!aws)."


def test_a_pattern_that_takes_too_long_refuses_the_value() -> None:
    assert complaint("it: {type: string, pattern: '(?=a)(a+)+b'}", "a" * 40) == (
        "This could not be compared with the pattern (?=a)(a+)+b in time. Try a shorter value."
    )


def test_a_check_starts_only_so_many_searches_with_a_time_limit() -> None:
    text = "it: {type: array, items: {type: string, pattern: '^(?!aws)'}}"
    _, problems = check_inputs({"it": [f"mine{number}" for number in range(60)]}, inputs_of(text))
    assert [problem.path for problem in problems] == [f"/it/{number}" for number in range(50, 60)]


def test_an_empty_value_counts_as_not_given() -> None:
    text = "a: {type: string, default: x}\nb: {type: number}"
    values, problems = check_inputs({"a": None, "b": None}, inputs_of(text))
    assert values == {"a": "x"}
    assert [(problem.path, problem.severity) for problem in problems] == [("/a", "warning"), ("/b", "warning")]
    _, problems = check_inputs({"a": None}, inputs_of("a: {type: string}", ["a"]))
    assert problems == (Problem("/a", "This is required."),)


def test_an_empty_entry_of_a_list_is_an_error() -> None:
    _, problems = check_inputs({"a": ["x", None]}, inputs_of("a: {type: array, items: {type: string}}"))
    assert problems == (Problem("/a/1", "This must be text; it is empty."),)


@pytest.mark.parametrize("text", ["it: {type: boolean, default: public}", "it: {type: string, enum: [a], default: b}"])
def test_a_value_that_equals_the_default_is_never_refused(text: str) -> None:
    default = inputs_of(text).properties[0].default
    assert effective(text, {}) == effective(text, {"it": default}) == {"it": default}
    assert complaint(text, "other")


def test_a_wrong_typed_default_is_merged_as_it_is() -> None:
    assert effective("it: {type: string, default: 8080}", {}) == {"it": 8080}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
EVERYTHING = inputs_of(
    """
    a: {type: string, pattern: '^a*$', maxLength: 3, format: email}
    b: {type: number, minimum: 0, multipleOf: 0.5}
    c: {type: array, uniqueItems: true, items: {type: object, required: [a], properties: {a: {type: integer}}}}
    d: {type: object, additionalProperties: {type: boolean}, properties: {a: {type: string, enum: [x], default: x}}}
    e: {type: boolean, nullable: true}
    """,
    ["a"],
)


@given(st.dictionaries(st.sampled_from("abcdef"), VALUES))
def test_any_value_is_checked_without_being_changed(values: dict[str, Any]) -> None:
    before = copy.deepcopy(values)
    result, problems = check_inputs(values, EVERYTHING)
    assert values == before
    if not any(problem.severity == "error" for problem in problems):
        assert check_inputs(result, EVERYTHING) == (result, ())
