"""What developers typed: the strings of a context that its template's author did not write and could not foresee."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.problems import pointer

# CloudFormation executes these inside a string: a substitution, and a dynamic reference that can read a secret.
EXECUTED = re.compile(r"\$\{|\{\{\s*resolve:")
MAY_BECOME_EXECUTED = re.compile(r"[${]|resolve:")
# As a key it makes a function call of the mapping that holds it.
FUNCTION = re.compile(r"\s*(?:Fn::|Ref\s*$)")
# Control characters except tab and newline, YAML's other line breaks, and the characters that reorder text.
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_TYPED = frozenset({"inputs", "name", "branch_name", "repository_id"})


def developer_strings(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """JSON Pointer and text of every string below ``inputs`` and of every name, keys of maps included, and of a
    component's outputs, which developers write as well."""
    for root, value in context.items():
        yield from _typed(value, (root,))


def _typed(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _typed(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key in _TYPED or (key == "outputs" and "components" in path):
                yield from _strings(item, (*path, key))
            elif key != "outputs":
                yield from _typed(item, (*path, key))


def _strings(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer(*path), value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield pointer(*path, key), key
            yield from _strings(item, (*path, key))


def authored_strings(input_type: Mapping[str, Any]) -> frozenset[str]:
    """The texts that a schema's author wrote as values: defaults, constants and the choices of an enum, at any depth.
    A developer who leaves or picks one of them has typed nothing of their own."""
    found: set[str] = set()
    for keyword, value in input_type.items():
        if keyword in ("default", "const", "enum"):
            found.update(text for _, text in _strings(value, ()))
        if isinstance(value, Mapping):
            found |= authored_strings(value)
        elif isinstance(value, list):
            found |= {text for item in value if isinstance(item, Mapping) for text in authored_strings(item)}
    return frozenset(found)
