"""YAML from strangers: YAML 1.1 as CloudFormation and AWS Proton read it, with limits that no document can escape.

Values are built straight from libyaml's events, with a stack of our own and no recursion, so that depth, size and
aliases are counted while the text is read. Three things differ from ``yaml.safe_load``: dates stay text, keys are
always the text that was written (``on:`` is the key "on"), and repeated keys are refused.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.constructor import ConstructorError, SafeConstructor

from provisioning.problems import Problem, pointer

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 30_000  # after aliases are followed, so that a billion laughs is only as funny as its length
MAX_ALIASES = 1_000
MAX_NUMBER = 100  # characters of a number
MAX_KEY = 1_024  # characters
MAX_PATHS = 16_000_000  # characters of all pointers together: long keys above many children

_STRING = "tag:yaml.org,2002:str"
_PREFIX = "tag:yaml.org,2002:"
_RESOLVED = {f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "merge")}
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in rules if tag in _RESOLVED]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_MAKE: Mapping[str, Callable[[Any, Any], Any]] = {
    f"{_PREFIX}null": lambda make, node: None,
    f"{_PREFIX}bool": SafeConstructor.construct_yaml_bool,
    f"{_PREFIX}int": SafeConstructor.construct_yaml_int,
    f"{_PREFIX}float": SafeConstructor.construct_yaml_float,
    f"{_PREFIX}timestamp": lambda make, node: node.value,
    _STRING: lambda make, node: node.value,
}
_COLLECTIONS = {None, "!", f"{_PREFIX}map", f"{_PREFIX}seq"}


@dataclass(frozen=True)
class Document:
    """A read document: its value, where each part of it was written, and what was written for each scalar that is
    not text (``yes``, ``1.10``). Both maps go by JSON Pointer."""

    value: Any
    lines: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def line(self, path: str) -> int | None:
        """The line of a JSON Pointer, else of its nearest ancestor that has one."""
        while path not in self.lines:
            if not path:
                return None
            path = path.rpartition("/")[0]
        return self.lines[path]


class _Refused(Exception):
    def __init__(self, message: str, line: int | None = None):
        super().__init__(message)
        self.message, self.line = message, line


def decode(content: bytes, *, file: str = "") -> tuple[str | None, tuple[Problem, ...]]:
    """Text of a UTF-8 file, without its byte order mark."""
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, (Problem("", "This is not text in UTF-8.", line=line, file=file),)


def read_yaml(text: str, *, file: str = "") -> tuple[Document | None, tuple[Problem, ...]]:
    """One YAML document, or the problem that stops it: syntax, a limit, a repeated key, a tag, a second document.

    An empty document has the value None.
    """
    try:
        if len(text) > MAX_BYTES:
            raise _Refused(f"The file is longer than {MAX_BYTES // 1024} KB.")
        return _Builder(text).document(), ()
    except _Refused as refusal:
        return None, (Problem("", refusal.message, line=refusal.line, file=file),)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        return None, (Problem("", f"This is not valid YAML: {said}.", line=mark.line + 1 if mark else None, file=file),)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        return None, (Problem("", f"This is not valid YAML: {_first_line(error)}.", file=file),)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


@dataclass
class _Open:
    """A collection that is being read."""

    value: Any
    path: str
    line: int
    anchor: str | None
    before: int  # nodes counted before it
    key: str | None = None
    merges: list[Any] = field(default_factory=list)


class _Builder:
    def __init__(self, text: str):
        self.parser = CParser(text)
        self.make = SafeConstructor()
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.lines: dict[str, int] = {}
        self.plain: dict[str, str] = {}
        self.nodes = 0
        self.aliases = 0
        self.written = 0
        self.root: Any = None

    def document(self) -> Document:
        documents = 0
        for event in self.events():
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self.scalar(event)
            elif kind is yaml.MappingStartEvent:
                self.open({}, event)
            elif kind is yaml.SequenceStartEvent:
                self.open([], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.close()
            elif kind is yaml.AliasEvent:
                self.alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _Refused("There is more than one YAML document; keep one.", event.start_mark.line + 1)
        return Document(self.root, self.lines, self.plain)

    def events(self) -> Iterator[Any]:
        while (event := self.parser.get_event()) is not None:
            yield event

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self.count(1, line)
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.value) is dict and top.key is None:
            self.take_key(top, event.value, line, plain=bool(event.implicit[0]) and event.tag is None)
            if event.anchor:
                self.anchors[event.anchor] = (event.value, 1)
            return
        value = self.resolve(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        if type(value) is not str:
            self.plain[self.path_of_next()] = event.value
        self.put(value, line)

    def path_of_next(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        return top.path + pointer(len(top.value) if type(top.value) is list else str(top.key))

    def resolve(self, event: Any, line: int) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None or tag == "!":
            tag = _STRING
            if event.implicit[0] and event.tag is None:
                for candidate, pattern in _RESOLVERS.get(text[:1], ()):
                    if pattern.match(text):
                        tag = candidate
                        break
        if tag == _STRING or tag == f"{_PREFIX}merge":
            return text
        maker = _MAKE.get(tag)
        if maker is None:
            raise _Refused(f"The tag {_short_tag(tag)} cannot be used here.", line)
        if len(text) > MAX_NUMBER:
            raise _Refused(f"A number of {len(text)} characters is too long.", line)
        try:
            value = maker(self.make, yaml.ScalarNode(tag, text))
        except (ValueError, KeyError, ConstructorError, OverflowError):
            raise _Refused(f"{text!r} does not fit its tag {_short_tag(tag)}.", line) from None
        if type(value) is float and not math.isfinite(value):
            raise _Refused(f"{text} is not a number that can be used.", line)
        return value

    def take_key(self, top: _Open, key: str, line: int, *, plain: bool) -> None:
        if key == "<<" and plain:
            top.key = key
            return
        if len(key) > MAX_KEY:
            raise _Refused(f"A key of {len(key)} characters is too long.", line)
        path = top.path + pointer(key)
        if key in top.value:
            raise _Refused(f"The key {key!r} is there twice (first on line {self.lines[path]}).", line)
        top.key = key
        top.value[key] = None  # keeps the order of the text
        self.note(path, line)

    def note(self, path: str, line: int) -> None:
        self.written += len(path)
        if self.written > MAX_PATHS:
            raise _Refused("The document has too many parts below long keys.", line)
        self.lines[path] = line

    def open(self, value: Any, event: Any) -> None:
        line = event.start_mark.line + 1
        self.count(1, line)
        if event.tag not in _COLLECTIONS:
            raise _Refused(f"The tag {_short_tag(event.tag)} cannot be used here.", line)
        if len(self.stack) >= MAX_DEPTH:
            raise _Refused(f"The document is nested deeper than {MAX_DEPTH} levels.", line)
        path = self.place(line)
        if event.anchor:
            self.anchors.pop(event.anchor, None)
        self.stack.append(_Open(value, path, line, event.anchor, self.nodes))

    def place(self, line: int) -> str:
        """The path of the value that comes next."""
        if not self.stack:
            self.lines[""] = line
            return ""
        top = self.stack[-1]
        if type(top.value) is list:
            path = f"{top.path}/{len(top.value)}"
            self.note(path, line)
            return path
        if top.key is None:
            raise _Refused("A key must be plain text.", line)
        return top.path + pointer(top.key)

    def close(self) -> None:
        done = self.stack.pop()
        for other in done.merges:
            for key, value in other.items():
                done.value.setdefault(key, value)
        if done.anchor:
            self.anchors[done.anchor] = (done.value, self.nodes - done.before + 1)
        self.put(done.value, done.line)

    def alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise _Refused(f"There are more than {MAX_ALIASES} aliases.", line)
        if event.anchor not in self.anchors:
            raise _Refused(f"*{event.anchor} stands for nothing that was written before it.", line)
        value, size = self.anchors[event.anchor]
        self.count(size, line)
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.value) is dict and top.key is None:
            raise _Refused("A key must be plain text.", line)
        self.put(value, line)

    def put(self, value: Any, line: int) -> None:
        if not self.stack:
            self.root = value
            self.lines.setdefault("", line)
            return
        top = self.stack[-1]
        if type(top.value) is list:
            if type(value) is not dict and type(value) is not list:
                self.note(f"{top.path}/{len(top.value)}", line)
            top.value.append(value)
        elif top.key == "<<" and "<<" not in top.value:
            self.merge(top, value, line)
            top.key = None
        else:
            top.value[top.key] = value
            top.key = None

    def merge(self, top: _Open, value: Any, line: int) -> None:
        others = value if type(value) is list else [value]
        if not all(type(other) is dict for other in others):
            raise _Refused("<< merges mappings only.", line)
        for other in others:
            self.count(len(other), line)
        top.merges.extend(others)

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _Refused(f"The document has more than {MAX_NODES} parts.", line)


def _short_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
