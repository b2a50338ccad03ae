"""Reads the properties of an input type, with local references followed."""

from collections.abc import Mapping
from typing import Any, Literal

from provisioning.checker import Checker, shown
from provisioning.problems import Problem, pointer
from provisioning.schema_keywords import as_number, is_kind, read_rules
from provisioning.schema_model import MISSING, InputType, Property, PropertyKind
from provisioning.yaml_reader import Document

KINDS: tuple[PropertyKind, ...] = ("string", "number", "integer", "boolean", "array", "object")
_GUESSES: tuple[PropertyKind, ...] = ("boolean", "integer", "number", "array", "object")
MAX_PROPERTIES = 2_000  # of one schema, references followed
MAX_DEPTH = 64  # of properties inside properties, references followed
MAX_NAME = 100  # AWS Proton: the name of a parameter
_ALIASES = {"int": "integer", "float": "number", "double": "number", "bool": "boolean", "list": "array"}
_ALIASES |= {"map": "object", "dict": "object", "text": "string", "str": "string"}


class PropertyReader:
    """Reads types out of one document and collects everything that is wrong with them."""

    def __init__(self, document: Document, file: str):
        self.document, self.file = document, file
        self.problems: list[Problem] = []
        self.read = 0
        self.depth = 0
        self._following: list[str] = []

    def say(self, path: str, message: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(path, message, self.document.line(path), severity, self.file))

    def input_type(self, name: str, node: Any, path: str) -> InputType | None:
        """A named type. It may be empty: a schema without inputs is welcome."""
        if node is None:
            node = {"type": "object"}
        if not isinstance(node, Mapping):
            self.say(path, f"The type {name} must be a mapping with type: object and properties:.")
            return None
        if "type" not in node and "$ref" not in node:
            self.say(path, f"The type {name} should say type: object.", "warning")
            node = {"type": "object", **node}
        read = self.property(name, node, path)
        if read is None:
            return None
        if read.kind != "object":
            self.say(path + "/type", f"The type {name} must be an object, not {read.kind}.")
            return None
        return InputType(name, read.description, read.properties, read.raw, self.document.line(path))

    def property(self, name: str, node: Any, path: str, required: bool = False) -> Property | None:
        """One property, or None when its type cannot be told. Other errors are collected and it is returned."""
        self.read += 1
        if self.read > MAX_PROPERTIES:
            if self.read == MAX_PROPERTIES + 1:
                self.say(path, f"The schema has more than {MAX_PROPERTIES} properties.")
            return None
        if self.depth >= MAX_DEPTH:
            self.say(path, f"The schema is nested deeper than {MAX_DEPTH} levels.")
            return None
        self.depth += 1
        try:
            if isinstance(node, Mapping) and "$ref" in node:
                return self._follow(name, node, path, required)
            return self._property(name, node, path, required)
        finally:
            self.depth -= 1

    def _property(self, name: str, node: Any, path: str, required: bool) -> Property | None:
        if not isinstance(node, Mapping):
            self.say(path, f"{name} must be a mapping that says at least its type.")
            return None
        kind, nullable = self._kind(name, node, path)
        if kind is None:
            return None

        def say(keyword: str, message: str, severity: Literal["error", "warning"] = "error") -> None:
            self.say(path + pointer(keyword), message, severity)

        raw: dict[str, Any] = {"type": kind, **read_rules(node, kind, say)}
        if nullable:
            raw["nullable"] = True
        items = self._items(name, node, path, raw) if kind == "array" and "items" in node else None
        children = self._children(node, path, raw) if kind == "object" else ()
        self._choices(node, kind, path, raw)
        default = self._default(node, raw, path)
        return Property(
            name=name,
            kind=kind,
            raw=raw,
            title=_text(node.get("title")),
            description=_text(node.get("description")),
            default=default,
            required=required and default is MISSING,
            enum=tuple(raw.get("enum", ())),
            items=items,
            properties=children,
            line=self.document.line(path),
        )

    def _kind(self, name: str, node: Mapping[str, Any], path: str) -> tuple[PropertyKind | None, bool]:
        kind, nullable = node.get("type"), False
        if isinstance(kind, list) and len(kind) == 2 and "null" in kind:  # OpenAPI 3.1
            kind, nullable = next(one for one in kind if one != "null"), True
        if kind in KINDS:
            return kind, nullable
        if kind is None:
            guess = _guess(node)
            self.say(path, f"{name} does not say its type; it is taken for {guess}.", "warning")
            return guess, nullable
        lower = kind.lower() if isinstance(kind, str) else ""
        if lower in KINDS:
            self.say(path + "/type", f"The type is written {lower}, not {kind}.", "warning")
            return lower, nullable
        hint = f" Did you mean {_ALIASES[lower]}?" if lower in _ALIASES else f" Use one of {', '.join(KINDS)}."
        self.say(path + "/type", f"There is no type {shown(kind)}.{hint}")
        return None, nullable

    def _follow(self, name: str, node: Mapping[str, Any], path: str, required: bool) -> Property | None:
        target = self._target(node["$ref"])
        where = path + "/$ref"
        if target is None:
            self.say(where, f"{shown(node['$ref'])} does not lead to a type of this file, such as #/schema/types/Name.")
            return None
        target_path, found = target
        if target_path in self._following or path == target_path or path.startswith(target_path + "/"):
            self.say(where, f"{node['$ref']} leads back to itself.")
            return None
        beside = {key: value for key, value in node.items() if key != "$ref"}
        self._following.append(target_path)
        try:
            if not beside:
                return self.property(name, found, target_path, required)
            merged = {**found, **beside} if isinstance(found, Mapping) else found
            return self.property(name, merged, target_path, required)
        finally:
            self._following.pop()

    def _target(self, reference: Any) -> tuple[str, Any] | None:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        path = reference[1:]
        for start, instead in (("", ""), ("/types/", "/schema/types/"), ("/components/schemas/", "/schema/types/")):
            if not path.startswith(start):
                continue
            tried = instead + path.removeprefix(start) if start else path
            value: Any = self.document.value
            for part in tried.split("/")[1:]:
                part = part.replace("~1", "/").replace("~0", "~")
                if not isinstance(value, Mapping) or part not in value:
                    break
                value = value[part]
            else:
                return tried, value
        return None

    def _items(self, name: str, node: Mapping[str, Any], path: str, raw: dict[str, Any]) -> Property | None:
        items = self.property(f"{name}[]", node["items"], path + "/items")
        if items is not None:
            raw["items"] = items.raw
        return items

    def _children(self, node: Mapping[str, Any], path: str, raw: dict[str, Any]) -> tuple[Property, ...]:
        properties = node.get("properties")
        if properties is not None and not isinstance(properties, Mapping):
            self.say(path + "/properties", "properties must be a mapping of names to properties.")
            properties = None
        properties = properties or {}
        required = self._required(node.get("required"), properties, path)
        read = []
        for name, child in properties.items():
            where = path + pointer("properties", name)
            if len(name) > MAX_NAME:
                self.say(where, f"The name of an input has at most {MAX_NAME} characters.")
            read.append(self.property(name, child, where, name in required))
        children = tuple(child for child in read if child is not None)
        raw["properties"] = {child.name: child.raw for child in children}
        if must := [child.name for child in children if child.required]:
            raw["required"] = must
        self._additional(node, path, raw)
        return children

    def _additional(self, node: Mapping[str, Any], path: str, raw: dict[str, Any]) -> None:
        more = node.get("additionalProperties")
        if isinstance(more, bool):
            raw["additionalProperties"] = more
        elif isinstance(more, Mapping):
            read = self.property("value", more, path + "/additionalProperties") if more else None
            raw["additionalProperties"] = read.raw if read else True
        elif more is not None:
            self.say(path + "/additionalProperties", "additionalProperties must be true, false or a schema.")

    def _required(self, names: Any, properties: Mapping[str, Any], path: str) -> set[str]:
        where = path + "/required"
        if names is None:
            return set()
        if isinstance(names, bool):
            message = "required is a list of names on the object that holds the properties; here it is ignored."
            self.say(where, message, "warning")
            return set()
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.say(where, "required must be a list of names.")
            return set()
        for at, name in enumerate(names):
            if name not in properties:
                self.say(f"{where}/{at}", f"required names {name}, which is no property; it is ignored.", "warning")
        return set(names)

    def _choices(self, node: Mapping[str, Any], kind: PropertyKind, path: str, raw: dict[str, Any]) -> None:
        if kind != "object" and isinstance(node.get("required"), bool | list):
            self._required(bool(node["required"]), {}, path)
        if "const" in node:
            raw["const"] = self._fitting(node["const"], kind, path + "/const")
        if "enum" not in node:
            return
        choices = node["enum"]
        if not isinstance(choices, list) or not choices:
            self.say(path + "/enum", "enum must be a list with at least one value.")
            return
        raw["enum"] = [self._fitting(choice, kind, f"{path}/enum/{at}") for at, choice in enumerate(choices)]

    def _fitting(self, value: Any, kind: PropertyKind, path: str) -> Any:
        """A value of enum or const in the property's type: what was written for text, the number for numbers."""
        if is_kind(value, kind) or value is None:
            return value
        number = as_number(value)
        fitting: Any = value
        if kind == "string" and path in self.document.written:
            fitting = self.document.written[path]
        elif kind in ("number", "integer") and number is not None and is_kind(number, kind):
            fitting = number
        elif kind == "boolean" and value in ("true", "false"):
            fitting = value == "true"
        else:
            self.say(path, f"{shown(value)} is no {kind}, so that nobody can choose it.", "warning")
            return value
        self.say(path, f"{shown(value)} is no {kind}; it is read as {fitting!r}.", "warning")
        return fitting

    def _default(self, node: Mapping[str, Any], raw: Mapping[str, Any], path: str) -> Any:
        if "default" not in node:
            return MISSING
        default = node["default"]
        if default is None and not raw.get("nullable"):
            self.say(path + "/default", "The default is empty and counts as none.", "warning")
            return MISSING
        for problem, _ in Checker(raw).problems(default):
            self.say(path + "/default", f"The default does not fit the input's own rules: {problem.message}", "warning")
        return default


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _guess(node: Mapping[str, Any]) -> PropertyKind:
    if "properties" in node or "additionalProperties" in node:
        return "object"
    if "items" in node:
        return "array"
    example = node.get("default", next(iter(node.get("enum") or ()), None))
    return next((kind for kind in _GUESSES if is_kind(example, kind)), "string")
