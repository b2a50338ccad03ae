"""Which keywords a schema may use, and what is done with each: enforced, shown, tolerated or refused.

AWS Proton took any OpenAPI 3.0 schema object and enforced little of it. Here every keyword is enforced, is known to be
a remark, or is said out loud: a keyword without meaning is a warning, a rule that cannot be enforced is an error.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioning.formats import FORMATS, SILENT_FORMATS
from provisioning.patterns import PatternRefused, compile_pattern
from provisioning.schema_model import PropertyKind

REMARKS = {"title", "description", "example", "examples", "deprecated", "readOnly", "writeOnly", "externalDocs"}
REMARKS |= {"$comment", "xml"}
STRUCTURE = {"type", "properties", "items", "required", "enum", "const", "default", "nullable", "format", "pattern"}
STRUCTURE |= {"additionalProperties", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "$ref"}
COUNTS: Mapping[str, PropertyKind] = {
    "minLength": "string",
    "maxLength": "string",
    "minItems": "array",
    "maxItems": "array",
    "minProperties": "object",
    "maxProperties": "object",
}
LIMITS = ("minimum", "maximum", "multipleOf")
REFUSED = {
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "discriminator",
    "patternProperties",
    "propertyNames",
}
REFUSED |= {"contains", "minContains", "maxContains", "prefixItems", "additionalItems", "unevaluatedItems"}
REFUSED |= {"unevaluatedProperties", "dependencies", "dependentRequired", "dependentSchemas", "$dynamicRef"}
REFUSED |= {"$recursiveRef", "contentEncoding", "contentMediaType", "contentSchema"}
KNOWN = REMARKS | STRUCTURE | set(COUNTS) | set(LIMITS)
APPLIES: Mapping[str, tuple[PropertyKind, ...]] = {
    **{keyword: (kind,) for keyword, kind in COUNTS.items()},
    **dict.fromkeys((*LIMITS, "exclusiveMinimum", "exclusiveMaximum"), ("number", "integer")),
    "pattern": ("string",),
    "format": ("string",),
    "items": ("array",),
    "uniqueItems": ("array",),
    "properties": ("object",),
    "additionalProperties": ("object",),
}
SECRET_REFERENCE = "x-deuteron-secret-reference"  # noqa: S105 (a keyword; our own start with x-deuteron-)
PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?", re.ASCII)

Say = Callable[..., None]


def as_number(value: Any) -> int | float | None:
    """The number that a text stands for when nothing is lost by reading it so, else None."""
    if isinstance(value, str) and PLAIN_NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_kind(value: Any, kind: PropertyKind) -> bool:
    """Whether a value already has the type that a kind asks for."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "array":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, dict)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == "number" or isinstance(value, int) or value.is_integer()


def unknown_keyword(keyword: str) -> str:
    close = difflib.get_close_matches(keyword, sorted(KNOWN), 1, 0.75)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{keyword} is no keyword of an OpenAPI schema and is ignored.{hint}"


def read_rules(node: Mapping[str, Any], kind: PropertyKind, say: Say) -> dict[str, Any]:
    """The enforced rules of one node, apart from its structure. ``say(keyword, message, severity)`` takes problems."""
    rules: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword in REFUSED:
            say(keyword, f"{keyword} cannot be honoured here. Describe the input with type, enum, pattern and limits.")
        elif keyword == SECRET_REFERENCE:
            if value != "secretsmanager" or kind != "string":
                say(keyword, f"{keyword} goes with type string, and its value is secretsmanager.")
            else:
                rules[keyword] = value
        elif keyword not in KNOWN:
            if keyword.startswith("x-"):
                rules[keyword] = value
            else:
                say(keyword, unknown_keyword(keyword), "warning")
        elif keyword in APPLIES and kind not in APPLIES[keyword]:
            say(keyword, f"{keyword} has no meaning for type {kind} and is ignored.", "warning")
        elif keyword in REMARKS:
            rules[keyword] = value
        elif keyword in COUNTS:
            _read_count(rules, keyword, value, say)
        elif keyword in LIMITS:
            _read_limit(rules, keyword, value, say)
        elif reader := _READERS.get(keyword):
            reader(rules, keyword, value, say)
    _read_exclusive(node, kind, rules, say)
    _check_order(rules, say)
    return rules


def _read_count(rules: dict[str, Any], keyword: str, value: Any, say: Say) -> None:
    number = as_number(value)
    if number is None or number < 0 or number != int(number):
        say(keyword, f"{keyword} must be a whole number of 0 or more.")
        return
    if number is not value:
        say(keyword, f"{keyword} is written as text; it is read as {number}.", "warning")
    rules[keyword] = int(number)


def _read_limit(rules: dict[str, Any], keyword: str, value: Any, say: Say) -> None:
    number = as_number(value)
    if number is None or (keyword == "multipleOf" and number <= 0):
        say(keyword, f"{keyword} must be a number{' above 0' if keyword == 'multipleOf' else ''}.")
        return
    if number is not value:
        say(keyword, f"{keyword} is written as text; it is read as {number}.", "warning")
    rules[keyword] = number


def _read_exclusive(node: Mapping[str, Any], kind: PropertyKind, rules: dict[str, Any], say: Say) -> None:
    if kind not in ("number", "integer"):
        return
    for keyword, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = node.get(keyword)
        if isinstance(value, bool):  # OpenAPI 3.0
            if value and inclusive in rules:
                rules[keyword] = rules.pop(inclusive)
            elif value:
                say(keyword, f"{keyword}: true needs {inclusive} beside it.")
        elif value is not None:
            _read_limit(rules, keyword, value, say)


def _check_order(rules: Mapping[str, Any], say: Say) -> None:
    pairs = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum"))
    for low, high in (*pairs, ("minProperties", "maxProperties"), ("exclusiveMinimum", "exclusiveMaximum")):
        if low in rules and high in rules and rules[low] > rules[high]:
            say(high, f"{high} is less than {low}, so that no value is allowed.")


def _read_pattern(rules: dict[str, Any], keyword: str, value: Any, say: Say) -> None:
    if not isinstance(value, str):
        say(keyword, "pattern must be text; put it in quotes.")
        return
    try:
        pattern = compile_pattern(value)
    except PatternRefused as refusal:
        say(keyword, f"The pattern {refusal}.")
        return
    if not pattern.linear:
        message = "The pattern uses look-around or the like: it is checked with a time limit, for short values only."
        say(keyword, message, "warning")
    rules[keyword] = value


def _read_format(rules: dict[str, Any], keyword: str, value: Any, say: Say) -> None:
    if not isinstance(value, str):
        say(keyword, "format must be text.")
        return
    rules[keyword] = value
    if value not in FORMATS and value not in SILENT_FORMATS:
        known = ", ".join(sorted(name for name in FORMATS if " " not in name))
        say(keyword, f"The format {value} is not known and is not checked. Known: {known}.", "warning")


def _read_flag(rules: dict[str, Any], keyword: str, value: Any, say: Say) -> None:
    if isinstance(value, bool):
        rules[keyword] = value
    else:
        say(keyword, f"{keyword} must be true or false.")


_READERS: Mapping[str, Callable[[dict[str, Any], str, Any, Say], None]] = {
    "pattern": _read_pattern,
    "format": _read_format,
    "uniqueItems": _read_flag,
    "nullable": _read_flag,
}
