"""Filters: AWS Proton's own, and those of Jinja that must keep track of what came from outside.

AWS Proton: parameter-filters. The formatted ones return block YAML whose continuation lines stand at the placeholder's
column; an empty map renders to nothing.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jinja2.filters
from jinja2 import Undefined
from jinja2.exceptions import FilterArgumentError
from jinja2.runtime import Context

from provisioning.cfn_yaml import plain_tag
from provisioning.render.authored import INDENT, JOIN
from provisioning.render.fragments import Block, Fragment, Leaf, Part, json_fragment, literal
from provisioning.render.limits import check_format, check_length, check_width
from provisioning.render.names import Absent

_PLAIN = re.compile(r"[a-zA-Z0-9_-]*", re.ASCII)
_ARN = re.compile(r"arn:[a-zA-Z-]+:[a-zA-Z0-9-]+:[a-zA-Z0-9-]*:(?:\d{12}|aws)?:[\w+=,.@/:*!~()-]+", re.ASCII)
_POLICY_ARN = re.compile(r"arn:[a-zA-Z-]+:iam::\d{12}:policy/", re.ASCII)
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.:@+=-]*", re.ASCII)


class IllegalValue(ValueError):
    """A value that a filter refuses, in AWS Proton's words."""


def printed(value: Any, line: int, authored: bool, comment: bool) -> str:
    """What an expression prints. ``authored``: nothing in it came from outside, so that it may carry structure.
    ``comment``: the line is a comment, where an absent value prints as nothing instead of failing."""
    kind = type(value)
    if kind is str:
        return value if authored else Fragment((Leaf(value, value, line),))
    if kind is int or kind is float or kind is bool:
        return str(value)
    if kind is Fragment:
        return Fragment(_flat(value.parts)) if authored else value.on_line(line)
    if isinstance(value, list | tuple | dict):
        fragment = literal(value)
        return str.__str__(fragment) if authored else fragment.on_line(line)
    text = "" if comment and isinstance(value, Absent) else str(value)  # an undefined name fails here
    return text if authored else Fragment((Leaf(text, text, line),))


def _flat(parts: Iterable[Part]) -> Iterable[Part]:
    """The parts without leaves: a Block stays one, for its indentation."""
    for part in parts:
        if isinstance(part, Leaf):
            yield part.text
        elif isinstance(part, Block):
            yield Block(tuple(inner.text if isinstance(inner, Leaf) else inner for inner in part.parts))
        else:
            yield part


def ecs_env_vars(value: Any, raw: bool = True) -> str:
    """A list of ``{Name, Value}``."""
    return _block(("- Name: ", _scalar(name), "\n  Value: ", _scalar(item)) for name, item in _entries(value, raw))


def lambda_env_vars(value: Any, raw: bool = True) -> str:
    """A mapping."""
    return _block((_scalar(name), ": ", _scalar(item)) for name, item in _entries(value, raw))


def iam_policy_arns(value: Any) -> str:
    """A list of the values that are ARNs of IAM policies."""
    return _block(
        ("- ", _scalar(item))
        for _, item in _entries(value, raw=True)
        if isinstance(item, str) and _POLICY_ARN.match(item)
    )


def sanitize(value: Any) -> Any:
    """The same value, or the error that AWS Proton gives."""
    text = str(value)
    if not (_PLAIN.fullmatch(text) or _ARN.fullmatch(text)):
        raise IllegalValue(
            f'Illegal character(s) detected in "{text}". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN'
        )
    return value


def _entries(value: Any, raw: bool) -> list[tuple[str, Any]]:
    if isinstance(value, Undefined):
        str(value)  # fails with the name
    if value is None or value == "":
        return []
    if not isinstance(value, Mapping):
        raise FilterArgumentError(f"this filter formats a map of names and values, not {type(value).__name__}")
    if not raw:
        for item in value.values():
            if not _PLAIN.fullmatch(str(item)):
                raise IllegalValue(f'Illegal character(s) detected in "{item}". Must match regex ^[a-zA-Z0-9_-]*$')
    return list(value.items())


def _block(entries: Iterable[tuple[str | tuple[Part, ...], ...]]) -> str:
    parts: list[str | Leaf] = []
    for entry in entries:
        if parts:
            parts.append("\n")
        for piece in entry:
            parts.extend(piece if isinstance(piece, tuple) else (piece,))  # type: ignore[arg-type]
    return Fragment((Block(tuple(parts)),)) if parts else ""


def _scalar(value: Any) -> tuple[Part, ...]:
    """A value in YAML: a string as documented, without quotes, where YAML reads it back as the same string."""
    if not isinstance(value, str):
        return json_fragment(value).parts
    if _NEEDS_NO_QUOTES.fullmatch(value) and not value.endswith(":") and plain_tag(value) == "tag:yaml.org,2002:str":
        return (Leaf(value, value),)
    return ('"', Leaf(json.dumps(value, ensure_ascii=False)[1:-1], value), '"')


def to_json(value: Any, indent: int | None = None) -> str:
    """Jinja's ``tojson``."""
    if isinstance(value, Undefined):
        str(value)
    if indent is not None and not isinstance(indent, int):
        raise FilterArgumentError("tojson is indented by a number of spaces")
    return json_fragment(value, indent)


@jinja2.pass_context
def join(context: Context, value: Any, d: str = "", attribute: Any = None) -> str:
    """Jinja's ``join`` where the separator is the author's: each item is a value of its own."""
    if attribute is not None:
        value = map(jinja2.filters.make_attrgetter(context.environment, attribute), value)
    parts: list[Part] = []
    for index, item in enumerate(value):
        if index and d:
            parts.append(str(d))
        if isinstance(item, Fragment):
            parts.extend(item.parts)
        elif isinstance(item, int | float):
            parts.append(str(item))
        else:
            parts.append(Leaf(str(item), str(item)))
    return Fragment(parts)


def indent(
    s: str, width: int | str = 4, first: bool = False, blank: bool = False, indentfirst: bool | None = None
) -> str:
    """Jinja's ``indent`` where the width is the author's, with the argument of its release 2.11 that was dropped since.
    A value keeps its indentation apart, whatever its lines are."""
    first = first if indentfirst is None else indentfirst
    check_width(width)
    space = width if isinstance(width, str) else " " * width
    parts = s.parts if isinstance(s, Fragment) else (Leaf(str(s), str(s)),)
    return Fragment(((space,) if first else ()) + tuple(_indented(list(_unblocked(parts)), space, blank)))


def _unblocked(parts: Iterable[Part]) -> Iterable[str | Leaf]:
    for part in parts:
        if isinstance(part, Block):
            yield from part.parts
        else:
            yield part


def _indented(parts: list[str | Leaf], space: str, blank: bool) -> Iterable[Part]:
    """Each newline followed by ``space``; not before an empty line or the end, unless ``blank``."""
    newline = re.compile(r"\n" if blank else r"\n(?=[^\n])")
    following = ""  # the next part's first character
    result: list[Part] = []
    for part in reversed(parts):
        text = part if isinstance(part, str) else part.text
        indented = newline.sub("\n" + space, text + following).removesuffix(following)
        result.append(indented if isinstance(part, str) else Leaf(indented, part.value, part.line))
        following = text[:1] or following
    return reversed(result)


def safe(value: Any) -> Any:
    """Does nothing: nothing is escaped that would have to be marked as safe."""
    return value if isinstance(value, str) else str(value)


def _checked(name: str, check: Callable[..., None]) -> Callable[..., Any]:
    original = jinja2.filters.FILTERS[name]

    def limited(*args: Any, **kwargs: Any) -> Any:
        check(*args, **kwargs)
        return original(*args, **kwargs)

    for attribute in ("jinja_pass_arg",):
        if hasattr(original, attribute):
            setattr(limited, attribute, getattr(original, attribute))
    return limited


def _check_replace(eval_ctx: Any, s: Any, old: Any, new: Any, count: Any = None) -> None:
    check_length(len(str(s)) + str(s).count(str(old)) * len(str(new)))


FILTERS: dict[str, Callable[..., Any]] = {
    "proton_cfn_ecs_task_definition_formatted_env_vars": ecs_env_vars,
    "proton_cfn_lambda_function_formatted_env_vars": lambda_env_vars,
    "proton_cfn_iam_policy_arns": iam_policy_arns,
    "proton_cfn_sanitize": sanitize,
    "tojson": to_json,
    JOIN: join,
    INDENT: indent,
    "indent": lambda *args, **kwargs: str.__str__(indent(*args, **kwargs)),
    "safe": safe,
    "center": _checked("center", lambda value, width=80: check_width(width)),
    "wordwrap": _checked("wordwrap", lambda environment, s, width=79, *args, **kwargs: check_width(width)),
    "batch": _checked("batch", lambda value, linecount, *args: check_width(linecount)),
    "slice": _checked("slice", lambda value, slices, *args: check_width(slices)),
    "format": _checked("format", lambda value, *args, **kwargs: check_format(str(value))),
    "replace": _checked("replace", _check_replace),
}
