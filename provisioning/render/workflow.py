"""GitHub workflows of a published version: ``${{ ... }}`` is GitHub's and stays, ``{{ ... }}`` is ours.

A workflow runs with the repository's rights, so a value must never become more than a value. It cannot change the
file's structure (provisioning.render.guard), cannot hold or complete an expression of GitHub's, and where a shell, a
script or an action's name is read it may only have characters that mean nothing there. GitHub's own expressions take
no part in the rendering: they stand in it as words that nobody can guess.
"""

import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from provisioning.cfn_yaml import NotYaml, events
from provisioning.problems import Problem, ProblemsFound
from provisioning.render import guard
from provisioning.render.developer import developer_strings
from provisioning.render.files import Rendered, assembled_file
from provisioning.render.fragments import TOKEN, Assembled, Leaf

if TYPE_CHECKING:
    from provisioning.bundle import Part  # not in the child that renders: it would only make it larger

FOLDER = ".github/workflows/"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml", re.ASCII)
_EXPRESSION = re.compile(r"\$\{\{(?:[^'}]|'[^']*'|\}(?!\}))*\}\}")
_MARK = "gh" + secrets.token_hex(8) + "x"  # letters and digits only; unknown to whoever types values
_MARKED = re.compile(_MARK + r"(\d+)e")

# Where GitHub or an action hands the text to a shell or an interpreter, or takes it for the name of code to run.
STRICT = frozenset(
    {"run", "shell", "script", "args", "entrypoint", "pre-entrypoint", "post-entrypoint", "command", "cmd", "options"}
    | {"uses", "image", "working-directory"}
)
_CONDITIONS = frozenset({"if"})  # an expression although nothing marks it as one
_PLAIN = re.compile(r"[A-Za-z0-9_./:@=+,-]*", re.ASCII)
_PLAIN_SAID = "letters, digits and _ . / : @ = + , -"


def targets(part: "Part") -> dict[str, str]:
    """Path in the application's repository -> path in the bundle, for the workflow files of a part's manifest.

    Raises ProblemsFound for a name that GitHub would not take for a workflow, and for two of one name.
    """
    found: dict[str, str] = {}
    problems = []
    for entry in part.manifest.workflows:
        source = f"{part.directory}/{entry.file}"
        name = entry.file.rpartition("/")[2]
        if not _FILE_NAME.fullmatch(name):
            problems.append(Problem("", "a workflow's file name ends in .yml or .yaml", line=entry.line, file=source))
        elif FOLDER + name in found:
            problems.append(Problem("", f"there are two workflows named {name}", line=entry.line, file=source))
        found[FOLDER + name] = source
    if problems:
        raise ProblemsFound(problems)
    return found


def render_workflow(
    text: str,
    file: str,
    context: Mapping[str, Any],
    *,
    trusts_inputs: bool = False,
    authored: Collection[str] = frozenset(),
    limit: int | None = None,
) -> Rendered:
    """As ``render_file``, for a workflow; ``trusts_inputs`` and ``authored`` mean the same.

    Raises ProblemsFound, with file and line.
    """
    if not trusts_inputs and (refused := refused_inputs(context, file, authored)):
        raise ProblemsFound(refused)
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found.group())
        return f"{_MARK}{len(kept) - 1}e"

    assembled = assembled_file(_EXPRESSION.sub(keep, text), file, context, limit, authored)
    assembled = Assembled(_restored(assembled.text, kept), _restored(assembled.twin, kept), assembled.leaves)
    if _MARK in assembled.text.lower():
        message = "a filter changes an expression of GitHub's (${{ ... }}); print it outside of filters"
        raise ProblemsFound([Problem("", message, file=file)])
    problems = guard.check(assembled, text, file, context, trusts_inputs=trusts_inputs)
    problems = problems or _no_workflow(assembled, file)
    if not problems and not trusts_inputs and assembled.leaves:
        problems = list(_in_strict_places(assembled, file, context))
    if problems:
        raise ProblemsFound(problems)
    return Rendered(assembled.text)


def refused_inputs(context: Mapping[str, Any], file: str, authored: Collection[str] = ()) -> list[Problem]:
    """The developer strings that no workflow accepts, wherever they are printed."""
    problems = guard.refused_inputs(context, file, authored)
    said = {problem.path for problem in problems}
    for path, text in developer_strings(context):
        if path not in said and text not in authored and ("${{" in text or "}}" in text or "{{" in text):
            problems.append(Problem(path, "contains the marks of an expression, which GitHub would execute", file=file))
    return problems


def _restored(text: str, kept: list[str]) -> str:
    return _MARKED.sub(lambda found: kept[int(found.group(1))], text)


def _no_workflow(assembled: Assembled, file: str) -> list[Problem]:
    """GitHub takes a mapping with jobs for a workflow and nothing else."""
    keys = {path[0] for path, _, _ in _scalars(events(assembled.text)) if path}
    if {"jobs", "on"} <= keys:
        return []
    return [Problem("", "a workflow is a mapping with on: and jobs:", file=file)]


def _in_strict_places(assembled: Assembled, file: str, context: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that stand where something is executed, and are more than plain words."""
    try:
        real, twin = events(assembled.text), events(assembled.twin)
    except NotYaml:  # the guard has said so
        return
    places = zip(_scalars(real), _scalars(twin), strict=True)
    for (path, _, anchored), (_, scalar, _) in places:
        pieces = TOKEN.split(scalar.value)
        names = {name.lower() for name in path}
        strict = bool(names & STRICT) or anchored
        for index in range(1, len(pieces), 2):
            leaf = assembled.leaves[int(pieces[index])]
            before = "".join(p if i % 2 == 0 else "x" for i, p in enumerate(pieces[:index]))
            why = ""
            if path and path[-1].lower() in _CONDITIONS and not _quoted(before):
                why = "would become part of a condition; let the template put it in single quotes"
            elif strict or (path and path[-1].lower() in _CONDITIONS):
                why = _not_plain(leaf, before)
            if why:
                yield from _refusals(leaf, why, file, context)


def _not_plain(leaf: Leaf, before: str) -> str:
    for text in (leaf.text, leaf.value):
        if not _PLAIN.fullmatch(text):
            return f"stands where it is executed, and there only {_PLAIN_SAID} are accepted"
    if leaf.text.startswith("-") and (not before or before[-1].isspace() or before[-1] in "'\"=(`"):
        return "stands where it is executed, and would be read as an option"
    return ""


def _quoted(before: str) -> bool:
    """Whether what follows stands in a text of GitHub's expressions."""
    return before.count("'") % 2 == 1


def _refusals(leaf: Leaf, why: str, file: str, context: Mapping[str, Any]) -> Iterator[Problem]:
    shown = ascii(leaf.value if len(leaf.value) <= 60 else leaf.value[:57] + "...")
    for path in guard.inputs_behind(leaf, context):
        yield Problem(path, f"the value {shown} {why}; or pass it by env:", line=leaf.line or None, file=file)


Place = tuple[tuple[str, ...], yaml.ScalarEvent, bool]


def _scalars(found: list[yaml.Event]) -> Iterator[Place]:
    """Every scalar with the keys above it, and whether it may be used elsewhere by an alias. A key is its own last."""
    stack: list[_Level] = []
    for event in found:
        level = stack[-1] if stack else None
        if isinstance(event, yaml.ScalarEvent):
            is_key = level is not None and level.mapping and level.key_next
            if is_key and level is not None:
                level.key = event.value
            path = tuple(one.key for one in stack if one.mapping)
            yield path, event, bool(event.anchor) or any(one.anchored for one in stack)
            if level is not None:
                level.key_next = not is_key
        elif isinstance(event, yaml.CollectionStartEvent):
            if level is not None:
                level.key_next = not (level.mapping and level.key_next)
            stack.append(_Level(isinstance(event, yaml.MappingStartEvent), bool(event.anchor)))
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.AliasEvent) and level is not None:
            level.key_next = not (level.mapping and level.key_next)


class _Level:
    """A collection that is being read."""

    def __init__(self, mapping: bool, anchored: bool):
        self.mapping, self.anchored = mapping, anchored
        self.key, self.key_next = "", True
