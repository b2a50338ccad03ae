import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import yaml_reader
from provisioning.yaml_reader import decode, read_yaml


def value(text: str) -> Any:
    document, problems = read_yaml(text)
    assert problems == ()
    assert document is not None
    return document.value


def refusal(text: str) -> tuple[int | None, str]:
    document, (problem,) = read_yaml(text, file="schema/schema.yaml")
    assert document is None
    assert (problem.file, problem.severity, problem.path) == ("schema/schema.yaml", "error", "")
    return problem.line, problem.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("010", 8),
        ("0x1F", 31),
        ("1_000", 1000),
        ("12:30", 750),
        ("1.50", 1.5),
        ("1.0.0", "1.0.0"),
        ("10.0.0.0/16", "10.0.0.0/16"),
        ("'80'", "80"),
        ("!!str 80", "80"),
        ("! 80", "80"),
        ("!!int '80'", 80),
        ("2020-10-07", "2020-10-07"),
        ("2020-10-07 12:00:00Z", "2020-10-07 12:00:00Z"),
        ("!!timestamp 2020-10-07", "2020-10-07"),
        ("=", "="),
        ("", None),
        ("# nothing\n", None),
    ],
)
def test_scalars_are_yaml_1_1_and_dates_stay_text(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_keys_are_the_text_that_was_written() -> None:
    assert value("on: 1\n3.10: 2\n~: 3\n") == {"on": 1, "3.10": 2, "~": 3}


def test_aliases_and_merges_are_followed() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]\nd: {<<: [{x: 5}, *a]}\n"
    a = {"x": 1, "y": 2}
    assert value(text) == {"a": a, "b": {"x": 1, "y": 3}, "c": [a, a], "d": {"x": 5, "y": 2}}


def test_every_part_has_its_line() -> None:
    document, _ = read_yaml("a:\n  b/c:\n    - 1\n    - {d: x}\n")
    assert document is not None
    assert document.lines == {"": 1, "/a": 1, "/a/b~1c": 2, "/a/b~1c/0": 3, "/a/b~1c/1": 4, "/a/b~1c/1/d": 4}
    assert document.line("/a/b~1c/7/nothing") == 2


def test_what_was_written_for_a_value_that_is_not_text_is_kept() -> None:
    document, _ = read_yaml("a: [yes, 1.10, x]\nb: 0x10\n")
    assert document is not None
    assert document.written == {"/a/0": "yes", "/a/1": "1.10", "/b": "0x10"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "The key 'a' is there twice (first on line 1)."),
        ("a: 1\n---\nb: 2\n", 2, "There is more than one YAML document; keep one."),
        ("a: !Ref B\n", 1, "The tag !Ref cannot be used here."),
        ("a: !!python/object/apply:os.system [x]\n", 1, "The tag !!python/object/apply:os.system cannot be used here."),
        ("a: !!binary aGk=\n", 1, "The tag !!binary cannot be used here."),
        ("a: !!set {x, y}\n", 1, "The tag !!set cannot be used here."),
        ("a:\n  ? [b]\n  : c\n", 2, "A key must be plain text."),
        ("a: &a b\n*a : c\n", 2, "A key must be plain text."),
        ("a: *b\n", 1, "*b stands for nothing that was written before it."),
        ("a: &a [*a]\n", 1, "*a stands for nothing that was written before it."),
        ("a: &a {<<: *a}\n", 1, "*a stands for nothing that was written before it."),
        ("a: {<<: [1]}\n", 1, "<< merges mappings only."),
        ("a: .nan\n", 1, ".nan is not a number that can be used."),
        ("a: -.inf\n", 1, "-.inf is not a number that can be used."),
        ("a: !!int x\n", 1, "'x' does not fit its tag !!int."),
        ("a: b\n c: d\n", 2, "This is not valid YAML: mapping values are not allowed in this context."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    assert refusal(text) == (line, message)


def test_a_tab_is_refused_with_its_line() -> None:
    assert refusal("a:\n\tb: 1\n")[0] == 2


@pytest.mark.parametrize("open_and_close", ["[]", "{}"])
def test_json_may_be_indented_with_tabs(open_and_close: str) -> None:
    assert value('{\n\t"a": ' + open_and_close + "\n}") == {"a": json.loads(open_and_close)}


BOMBS = {
    "billion laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)),
    "quadratic": "a: &a [" + "x," * 900 + "]\nb: [" + "*a," * 900 + "]",
    "merges": "a: &a {"
    + ",".join(f"k{i}: 1" for i in range(900))
    + "}\n"
    + "".join(f"b{i}: {{<<: *a}}\n" for i in range(900)),
    "aliases": "a: &a 1\nb: [" + "*a," * 1_001 + "]",
    "depth": "[" * 100_000,
    "depth of mappings": '{"a":' * 100_000,
    "nodes": "[" + "1," * 60_000 + "]",
    "a huge number": "a: 0x" + "f" * 1_000_000,
    "a huge key": "k" * 1_000_000 + ": 1",
    "long paths": "".join(" " * i + "k" * 1_000 + ":\n" for i in range(50)) + " " * 50 + "[" + "1," * 2_000 + "]",
    "length": "x" * (yaml_reader.MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_that_would_explode_is_refused(name: str) -> None:
    document, problems = read_yaml(BOMBS[name])
    assert document is None
    assert len(problems) == 1


def test_text_is_utf_8_with_or_without_a_byte_order_mark() -> None:
    assert decode("é".encode()) == decode("é".encode("utf-8-sig")) == ("é", ())
    text, (problem,) = decode(b"a: 1\nb: \xff\n", file="x.yaml")
    assert text is None
    assert (problem.line, problem.message) == (2, "This is not text in UTF-8.")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(max_codepoint=0xD7FF), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_", max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_is_read_as_json(document: Any) -> None:
    assert value(json.dumps(document)) == document


@given(st.text(max_size=60))
def test_any_text_gives_a_document_or_problems(text: str) -> None:
    document, problems = read_yaml(text)
    assert (document is None) == bool(problems)
