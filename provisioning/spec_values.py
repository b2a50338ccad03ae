"""Inputs against an input type: every error at once, defaults merged, lossless mistakes mended."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema.exceptions import ValidationError

from provisioning.checker import same, shown
from provisioning.problems import Problem, pointer
from provisioning.schema_keywords import as_number
from provisioning.schema_model import MISSING, InputType, Property


def check_inputs(
    inputs: Mapping[str, Any], input_type: InputType | None, *, path: str = ""
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The effective inputs (values, else defaults; absent where there is neither) and every problem.

    Keys without a property are warned about and left out; text that is a number, or true or false, becomes one with a
    warning. A value that equals its property's default is never refused: AWS Proton took defaults of any kind.
    Pointers start with ``path``; a missing property's pointer is its own.
    """
    problems: list[Problem] = []
    if input_type is None:
        for name in inputs:
            problems.append(Problem(path + pointer(name), "The template has no input of this name.", None, "warning"))
        return {}, tuple(problems)
    given = _convert_object(inputs, input_type.properties, input_type.raw, path, problems)
    for problem, failure in input_type.checker.problems(given, path):
        if not _is_default(failure, input_type):
            problems.append(problem)
    return _with_defaults(given, input_type.properties), tuple(problems)


def _convert_object(
    value: Mapping[str, Any], properties: Sequence[Property], raw: Mapping[str, Any], path: str, problems: list[Problem]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    known = 0
    for prop in properties:
        name = prop.name
        if name not in value:
            continue
        known += 1
        one = value[name]
        if type(one) is not _EXACT[prop.kind]:
            one = _convert(prop, one, path + pointer(name), problems)
            if one is MISSING:
                continue
        result[name] = one
    if known < len(value):
        _extras(value, properties, raw, path, problems, result)
    return result


def _extras(
    value: Mapping[str, Any],
    properties: Sequence[Property],
    raw: Mapping[str, Any],
    path: str,
    problems: list[Problem],
    result: dict[str, Any],
) -> None:
    names = {prop.name for prop in properties}
    allowed = raw.get("additionalProperties")
    for name, one in value.items():
        if name in names:
            continue
        if allowed is None:
            close = difflib.get_close_matches(name.lower(), names, 1, 0.8)
            hint = f" Did you mean {close[0]}?" if close else ""
            message = f"The template has no input of this name; the value is ignored.{hint}"
            problems.append(Problem(path + pointer(name), message, None, "warning"))
        else:
            result[name] = one


def _convert(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    """A value in its property's type where nothing is lost, else as it is; MISSING for an empty one."""
    if value is None:
        if prop.raw.get("nullable"):
            return None
        if not prop.required:
            problems.append(Problem(path, "The value is empty and counts as not given.", None, "warning"))
        return MISSING
    return _CONVERT[prop.kind](prop, value, path, problems)


def _convert_text(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    if value == prop.default and type(value) is type(prop.default):
        return value
    if isinstance(value, bool):
        text = "true" if value else "false"
        return _mended(value, text, path, problems) if text in prop.enum else value
    return _mended(value, str(value), path, problems) if isinstance(value, int) else value


def _convert_number(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    number = as_number(value)
    whole = prop.kind == "integer"
    if isinstance(number, float) and whole and number.is_integer():
        return int(number) if number is value else _mended(value, int(number), path, problems)
    if number is None or number is value or (whole and isinstance(number, float)):
        return value
    return _mended(value, number, path, problems)


def _convert_boolean(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    if value in ("true", "false") and isinstance(value, str):
        return _mended(value, value == "true", path, problems)
    return value


def _convert_array(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    items = prop.items
    if not isinstance(value, list) or items is None:
        return value
    exact = _EXACT[items.kind]
    converted = []
    for at, one in enumerate(value):
        if type(one) is not exact and one is not None:
            one = _convert(items, one, f"{path}/{at}", problems)
        converted.append(one)
    return converted


def _convert_mapping(prop: Property, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping) or not prop.properties:
        return value
    return _convert_object(value, prop.properties, prop.raw, path, problems)


def _mended(value: Any, better: Any, path: str, problems: list[Problem]) -> Any:
    kind = "text" if isinstance(better, str) else "true or false" if isinstance(better, bool) else "a number"
    problems.append(Problem(path, f"{value!r} is taken for {kind}: {shown(better)}.", None, "warning"))
    return better


# The one Python type for which there is nothing to convert; containers are always walked.
_EXACT: Mapping[str, type | None] = {
    "string": str,
    "number": int,
    "integer": int,
    "boolean": bool,
    "array": None,
    "object": None,
}
_CONVERT: Mapping[str, Callable[[Property, Any, str, list[Problem]], Any]] = {
    "string": _convert_text,
    "number": _convert_number,
    "integer": _convert_number,
    "boolean": _convert_boolean,
    "array": _convert_array,
    "object": _convert_mapping,
}


def _is_default(failure: ValidationError, inputs: InputType) -> bool:
    """Whether a failure is about a value that its property's author gave as the default."""
    if failure.validator == "required":
        return False
    prop: Property | None = None
    for part in failure.relative_path:
        prop = (prop.items if prop else None) if isinstance(part, int) else (prop or inputs).by_name.get(part)
        if prop is None:
            return False
    return prop is not None and prop.default is not MISSING and same(prop.default, failure.instance)


def _with_defaults(given: dict[str, Any], properties: Sequence[Property]) -> dict[str, Any]:
    """The given values and the defaults of what is absent, in the schema's order; objects inside included."""
    result: dict[str, Any] = {}
    for prop in properties:
        if prop.name in given:
            result[prop.name] = _value_with_defaults(prop, given[prop.name])
        elif prop.default is not MISSING:
            result[prop.name] = prop.default
    if len(result) < len(given) or not given.keys() <= result.keys():
        result.update((name, value) for name, value in given.items() if name not in result)
    return result


def _value_with_defaults(prop: Property, value: Any) -> Any:
    if prop.properties and isinstance(value, dict):
        return _with_defaults(value, prop.properties)
    if prop.items is not None and (prop.items.properties or prop.items.items) and isinstance(value, list):
        return [_value_with_defaults(prop.items, one) for one in value]
    return value
