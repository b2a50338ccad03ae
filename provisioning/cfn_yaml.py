"""CloudFormation's YAML (and JSON) as the C parser sees it: events, in which a short tag such as ``!Sub`` is a tag.

YAML 1.1, as CloudFormation reads it. Events are never expanded: an alias costs one event, whatever it stands for.
"""

from typing import Any

import yaml

from provisioning.problems import Problem

MAX_DEPTH = 100
MAX_NODES = 200_000

_RESOLVER: Any = yaml.resolver.Resolver()


class NotYaml(ValueError):
    """``line`` counts from 1."""

    def __init__(self, message: str, line: int):
        super().__init__(message)
        self.line = line


def events(text: str) -> list[yaml.Event]:
    """All events of a text. Raises NotYaml."""
    found: list[yaml.Event] = []
    try:
        loader = yaml.CSafeLoader(text)
        add, following = found.append, loader.get_event
        while (event := following()) is not None:
            add(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(
            " ".join(str(part) for part in (error.problem, error.context) if part), mark.line + 1 if mark else 1
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(f"the character {error.character!r} is not allowed", line) from None
    except UnicodeEncodeError as error:
        raise NotYaml("a character is half of a surrogate pair", text.count("\n", 0, error.start) + 1) from None
    return found


def too_large(found: list[yaml.Event]) -> Problem | None:
    """The problem of a document that would be huge once its aliases are expanded, or that is nested too deeply."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    total = 0
    for event in found:
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            if len(opened) > MAX_DEPTH:
                line = _line(event)
                return Problem("", f"nested more than {MAX_DEPTH} levels deep", line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            total += 1
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor or "", 1)
        if total > MAX_NODES:
            line = _line(event)
            return Problem("", f"more than {MAX_NODES} values once its aliases are expanded", line=line)
    return None


def plain_tag(value: str) -> str:
    """What YAML 1.1 takes a scalar without quotes for, such as "tag:yaml.org,2002:null"."""
    return str(_RESOLVER.resolve(yaml.ScalarNode, value, (True, False)))


def _line(event: yaml.Event) -> int | None:
    return None if event.start_mark is None else event.start_mark.line + 1
