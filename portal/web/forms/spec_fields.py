"""One field of a spec's form as a plain value, and the table of builders that makes it from a schema's property."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.utils.html import escape
from django.utils.safestring import SafeString

from portal.templatetags.ui import pointer_id as dom_id
from provisioning.formats import FORMATS
from provisioning.problems import Problem, pointer
from provisioning.schema import MISSING, Property

RADIO_LIMIT = 4  # choices that are shown at once; more are a list to open
SEARCH_LIMIT = 10  # choices that fit into a list to open; more can be searched by typing
GROUPS = frozenset({"group", "rows", "objects", "pairs"})
MULTILINE_FROM = 200  # characters; a longer text gets an area


@dataclass(frozen=True, slots=True)
class Choice:
    """One option. ``reason`` says why it is disabled, or what is special about it."""

    value: str
    label: str
    selected: bool = False
    disabled: bool = False
    reason: str = ""

    def __getitem__(self, name: str) -> Any:
        """Django's templates look for a key first, and a miss costs more than the hit."""
        return getattr(self, name)

    @property
    def attributes(self) -> SafeString:
        """Of its option in a list."""
        state = (" selected" if self.selected else "") + (" disabled" if self.disabled else "")
        return SafeString(f'value="{escape(self.value)}"{state}')

    @property
    def text(self) -> str:
        return f"{self.label} ({self.reason})" if self.reason else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What the one field template draws.

    ``pointer`` is the JSON Pointer into the form's document and the HTML name; ``value`` is text; ``kind`` is one of
    text, number, multiline, password, switch, radio, select, search, locked, group, rows, objects, pairs.
    ``current`` is what runs now (update mode only, else None). ``children`` are the fields of a group, the rows of a
    list, the groups of a list of objects, or the values of pairs, whose ``label`` is the key.
    """

    pointer: str
    id: str
    label: str
    kind: str
    help: str = ""
    value: str = ""
    default: str | None = None
    is_default: bool = False
    required: bool = False
    choices: tuple[Choice, ...] = ()
    attrs: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()
    children: tuple["Field", ...] = ()
    current: str | None = None
    changed: bool = False
    is_new: bool = False
    reason: str = ""  # why it is locked
    deprecated: bool = False
    removable: bool = False  # a row that can be taken out
    can_add: bool = False
    live: bool = True  # checked when it is left

    # What the template asks for, worked out here: a condition in a Django template costs more than the whole field.

    def __getitem__(self, name: str) -> Any:
        """Django's templates look for a key first, and a miss costs more than the hit."""
        return getattr(self, name)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def locked(self) -> bool:
        return self.kind == "locked"

    @property
    def grouped(self) -> bool:
        return self.kind in GROUPS

    @property
    def typed(self) -> bool:
        """A line to type into."""
        return self.kind in {"text", "number"}

    @property
    def around(self) -> SafeString:
        """The attributes of the element around label, control and help."""
        css = "field" + (" has-problem" if self.has_errors else "") + (" field-changed" if self.changed else "")
        return SafeString(f'class="{css}" id="{self.id}-field"')

    @property
    def naming(self) -> SafeString:
        """The attributes of the label. Radio buttons have one each, and this one names the group."""
        return SafeString(f'id="{self.id}-label"' if self.kind == "radio" else f'for="{self.id}"')

    @property
    def hint(self) -> str:
        return f"{self.help} {self.reason}".strip() if self.reason else self.help

    @property
    def extra(self) -> bool:
        """Whether more than the hint stands below the control."""
        return bool(self.problems) or self.current is not None or self.restorable

    @property
    def control(self) -> SafeString:
        """The attributes that every control has."""
        path = escape(self.pointer)
        required = " required" if self.required else ""
        wrong = ' aria-invalid="true"' if self.problems and self.has_errors else ""
        more = "".join(f' {name}="{escape(value)}"' for name, value in self.attrs)
        about = f' aria-describedby="{self.id}-about"' if self.explained else ""
        off = "new-password" if self.kind == "password" else "off"
        return SafeString(f'id="{self.id}" name="{path}" autocomplete="{off}"{required}{wrong}{about}{more}')

    @property
    def remark(self) -> str:
        """The word beside the label: the value is the default, or need not be given."""
        if self.is_default:
            return "default"
        return "optional" if self.default is None and not (self.required or self.removable or self.locked) else ""

    @property
    def marked(self) -> bool:
        return self.is_new or self.changed or self.deprecated

    @property
    def explained(self) -> bool:
        """Whether anything stands below the control."""
        return bool(self.problems or self.help or self.reason or self.restorable) or self.current is not None

    @property
    def query(self) -> str:
        """The pointer as a value of a query string."""
        return quote(self.pointer, safe="/")

    @property
    def restorable(self) -> bool:
        return self.default is not None and not self.is_default and self.kind != "locked"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every builder needs beside its own property: problems by pointer, and whether something runs already."""

    problems: Mapping[str, Sequence[Problem]]
    update: bool = False


def text_of(value: Any) -> str:
    """A value as a person would type it."""
    if value is MISSING or value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else json.dumps(value, default=str)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, 1.0 is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def label_of(prop: Property) -> str:
    return prop.title or prop.name


def _range(low: Any, high: Any, unit: str = "", *, more: str = " or more", less: str = " or less") -> str:
    if low is not None and high is not None:
        return f"exactly {low}{unit}" if low == high else f"{low} to {high}{unit}"
    if low is not None:
        return f"{low}{more if not unit else unit + more}"
    return f"{high}{less if not unit else unit + less}" if high is not None else ""


def _singular(found: re.Match[str]) -> str:
    return found[1] + ("y" if found[2] else "")


def constraint(prop: Property) -> str:
    """The property's limits in plain words: "1 to 10", "3 to 20 characters", "must match ^[a-z]+$"; "" without any."""
    raw = prop.raw
    parts: list[str] = []
    if prop.kind in {"number", "integer"}:
        parts.append(_range(raw.get("minimum"), raw.get("maximum")))
        parts += [f"more than {raw['exclusiveMinimum']}"] if "exclusiveMinimum" in raw else []
        parts += [f"less than {raw['exclusiveMaximum']}"] if "exclusiveMaximum" in raw else []
        parts += [f"a multiple of {raw['multipleOf']}"] if "multipleOf" in raw else []
        parts += ["a whole number"] if prop.kind == "integer" and not any(parts) else []
    elif prop.kind == "string":
        parts.append(_range(raw.get("minLength"), raw.get("maxLength"), " characters"))
        known = FORMATS.get(raw.get("format", ""))
        parts += [known.noun] if known else []
        parts += [f"must match {raw['pattern']}"] if "pattern" in raw and not prop.enum else []
    elif prop.kind == "array":
        parts.append(_range(raw.get("minItems"), raw.get("maxItems"), " entries"))
        parts += ["no entry twice"] if raw.get("uniqueItems") else []
    elif prop.kind == "object":
        parts.append(_range(raw.get("minProperties"), raw.get("maxProperties"), " keys"))
    said = re.sub(r"\b(1 entr|1 key|1 character)(ie)?s\b", _singular, ", ".join(part for part in parts if part))
    return said[:1].upper() + said[1:] + "." if said else ""


def example_of(prop: Property) -> str:
    raw = prop.raw
    if "example" in raw:
        return text_of(raw["example"])
    examples = raw.get("examples")
    if isinstance(examples, list) and examples:
        return text_of(examples[0])
    known = FORMATS.get(raw.get("format", ""))
    return known.example if known else ""


def _help(prop: Property) -> str:
    example = example_of(prop)
    parts = [prop.description.strip(), constraint(prop), f"Example: {example}" if example else ""]
    return " ".join(part if part.endswith((".", "!", "?", ":")) or part.startswith("Example") else f"{part}."
                    for part in parts if part)  # fmt: skip


def _field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing, kind: str, **more: Any) -> Field:
    """What all kinds have in common. ``value`` MISSING means: not given, so the default counts."""
    has_default = prop.default is not MISSING
    shown = prop.default if value is MISSING else value
    update = drawing.update
    return Field(
        pointer=path,
        id=dom_id(path),
        label=more.pop("label", None) or label_of(prop),
        kind=kind,
        help=_help(prop),
        value=more.pop("value", None) or ("" if kind in GROUPS else text_of(shown)),
        default=text_of(prop.default) if has_default else None,
        is_default=has_default and (value is MISSING or same(value, prop.default)),
        required=prop.required,
        problems=tuple(drawing.problems.get(path, ())),
        current=text_of(current) if update and current is not MISSING else None,
        changed=update and not same(text_of(shown), text_of(current)),
        is_new=update and current is MISSING,
        deprecated=bool(prop.raw.get("deprecated")),
        **more,
    )


def text_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    if prop.enum:
        return choice_field(prop, path, value, current, drawing)
    raw = prop.raw
    shown = text_of(prop.default if value is MISSING else value)
    long = raw.get("format") in {"textarea", "multiline"} or raw.get("maxLength", 0) > MULTILINE_FROM * 5
    if "\n" in shown or len(shown) > MULTILINE_FROM or long:
        return _field(prop, path, value, current, drawing, "multiline")
    attrs = [(name.lower(), str(raw[name])) for name in ("minLength",) if name in raw]
    if example := example_of(prop):
        attrs.append(("placeholder", example))
    if raw.get("format") in {"email", "uri"}:
        attrs.append(("inputmode", {"email": "email", "uri": "url"}[raw["format"]]))
    return _field(prop, path, value, current, drawing, "text", attrs=tuple(attrs))


def number_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """A text input with a number keyboard: an input of type number would silently drop what is not a number."""
    if prop.enum:
        return choice_field(prop, path, value, current, drawing)
    attrs = [("inputmode", "numeric" if prop.kind == "integer" else "decimal")]
    if example := example_of(prop):
        attrs.append(("placeholder", example))
    return _field(prop, path, value, current, drawing, "number", attrs=tuple(attrs))


def tick_box(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """A switch where a default says how it stands, else a choice of yes and no that nobody has made yet."""
    if isinstance(prop.default, bool) and (value is MISSING or isinstance(value, bool)):
        return _field(prop, path, value, current, drawing, "switch")
    return _choices(prop, path, value, current, drawing, [("true", "Yes"), ("false", "No")])


def choice_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    return _choices(prop, path, value, current, drawing, [(text_of(each), text_of(each)) for each in prop.enum])


def _choices(
    prop: Property, path: str, value: Any, current: Any, drawing: Drawing, options: list[tuple[str, str]]
) -> Field:
    """Radio buttons for a few, a list for more, a list to search for many. Nothing is chosen for the person."""
    has_default = prop.default is not MISSING
    picked = text_of(prop.default if value is MISSING else value)
    default = text_of(prop.default)
    known = {text for text, _ in options}
    if has_default and default not in known:
        options = [*options, (default, f"{default} (default)")]
    elif picked and picked not in known:
        options = [*options, (picked, f"{picked} (not one of the choices)")]
    if len(options) > SEARCH_LIMIT:
        choices = tuple(Choice(text, label) for text, label in options if text in known)
        return _field(prop, path, value, current, drawing, "search", choices=choices)
    made = [
        Choice(text, label, selected=text == picked, reason="default" if has_default and text == default else "")
        for text, label in options
    ]
    radio = len(options) <= RADIO_LIMIT
    if not has_default and not (radio and prop.required):
        empty = "Choose one" if prop.required else "Not set"
        made.insert(0, Choice("", empty, selected=not picked))
    return _field(prop, path, value, current, drawing, "radio" if radio else "select", choices=tuple(made))


def repeated_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """Rows of one kind, with a button to add one and a button at each row to take it out."""
    items = prop.items
    if items is None or (value is not MISSING and value is not None and not isinstance(value, list)):
        return _field(prop, path, value, current, drawing, "multiline")
    listed = value if isinstance(value, list) else (prop.default if isinstance(prop.default, list) else [])
    least = prop.raw.get("minItems", 1 if prop.required else 0)
    rows = [*listed, *[MISSING] * (least - len(listed))]
    running = current if isinstance(current, list) else []
    children = tuple(
        row(items, f"{path}/{index}", index, one, running[index] if index < len(running) else MISSING, drawing)
        for index, one in enumerate(rows)
    )
    kind = "objects" if items.kind == "object" and items.properties else "rows"
    most = prop.raw.get("maxItems")
    return _field(
        prop, path, value, current, drawing, kind, children=children, live=False,
        can_add=most is None or len(rows) < most,
    )  # fmt: skip


def row(items: Property, path: str, index: int, value: Any, current: Any, drawing: Drawing) -> Field:
    """One row of a list."""
    name = f"{items.title or 'Entry'} {index + 1}"
    made = build(items, path, value, current, drawing)
    return replaced(made, label=name, removable=True, is_new=False, required=False)


def group_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """A nested object as a group of fields, or rows of keys and values where the schema names no properties."""
    if value is not MISSING and value is not None and not isinstance(value, dict):
        return _field(prop, path, value, current, drawing, "multiline")
    given = value if isinstance(value, dict) else {}
    fallback = prop.default if value is MISSING and isinstance(prop.default, dict) else {}
    running = current if isinstance(current, dict) else {}
    if not prop.properties:
        return _pairs(prop, path, value, given or fallback, running, drawing)
    children = tuple(
        build(
            child, path + pointer(child.name), given.get(child.name, fallback.get(child.name, MISSING)),
            running.get(child.name, MISSING), drawing,
        )
        for child in prop.properties
    )  # fmt: skip
    return _field(prop, path, value, current, drawing, "group", children=children, live=False)


def _pairs(
    prop: Property, path: str, value: Any, given: Mapping[str, Any], running: Mapping[str, Any], drawing: Drawing
) -> Field:
    children = tuple(
        Field(
            pointer=path + pointer(key),
            id=dom_id(path + pointer(key)),
            label=key,
            kind="text",
            value=text_of(one),
            problems=tuple(drawing.problems.get(path + pointer(key), ())),
            removable=True,
        )
        for key, one in given.items()
        if key
    )
    blank = Field(pointer=f"{path}/", id=dom_id(f"{path}/"), label="", kind="text", value=text_of(given.get("", "")))
    return _field(
        prop, path, value, running or MISSING, drawing, "pairs", children=(*children, blank), live=False, can_add=True
    )


def locked_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """What a person cannot change: a constant, or a value that only the platform sets."""
    if "const" in prop.raw:
        return _field(
            prop, path, prop.raw["const"], current, drawing, "locked", reason="This is fixed by the template."
        )
    shown = current if value is MISSING and current is not MISSING else value
    return _field(prop, path, shown, current, drawing, "locked", reason="This is set by the platform.")


def secret_field(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """Typed, never shown again: neither the value nor the default is ever in the page."""
    kept = value is not MISSING or current is not MISSING
    return Field(
        pointer=path,
        id=dom_id(path),
        label=label_of(prop),
        kind="password",
        help=_help(prop),
        required=prop.required and not kept,
        problems=tuple(drawing.problems.get(path, ())),
        current="kept unless you type another" if kept else None,
        is_new=drawing.update and current is MISSING,
    )


BUILDERS: dict[str, Callable[[Property, str, Any, Any, Drawing], Field]] = {
    "string": text_field,
    "number": number_field,
    "integer": number_field,
    "boolean": tick_box,
    "array": repeated_field,
    "object": group_field,
}


def is_locked(prop: Property) -> bool:
    return "const" in prop.raw or bool(prop.raw.get("readOnly"))


def is_secret(prop: Property) -> bool:
    return bool(prop.raw.get("writeOnly")) or prop.raw.get("format") == "password"


def build(prop: Property, path: str, value: Any, current: Any, drawing: Drawing) -> Field:
    """The field of one property. ``value`` and ``current`` are MISSING where there is none."""
    if is_locked(prop):
        return locked_field(prop, path, value, current, drawing)
    if is_secret(prop):
        return secret_field(prop, path, value, current, drawing)
    return BUILDERS[prop.kind](prop, path, value, current, drawing)


def replaced(field: Field, **changes: Any) -> Field:
    """A copy with other values."""
    return Field(**{name: changes.get(name, getattr(field, name)) for name in Field.__slots__})
