"""What a printed expression puts into a file: the structure that its author wrote, and values that came from outside.

A rendering is assembled twice from the same pieces, once with the values and once with a *token* in place of each. The
guard parses both and refuses a value whose token would have stood in another structure.
"""

import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

# Letters and digits only, so that YAML reads a token as a piece of a scalar; unknown to whoever types values.
MARK = "dt" + secrets.token_hex(8) + "n"
TOKEN = re.compile(MARK + r"(\d+)e")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value from outside. ``text`` is what stands in the file, ``value`` what a YAML reader makes of it where the
    filter that wrote it has put it in quotes. ``line`` is the template's line, from 1."""

    text: str
    value: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of block YAML: the first stands where it is printed, the others are indented to the same column."""

    parts: tuple["str | Leaf", ...]


Part = str | Leaf | Block


class Fragment(str):
    """A printed text that knows its parts. Reads as its plain text, so that templates can work with it."""

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __new__(cls, parts: Iterable[Part]) -> "Fragment":
        parts = tuple(parts)
        fragment = super().__new__(cls, "".join(_text(part) for part in parts))
        fragment.parts = parts
        return fragment

    def __str__(self) -> str:
        return self  # str() keeps the parts: Jinja calls it on everything it prints

    def on_line(self, line: int) -> "Fragment":
        """The same with the line set where it is not known yet."""
        return Fragment(_on_line(part, line) for part in self.parts)


def _text(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Leaf):
        return part.text
    return "".join(_text(inner) for inner in part.parts)


def _on_line(part: Part, line: int) -> Part:
    if isinstance(part, Leaf):
        return part if part.line else replace(part, line=line)
    if isinstance(part, Block):
        return Block(tuple(replace(i, line=line) if isinstance(i, Leaf) and not i.line else i for i in part.parts))
    return part


def concat(pieces: Iterable[str]) -> str:
    """Jinja's join of printed pieces: keeps the parts, also through macros and ``set`` blocks."""
    parts: list[Part] = []
    kept = False
    for piece in pieces:
        if type(piece) is Fragment:
            parts.extend(piece.parts)
            kept = True
        else:
            parts.append(piece)
    return Fragment(parts) if kept else "".join(parts)  # type: ignore[arg-type]


class TooLong(Exception):
    """A rendering that is longer than allowed."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A rendering: the text, the same with tokens, and the leaf behind each token."""

    text: str
    twin: str
    leaves: tuple[Leaf, ...]


def assemble(pieces: Iterable[str], limit: int | None = None, authored: Collection[str] = ()) -> Assembled:
    """Puts a rendering together; an empty value, and one among ``authored``, is text like any
    other.

    Raises TooLong as soon as it has more than ``limit`` characters."""
    text: list[str] = []
    twin: list[str] = []
    leaves: list[Leaf] = []
    size = 0

    def add_leaf(leaf: Leaf) -> None:
        text.append(leaf.text)
        if not leaf.text or leaf.value in authored:
            twin.append(leaf.text)
            return
        twin.append(f"{MARK}{len(leaves)}e")
        leaves.append(leaf)

    for piece in pieces:
        if limit is not None and (size := size + len(piece)) > limit:
            raise TooLong
        if type(piece) is not Fragment:
            text.append(piece)
            twin.append(piece)
            continue
        for part in piece.parts:
            if isinstance(part, str):
                text.append(part)
                twin.append(part)
            elif isinstance(part, Leaf):
                add_leaf(part)
            else:
                text_break, twin_break = _line_break(text), _line_break(twin)
                for inner in part.parts:
                    if isinstance(inner, Leaf):
                        add_leaf(inner)
                    else:
                        text.append(inner.replace("\n", text_break))
                        twin.append(inner.replace("\n", twin_break))
    return Assembled("".join(text), "".join(twin), tuple(leaves))


def _line_break(pieces: list[str]) -> str:
    """A newline and as many spaces as the current column."""
    column = 0
    for piece in reversed(pieces):
        _, newline, tail = piece.rpartition("\n")
        column += len(tail)
        if newline:
            break
    return "\n" + " " * column


def leaves_in(value: Any, dump: Callable[[Any], str], encode: Callable[[str], str]) -> Iterator[Part]:
    """The parts of ``dump(value)`` with one leaf per string, keys included. ``encode`` writes one string as ``dump``
    does, in quotes. Raises TypeError for a value that holds something else than strings, numbers, lists and maps."""
    strings: list[str] = []

    def hide(item: Any) -> Any:
        if isinstance(item, str):
            strings.append(item)
            return f"{MARK}{len(strings) - 1}e"
        if isinstance(item, dict):
            return {hide(key): hide(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [hide(inner) for inner in item]
        if isinstance(item, tuple):
            return tuple(hide(inner) for inner in item)
        if item is None or isinstance(item, int | float):
            return item
        raise TypeError(f"a {type(item).__name__} cannot be written down")

    pieces = re.split(rf"(['\"]){TOKEN.pattern}\1", dump(hide(value)))
    yield pieces[0]
    for index in range(1, len(pieces), 3):
        text = encode(strings[int(pieces[index + 1])])
        yield text[0]
        yield Leaf(text[1:-1], strings[int(pieces[index + 1])])
        yield text[-1] + pieces[index + 2]


def literal(value: Any) -> Fragment:
    """A list or map printed as it is: Python's notation, which YAML reads as a flow collection."""
    try:
        return Fragment(leaves_in(value, repr, repr))
    except TypeError:
        return Fragment((Leaf(str(value), str(value)),))


_UNSAFE_IN_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"})


def json_fragment(value: Any, indent: int | None = None) -> Fragment:
    """JSON with sorted keys, written as Jinja's ``tojson`` writes it: ``<``, ``>``, ``&`` and ``'`` as escapes."""

    def dump(item: Any) -> str:
        return json.dumps(item, indent=indent).translate(_UNSAFE_IN_HTML)

    return Fragment(leaves_in(_sorted(value), dump, dump))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
