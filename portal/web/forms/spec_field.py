"""One field of a form as a plain value, with what the field template asks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.utils.html import escape
from django.utils.safestring import SafeString

from provisioning.problems import Problem

GROUPS = frozenset({"group", "rows", "objects", "pairs"})


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
    text, number, multiline, password, switch, radio, select, search, secret-name, locked, group, rows, objects, pairs.
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
