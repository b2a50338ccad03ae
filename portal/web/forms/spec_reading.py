"""From posted fields back to typed inputs. What cannot be typed is kept as it was written, for the one checker."""

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from portal.web.forms.spec_fields import is_locked, is_secret, same, text_of
from provisioning.problems import pointer
from provisioning.schema import MISSING, InputType, Property

_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
KEY, VALUE = "#key", "#value"  # suffixes of a pair's two names
MARK = "#list"  # suffix of the name that says: this list was on the form, even if it has no rows


class Posted:
    """Posted names, which are pointers, as the tree that they describe."""

    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.values: list[str] = []
        self.children: dict[str, Posted] = {}

    @classmethod
    def of(cls, post: Mapping[str, Any]) -> "Posted":
        """From a QueryDict, or any mapping of names to lists of texts."""
        root = cls()
        pairs: Iterable[tuple[str, Sequence[str]]] = post.lists() if hasattr(post, "lists") else post.items()
        for name, values in pairs:
            if not name.startswith("/"):
                continue
            node = root
            for part in name[1:].split("/"):
                node = node.children.setdefault(part, cls())
            node.values = list(values)
        return root

    def at(self, path: str) -> "Posted":
        """The node of a pointer; an empty one where nothing was posted."""
        node = self
        for part in path[1:].split("/") if path else ():
            node = node.children.get(part) or Posted()
        return node

    def child(self, name: str, suffix: str = "") -> "Posted":
        return self.children.get(pointer(name)[1:] + suffix) or Posted()

    def numbered(self) -> list[tuple[int, "Posted"]]:
        """Numbered children in order."""
        found = [(int(key), node) for key, node in self.children.items() if key.isdecimal() and len(key) < 6]
        return sorted(found, key=lambda pair: pair[0])

    def rows(self) -> list["Posted"]:
        return [node for _, node in self.numbered()]

    @property
    def text(self) -> str | None:
        return self.values[-1].replace("\r\n", "\n") if self.values else None


def read(
    post: Mapping[str, Any] | Posted,
    input_type: InputType | None,
    prefix: str,
    *,
    base: Mapping[str, Any] | None = None,
    keep_blank: bool = False,
) -> dict[str, Any]:
    """Typed inputs from the fields below ``prefix``.

    An empty field is left out, so that its default counts; so is one that equals its default, unless ``base``, the
    inputs as they stood before, names it. Text that is no number stays text. From ``base`` come also what the form
    cannot show: keys that the schema does not know, values that only the platform sets, secrets that were left empty.
    ``keep_blank`` keeps empty rows of lists, for a form that is drawn again and not yet checked.
    """
    tree = post if isinstance(post, Posted) else Posted.of(post)
    properties = input_type.properties if input_type else ()
    return _mapping(properties, tree.at(prefix), base or {}, keep_blank)


def _mapping(properties: Sequence[Property], node: Posted, base: Mapping[str, Any], keep_blank: bool) -> dict[str, Any]:
    known = {prop.name for prop in properties}
    inputs = {}
    for prop in properties:
        before = base.get(prop.name, MISSING)
        value = _value(prop, node, before, keep_blank)
        repeats_default = prop.default is not MISSING and before is MISSING and same(value, prop.default)
        if value is not MISSING and not repeats_default:
            inputs[prop.name] = value
    return inputs | {name: value for name, value in base.items() if name not in known}


def _value(prop: Property, parent: Posted, base: Any, keep_blank: bool) -> Any:
    if "const" in prop.raw:
        return prop.raw["const"]
    if is_locked(prop):
        return base
    node = parent.child(prop.name)
    if is_secret(prop):
        return node.text or base
    if prop.kind == "array":
        return _rows(prop, parent, node, base, keep_blank)
    if prop.kind == "object":
        return _object(prop, parent, node, base, keep_blank)
    return typed(prop, node.text)


def typed(prop: Property, text: str | None) -> Any:
    """One scalar from its text: MISSING when empty, the text itself when it is not of the property's kind."""
    if text is None or text == "":
        return MISSING
    if prop.enum:
        return next((choice for choice in prop.enum if text_of(choice) == text), text)
    if prop.kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if prop.kind in {"number", "integer"}:
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    short = text.strip()
    if _WHOLE.fullmatch(short):
        return int(short)
    return float(short) if _DECIMAL.fullmatch(short) else text


def _rows(prop: Property, parent: Posted, node: Posted, base: Any, keep_blank: bool) -> Any:
    if prop.items is None or node.values:  # drawn as one text, because its value was not a list
        return node.text or MISSING
    before = base if isinstance(base, list) else []
    found = []
    for index, row in enumerate(node.rows()):
        was = before[index] if index < len(before) else MISSING
        value = _row(prop.items, row, was, keep_blank)
        if keep_blank and value is MISSING:
            value = {} if prop.items.kind == "object" else ""
        if value is not MISSING:
            found.append(value)
    shown = parent.child(prop.name, MARK).values
    emptied = shown and (isinstance(prop.default, list) and prop.default or base == [])
    return found if found or emptied else MISSING


def _row(items: Property, row: Posted, base: Any, keep_blank: bool) -> Any:
    if items.kind == "object":
        return _object(items, Posted(), row, base, keep_blank)
    if items.kind == "array":
        return _rows(items, Posted(), row, base, keep_blank)
    return typed(items, row.text)


def _object(prop: Property, parent: Posted, node: Posted, base: Any, keep_blank: bool) -> Any:
    if node.values:  # drawn as one text, because its value was not a mapping
        return node.text or MISSING
    before = base if isinstance(base, dict) else {}
    if prop.properties:
        found = _mapping(prop.properties, node, before, keep_blank)
        return found if found or base == {} else MISSING
    keys, values = parent.child(prop.name, KEY).values, parent.child(prop.name, VALUE).values
    of = prop.raw.get("additionalProperties")
    kind = of.get("type", "string") if isinstance(of, dict) else "string"
    pairs = {key: _pair(kind, text) for key, text in zip(keys, values, strict=False) if key or text}
    emptied = bool(keys) and (bool(prop.default) and prop.default is not MISSING or base == {})
    return pairs if pairs or emptied else MISSING


def _pair(kind: str, text: str) -> Any:
    if kind in {"number", "integer"}:
        return _number(text)
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "boolean" else text


def edit(document: Mapping[str, Any], change: str, path: str, find: Callable[[str], Property | None]) -> dict[str, Any]:
    """The document after one press of a row's button: ``change`` is add, remove or restore, ``path`` its pointer.

    ``find`` gives the property at a pointer, None where the schema has none there. A first edit of a list that shows
    its default starts from the default. A pointer that leads nowhere changes nothing.
    """
    made = copy.deepcopy(dict(document))
    above, _, last = path.rpartition("/")
    if change == "restore":
        _take_out(_walk(made, above), last)
        return made
    list_path = path if change == "add" else above
    prop = find(list_path)
    if prop is not None and prop.kind != "array":  # pairs: an empty row is always there to be filled
        if change == "remove":
            _take_out(_walk(made, above), last)
        return made
    listed = _list_at(made, list_path, prop)
    if change == "add" and listed is not None:
        listed.append({} if prop is None or (prop.items and prop.items.kind == "object") else "")
    elif listed is not None:
        _take_out(listed, last)
    return made


def _list_at(document: dict[str, Any], path: str, prop: Property | None) -> list[Any] | None:
    above, _, last = path.rpartition("/")
    parent = _walk(document, above, create=True)
    default = prop.default if prop is not None and isinstance(prop.default, list) else []
    if isinstance(parent, dict):
        found = parent.setdefault(_key(last), copy.deepcopy(default))
    else:
        found = _walk(parent, f"/{last}") if isinstance(parent, list) else None
    return found if isinstance(found, list) else None


def _take_out(parent: Any, last: str) -> None:
    if isinstance(parent, dict):
        parent.pop(_key(last), None)
    elif isinstance(parent, list) and last.isdecimal() and int(last) < len(parent):
        del parent[int(last)]


def _key(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _walk(document: Any, path: str, *, create: bool = False) -> Any:
    node = document
    for part in path[1:].split("/") if path else ():
        if isinstance(node, dict):
            node = node.setdefault(_key(part), {}) if create else node.get(_key(part))
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node
