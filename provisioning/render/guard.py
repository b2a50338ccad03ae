"""Developer input must not change the structure of a rendered file.

The rendering exists twice: with its values, and with a token of letters and digits in place of each value that came
from outside. Both are parsed into events (never expanded, never constructed). When the texts are put back for the
tokens and the two sequences of events are equal, then every value stayed inside the scalar that the template's author
gave it. When they are not, the value is refused and the input named. Three things live inside a scalar and need rules
of their own: a plain scalar that YAML reads as null or as a merge key; a key that repeats one of its siblings; and
what CloudFormation itself executes (``${...}``, ``{{resolve:...}}``, and keys such as ``Fn::Transform``).

Differences in white space alone are accepted: YAML folds lines and drops indentation, and no structure hides in them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import yaml

from provisioning.cfn_yaml import NotYaml, events, plain_tag
from provisioning.problems import Problem
from provisioning.render.developer import EXECUTED, FUNCTION, INVISIBLE, MAY_BECOME_EXECUTED, developer_strings
from provisioning.render.fragments import MARK, TOKEN, Assembled, Leaf
from provisioning.render.lines import template_line

_CHANGES_MEANING = frozenset({"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"})
_TAGGED = (yaml.ScalarEvent, yaml.CollectionStartEvent)
_ADVICE = "choose another value, or let the template print it with {{ ... | tojson }}"


def refused_inputs(context: Mapping[str, Any], file: str, authored: Collection[str] = ()) -> list[Problem]:
    """The developer strings that no rendering accepts, wherever they are printed; those in ``authored`` it does."""
    problems = invisible_inputs(context, file, authored)
    for path, text in developer_strings(context):
        if text in authored or INVISIBLE.search(text):
            continue
        if found := EXECUTED.search(text):
            problems.append(
                Problem(
                    path,
                    f"contains {found.group()!r}, which CloudFormation would execute;"
                    " only a version whose inputs are trusted accepts it",
                    file=file,
                )
            )
    return problems


def invisible_inputs(context: Mapping[str, Any], file: str, authored: Collection[str] = ()) -> list[Problem]:
    """The developer strings that nobody can see as what they are."""
    return [
        Problem(path, "contains a control character", file=file)
        for path, text in developer_strings(context)
        if text not in authored and INVISIBLE.search(text)
    ]


def check(
    assembled: Assembled, template: str, file: str, context: Mapping[str, Any], *, trusts_inputs: bool
) -> list[Problem]:
    """All problems of a rendering. A result that is no YAML at all is a problem also when the inputs are trusted."""
    try:
        real = events(assembled.text)
    except NotYaml as error:
        if not trusts_inputs and (culprits := _culprits(assembled, context)):
            return _refusals(culprits, file, context)
        return [
            Problem(
                "",
                f"the rendered file is not valid YAML at its line {error.line}: {error}",
                line=template_line(template, assembled.text, error.line),
                file=file,
            )
        ]
    if trusts_inputs or not assembled.leaves:
        return []
    try:
        twin = events(assembled.twin)
    except NotYaml as error:
        return [
            Problem(
                "",
                f"the template prints a value where YAML allows none, so that it cannot be checked: {error}",
                line=template_line(template, assembled.twin, error.line),
                file=file,
            )
        ]
    difference = _difference(real, twin, assembled.leaves, context)
    if difference is None:
        return []
    return _refusals(_culprits(assembled, context) or difference, file, context)


@dataclass(frozen=True)
class Culprit:
    leaf: Leaf
    why: str


_STRUCTURE = "would change the structure of the rendered file"


def _difference(
    real: list[yaml.Event], twin: list[yaml.Event], leaves: tuple[Leaf, ...], context: Mapping[str, Any]
) -> list[Culprit] | None:
    """None when the events are equal once the texts are put back, else whom to blame for the first difference."""
    last = leaves[0]
    printed: dict[int, Leaf] = {}
    for index, (one, other) in enumerate(zip_longest(real, twin)):
        if type(one) is not type(other):
            return [Culprit(last, _STRUCTURE)]
        if isinstance(one, yaml.ScalarEvent) and isinstance(other, yaml.ScalarEvent):
            if found := TOKEN.search(other.value):
                printed[index] = last = leaves[int(found.group(1))]
                if why := _scalar_difference(one, other, leaves, context):
                    return [Culprit(last, why)]
            elif one.value != other.value or one.implicit != other.implicit:
                return [Culprit(last, _STRUCTURE)]
        if isinstance(one, yaml.NodeEvent) and isinstance(other, yaml.NodeEvent) and one.anchor != other.anchor:
            return [Culprit(last, _STRUCTURE)]
        if isinstance(one, _TAGGED) and isinstance(other, _TAGGED) and one.tag != other.tag:
            return [Culprit(last, _STRUCTURE)]
    return _bad_key(real, printed)


def _scalar_difference(
    one: yaml.ScalarEvent, other: yaml.ScalarEvent, leaves: tuple[Leaf, ...], context: Mapping[str, Any]
) -> str:
    """Why a scalar with tokens is not what its author meant, or ""."""
    value: str = one.value
    pieces = TOKEN.split(other.value)
    written = "".join(leaves[int(p)].text if i % 2 else p for i, p in enumerate(pieces))
    if written != value:
        read = "".join(leaves[int(p)].value if i % 2 else p for i, p in enumerate(pieces))
        if read != value and written.split() != value.split() and read.split() != value.split():
            return _STRUCTURE
    if one.implicit[0] and value and plain_tag(value) in _CHANGES_MEANING:
        return "would be read as nothing at all, or as a merge, and not as text"
    if EXECUTED.search(value) and _executes(pieces, leaves, context):
        return "would become something that CloudFormation executes"
    return ""


def _executes(pieces: list[str], leaves: tuple[Leaf, ...], context: Mapping[str, Any]) -> bool:
    """Whether a substitution or a dynamic reference has a part in it that a developer typed."""
    if not any(MAY_BECOME_EXECUTED.search(text) for _, text in developer_strings(context)):
        return False
    spans, text = [], ""
    for index, piece in enumerate(pieces):
        part = leaves[int(piece)].text if index % 2 else piece
        if index % 2:
            spans.append((len(text), len(text) + len(part)))
        text += part
    return any(found.start() < end and start < found.end() for found in EXECUTED.finditer(text) for start, end in spans)


def _bad_key(found: list[yaml.Event], printed: Mapping[int, Leaf]) -> list[Culprit] | None:
    """The first printed key that repeats another key of its mapping, or that makes the mapping a function call."""
    stack: list[list[Any]] = []  # [is mapping, a key comes next, key -> index of the scalar]
    for index, event in enumerate(found):
        if isinstance(event, yaml.ScalarEvent):
            if stack and stack[-1][0]:
                top = stack[-1]
                if top[1]:
                    earlier = top[2].setdefault(event.value, index)
                    if index in printed and FUNCTION.match(event.value):
                        return [Culprit(printed[index], "would become a function that CloudFormation executes")]
                    if earlier != index and (index in printed or earlier in printed):
                        leaf = printed.get(index) or printed[earlier]
                        return [Culprit(leaf, "would repeat a key that is already there")]
                top[1] = not top[1]
        elif isinstance(event, yaml.AliasEvent):
            if stack:
                stack[-1][1] = not stack[-1][1]
        elif isinstance(event, yaml.CollectionStartEvent):
            if stack:
                stack[-1][1] = not stack[-1][1]
            stack.append([isinstance(event, yaml.MappingStartEvent), True, {}])
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
    return None


def _culprits(assembled: Assembled, context: Mapping[str, Any]) -> list[Culprit]:
    """Which values alone change the structure: each in turn in a file of tokens. Only for messages, so bounded."""
    try:
        twin = events(assembled.twin)
    except NotYaml:
        return []
    culprits = []
    seen: set[str] = set()
    for number, leaf in list(enumerate(assembled.leaves))[:50]:
        if leaf.text in seen or leaf.text.isalnum():
            continue
        try:
            alone = events(assembled.twin.replace(f"{MARK}{number}e", leaf.text))
            found = _difference(alone, twin, _only(assembled.leaves, number), context)
        except NotYaml:
            found = [Culprit(leaf, _STRUCTURE)]
        if found:
            seen.add(leaf.text)
            culprits.append(Culprit(leaf, found[0].why))
    return culprits


def _only(leaves: tuple[Leaf, ...], number: int) -> tuple[Leaf, ...]:
    """The leaves of a file in which all but one are still tokens."""
    return tuple(
        leaf if index == number else Leaf(f"{MARK}{index}e", f"{MARK}{index}e", leaf.line)
        for index, leaf in enumerate(leaves)
    )


def _refusals(culprits: list[Culprit], file: str, context: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(path, f"the value {short(leaf)} {culprit.why}; {_ADVICE}", line=leaf.line or None, file=file)
        for culprit in culprits
        for leaf in (culprit.leaf,)
        for path in inputs_behind(leaf, context)
    ]


def short(leaf: Leaf) -> str:
    """A value as a message shows it."""
    text = leaf.value if len(leaf.value) <= 60 else leaf.value[:57] + "..."
    return ascii(text) if INVISIBLE.search(text) else repr(text)


def inputs_behind(leaf: Leaf, context: Mapping[str, Any]) -> Iterator[str]:
    """The inputs that a printed text is made of: those equal to it, else those within it or around it, else ""."""
    strings = [(path, text) for path, text in developer_strings(context) if text]
    same = [path for path, text in strings if text in (leaf.value, leaf.text)]
    within = [path for path, text in strings if text in leaf.text and not text.isalnum()]
    around = [path for path, text in strings if leaf.text and leaf.text in text]
    yield from (same or within or around or [""])[:5]
