"""A read schema, as values."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from provisioning.checker import Checker

PropertyKind = Literal["string", "number", "integer", "boolean", "array", "object"]


class _Missing(Enum):
    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing.MISSING


@dataclass(frozen=True)
class Property:
    """One input. ``raw`` is the JSON Schema that is enforced: local references followed, exclusive limits as
    numbers, enum values in the property's own type, and nothing that could not be honoured; ``nullable`` stays."""

    name: str
    kind: PropertyKind
    raw: Mapping[str, Any]
    title: str = ""
    description: str = ""
    default: Any = MISSING
    required: bool = False
    enum: tuple[Any, ...] = ()
    items: "Property | None" = None
    properties: tuple["Property", ...] = ()
    line: int | None = field(default=None, compare=False)

    @functools.cached_property
    def by_name(self) -> Mapping[str, "Property"]:
        return {child.name: child for child in self.properties}


@dataclass(frozen=True)
class InputType:
    """One of the named types: the inputs of an environment, an instance or a pipeline."""

    name: str
    description: str
    properties: tuple[Property, ...]
    raw: Mapping[str, Any]
    line: int | None = field(default=None, compare=False)

    @functools.cached_property
    def by_name(self) -> Mapping[str, Property]:
        return {child.name: child for child in self.properties}

    @functools.cached_property
    def checker(self) -> Checker:
        """Compiled once for as long as this value lives."""
        return Checker(self.raw)


@dataclass(frozen=True)
class Schema:
    environment: InputType | None = None
    service: InputType | None = None
    pipeline: InputType | None = None
