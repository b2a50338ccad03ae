"""Checks values against an input type with jsonschema, and says what is wrong in words of its own."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from provisioning.formats import FORMATS
from provisioning.patterns import BUDGET, Budget, PatternTooSlow, compile_pattern
from provisioning.problems import Problem, pointer

_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping (keys and values)",
}
Failures = Iterator[ValidationError]
_TOO_SLOW = "pattern took too long"


class Checker:
    """A prebuilt validator for one JSON Schema of the kind that ``provisioning.schema`` makes."""

    def __init__(self, schema: Mapping[str, Any]):
        self._validator = _VALIDATOR(schema)

    def problems(self, value: Any, path: str = "") -> list[tuple[Problem, ValidationError]]:
        """Every error of a value, with the failure it came from. Pointers start with ``path``."""
        token = BUDGET.set(Budget())
        try:
            return [
                (Problem(path + pointer(*failure.relative_path), sentence(failure)), failure)
                for failure in self._validator.iter_errors(value)
            ]
        finally:
            BUDGET.reset(token)


def sentence(failure: ValidationError) -> str:
    """What a person must do, from a failure of jsonschema."""
    if failure.message == _TOO_SLOW:
        return f"This could not be compared with the pattern {failure.validator_value} in time. Try a shorter value."
    say = _SENTENCES.get(str(failure.validator))
    return say(failure.validator_value, failure.instance) if say else failure.message


def shown(value: Any) -> str:
    """A value as it would be written in a spec, cut where it is long."""
    if isinstance(value, str):
        text = value
    else:
        text = str(value) if type(value) in (int, float) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _type_sentence(kind: str, value: Any) -> str:
    if value is None or value == "":
        return f"This must be {_KINDS[kind]}; it is empty."
    quoted = " Put it in quotes." if kind == "string" and not isinstance(value, list | dict) else ""
    return f"This must be {_KINDS[kind]}, not {shown(value)}.{quoted}"


def _choice_sentence(choices: list[Any], value: Any) -> str:
    listed = ", ".join(shown(choice) for choice in choices[:20])
    more = f" or one of {len(choices) - 20} more" if len(choices) > 20 else ""
    given = "it is empty" if value is None or value == "" else f"{shown(value)} is none of them"
    return f"Choose one of {listed}{more}; {given}."


def _format_sentence(name: str, value: Any) -> str:
    known = FORMATS[name]
    return f"This must be {known.noun}, such as {known.example}."


_SENTENCES: dict[str, Callable[[Any, Any], str]] = {
    "type": _type_sentence,
    "enum": _choice_sentence,
    "const": lambda wanted, value: f"This must be {shown(wanted)}.",
    "required": lambda names, value: "This is required.",
    "pattern": lambda pattern, value: f"This does not match the pattern {pattern}.",
    "format": _format_sentence,
    "minLength": lambda limit, value: f"This must have at least {_count(limit, 'character')}; it has {len(value)}.",
    "maxLength": lambda limit, value: f"This must have at most {_count(limit, 'character')}; it has {len(value)}.",
    "minimum": lambda limit, value: f"This must be at least {limit}; it is {shown(value)}.",
    "maximum": lambda limit, value: f"This must be at most {limit}; it is {shown(value)}.",
    "exclusiveMinimum": lambda limit, value: f"This must be more than {limit}; it is {shown(value)}.",
    "exclusiveMaximum": lambda limit, value: f"This must be less than {limit}; it is {shown(value)}.",
    "multipleOf": lambda step, value: f"This must be a multiple of {step}; it is {shown(value)}.",
    "minItems": lambda limit, value: f"This must have at least {_count(limit, 'entry').replace('entrys', 'entries')}.",
    "maxItems": lambda limit, value: f"This must have at most {_count(limit, 'entry').replace('entrys', 'entries')}.",
    "uniqueItems": lambda wanted, value: "No entry may be there twice.",
    "minProperties": lambda limit, value: f"This must have at least {_count(limit, 'key')}.",
    "maxProperties": lambda limit, value: f"This must have at most {_count(limit, 'key')}.",
    "additionalProperties": lambda allowed, value: "There is no input of this name.",
}


def _type(validator: Any, kind: str, instance: Any, schema: Mapping[str, Any]) -> Failures:
    if not validator.is_type(instance, kind) and not (instance is None and schema.get("nullable")):
        yield ValidationError(kind)


def _enum(validator: Any, choices: list[Any], instance: Any, schema: Mapping[str, Any]) -> Failures:
    if instance is None and schema.get("nullable"):
        return
    known = instance in choices if isinstance(instance, str) else any(same(choice, instance) for choice in choices)
    if not known:
        yield ValidationError("enum")


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, 1.0 is 1."""
    if isinstance(one, list | dict):
        return isinstance(other, list | dict) and canonical(one) == canonical(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def canonical(value: Any) -> str:
    """One text for all values that are equal as JSON."""
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


def _required(validator: Any, names: list[str], instance: Any, schema: Mapping[str, Any]) -> Failures:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield ValidationError("required", path=[name])


def _additional(validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Failures:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    for name, value in instance.items():
        if name in known:
            continue
        if allowed is False:
            yield ValidationError("additionalProperties", path=[name])
        elif isinstance(allowed, dict):
            yield from validator.descend(value, allowed, path=name)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Mapping[str, Any]) -> Failures:
    if not isinstance(instance, str):
        return
    try:
        if not compile_pattern(pattern).search(instance):
            yield ValidationError("pattern")
    except PatternTooSlow:
        yield ValidationError(_TOO_SLOW)


def _format(validator: Any, name: str, instance: Any, schema: Mapping[str, Any]) -> Failures:
    known = FORMATS.get(name)
    if known and isinstance(instance, str) and not known.fits(instance):
        yield ValidationError("format")


def _multiple_of(validator: Any, step: float, instance: Any, schema: Mapping[str, Any]) -> Failures:
    if not validator.is_type(instance, "number"):
        return
    if isinstance(instance, float) and not math.isfinite(instance) or _exact(instance) % _exact(step):
        yield ValidationError("multipleOf")


def _exact(number: float) -> Fraction:
    """The number that was written: 0.1 is a tenth. No whole number is too long."""
    return Fraction(number) if isinstance(number, int) else Fraction(str(number))


def _unique(validator: Any, wanted: bool, instance: Any, schema: Mapping[str, Any]) -> Failures:
    if wanted and isinstance(instance, list) and len({canonical(item) for item in instance}) < len(instance):
        yield ValidationError("uniqueItems")


_VALIDATOR: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "type": _type,
        "enum": _enum,
        "required": _required,
        "additionalProperties": _additional,
        "pattern": _pattern,
        "format": _format,
        "multipleOf": _multiple_of,
        "uniqueItems": _unique,
    },
)
