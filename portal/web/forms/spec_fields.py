"""The table of builders that makes fields from a schema's properties."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from portal.templatetags.ui import pointer_id as dom_id
from portal.web.forms.spec_field import GROUPS, Choice, Drawing, Field
from provisioning.formats import FORMATS
from provisioning.masking import is_secret
from provisioning.problems import pointer
from provisioning.schema import MISSING, Property
from provisioning.secret_references import is_reference

RADIO_LIMIT = 4  # choices that are shown at once; more are a list to open
SEARCH_LIMIT = 10  # choices that fit into a list to open; more can be searched by typing
MULTILINE_FROM = 200  # characters; a longer text gets an area


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
    reference = "The name of a secret in AWS Secrets Manager, not its value." if is_reference(prop) else ""
    parts = [prop.description.strip(), reference, constraint(prop), f"Example: {example}" if example else ""]
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
    if is_reference(prop):
        return _field(prop, path, value, current, drawing, "secret-name", attrs=(("spellcheck", "false"),))
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
