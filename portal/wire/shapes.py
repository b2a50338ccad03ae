"""Checking requests against their shapes, and shaping replies.

botocore's own validator checks neither pattern, greatest length, list bounds, enum nor integer bounds, and refuses
unknown members, which AWS ignores. Checks are compiled once per shape; each request is told every problem at once.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape

Check = Callable[[Any, str, list[str]], None]
LONGEST_ECHO = 200  # characters of a value that an error repeats


class WrongType(Exception):
    """A value of another JSON type than the member has."""


def problems(shape: StructureShape, members: Mapping[str, Any]) -> list[str]:
    """Every violated constraint in AWS's words; [] for a good request. Raises WrongType."""
    found: list[str] = []
    _check(shape)(members, "", found)
    return found


def summary(found: list[str]) -> str:
    """AWS's message for a list of violated constraints."""
    plural = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {plural} detected: {'; '.join(found)}"


def known(shape: StructureShape, members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that the shape has and that are not null; unknown ones are ignored, at every depth."""
    return {
        name: _known(member, members[name]) for name, member in shape.members.items() if members.get(name) is not None
    }


def _known(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return known(shape, value)
    if isinstance(shape, ListShape):
        return [_known(shape.member, item) for item in value]
    return value


def _must(value: Any, path: str, constraint: str, *, sensitive: bool) -> str:
    echo = "" if sensitive else f" '{str(value)[:LONGEST_ECHO]}'"
    return f"Value{echo} at '{path}' failed to satisfy constraint: {constraint}"


@cache
def _check(shape: Shape, sensitive: bool = False) -> Check:
    """``sensitive``: it is part of something sensitive, as the key and value of an output are."""
    sensitive = sensitive or bool(shape.metadata.get("sensitive"))
    if isinstance(shape, StructureShape):
        return _structure(shape, sensitive)
    if isinstance(shape, ListShape):
        return _list(shape, sensitive)
    if isinstance(shape, StringShape):
        return _string(shape, sensitive)
    return {"integer": _integer, "boolean": _boolean}[shape.type_name](shape)


def _structure(shape: StructureShape, sensitive: bool) -> Check:
    members = dict(shape.members)
    required = tuple(shape.required_members)
    union = bool(shape.is_tagged_union)
    checks: dict[str, Check] = {}

    def check(value: Any, path: str, found: list[str]) -> None:
        if not isinstance(value, Mapping):
            raise WrongType(f"{path or 'The body'} must be an object")
        prefix = f"{path}." if path else ""
        for name in required:
            if value.get(name) is None:
                found.append(f"Value null at '{prefix}{name}' failed to satisfy constraint: Member must not be null")
        given = [name for name in members if value.get(name) is not None]
        for name in given:
            if name not in checks:
                checks[name] = _check(members[name], sensitive)
            checks[name](value[name], prefix + name, found)
        if union and len(given) != 1:
            found.append(
                f"Value at '{path}' failed to satisfy constraint: Exactly one of {', '.join(members)} must be set"
            )

    return check


def _list(shape: ListShape, sensitive: bool) -> Check:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    member = _check(shape.member, sensitive)

    def check(value: Any, path: str, found: list[str]) -> None:
        if not isinstance(value, list):
            raise WrongType(f"{path} must be a list")
        if len(value) < least:
            found.append(_must("", path, f"Member must have length greater than or equal to {least}", sensitive=True))
        if most is not None and len(value) > most:
            found.append(_must("", path, f"Member must have length less than or equal to {most}", sensitive=True))
            return
        for number, item in enumerate(value, start=1):
            place = f"{path}.{number}.member"
            if item is None:
                found.append(f"Value null at '{place}' failed to satisfy constraint: Member must not be null")
            else:
                member(item, place, found)

    return check


def _string(shape: StringShape, sensitive: bool) -> Check:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    pattern = re.compile(shape.metadata["pattern"], re.ASCII) if "pattern" in shape.metadata else None
    enum = frozenset(shape.enum)

    def check(value: Any, path: str, found: list[str]) -> None:
        if not isinstance(value, str):
            raise WrongType(f"{path} must be a string")
        if len(value) < least:
            constraint = f"Member must have length greater than or equal to {least}"
            found.append(_must(value, path, constraint, sensitive=sensitive))
        if most is not None and len(value) > most:
            constraint = f"Member must have length less than or equal to {most}"
            found.append(_must(value, path, constraint, sensitive=sensitive))
        elif pattern is not None and not _matches(pattern, value):
            constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
            found.append(_must(value, path, constraint, sensitive=sensitive))
        elif enum and value not in enum:
            constraint = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
            found.append(_must(value, path, constraint, sensitive=sensitive))

    return check


def _matches(pattern: re.Pattern[str], value: str) -> bool:
    """Smithy's patterns are a search; ``$`` means the very end, not the place before a last line break."""
    return not value.endswith("\n") and pattern.search(value) is not None


def _integer(shape: Shape) -> Check:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongType(f"{path} must be a whole number")
        if least is not None and value < least:
            found.append(
                _must(value, path, f"Member must have value greater than or equal to {least}", sensitive=False)
            )
        if most is not None and value > most:
            found.append(_must(value, path, f"Member must have value less than or equal to {most}", sensitive=False))

    return check


def _boolean(shape: Shape) -> Check:
    def check(value: Any, path: str, found: list[str]) -> None:
        if not isinstance(value, bool):
            raise WrongType(f"{path} must be true or false")

    return check


def reply(shape: StructureShape | None, value: Mapping[str, Any]) -> dict[str, Any]:
    """What goes over the wire: members of the shape, absent ones omitted, times as seconds since 1970.

    Raises KeyError when a required member is missing: a presenter is wrong then.
    """
    return _write_structure(shape)(value) if shape is not None else {}


def _write(shape: Shape) -> Callable[[Any], Any] | None:
    """None for what goes as it is."""
    if isinstance(shape, StructureShape):
        return _write_structure(shape)
    if isinstance(shape, ListShape):
        member = _write(shape.member)
        return list if member is None else lambda value: [member(item) for item in value]
    return _seconds if shape.type_name == "timestamp" else None


def _seconds(value: datetime | float) -> float:
    return round(value.timestamp(), 3) if isinstance(value, datetime) else value


@cache
def _write_structure(shape: StructureShape) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    writers = {name: _write(member) for name, member in shape.members.items()}
    plain = tuple(name for name, writer in writers.items() if writer is None)
    written_otherwise = tuple((name, writer) for name, writer in writers.items() if writer is not None)
    required = frozenset(shape.required_members)

    def write(value: Mapping[str, Any]) -> dict[str, Any]:
        get = value.get
        written = {name: found for name in plain if (found := get(name)) is not None}
        for name, writer in written_otherwise:
            found = get(name)
            if found is not None:
                written[name] = writer(found)
        if not required <= written.keys():
            raise KeyError(f"{shape.name}.{min(required - written.keys())}")
        return written

    return write
