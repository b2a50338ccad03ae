"""Renders the settings of a CodeBuild manifest: every text in them, each by itself.

Commands keep their words and operators whatever a developer typed (``provisioning.render.shell``). A text that is
nothing but one expression becomes what that is: "{{ environment.inputs.subnets }}" is a list where the input is one.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import nodes

from provisioning.manifest import parse_manifest
from provisioning.problems import Problem, ProblemsFound, pointer
from provisioning.render import errors, guard, shell
from provisioning.render.files import assembled_file
from provisioning.render.fragments import Assembled
from provisioning.render.language import compiled, language
from provisioning.render.names import scope
from provisioning.yaml_reader import Document, read_yaml

COMMANDS = ("provision", "deprovision")
_OLD_NAMES = {"provision": "provisioning", "deprovision": "deprovisioning"}
_WHOLE = re.compile(r"\s*\{\{(?P<expression>.*)\}\}\s*", re.DOTALL)
_SECRET = re.compile(r"arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+")
_BLOCK = re.compile(r":?\s*[|>][+-]?\d*[+-]?\s*(#.*)?$")


def render_settings(
    text: str,
    file: str,
    context: Mapping[str, Any],
    *,
    trusts_inputs: bool = False,
    authored: Collection[str] = frozenset(),
    limit: int | None = None,
) -> dict[str, Any]:
    """The settings of a manifest's CodeBuild entry with every text rendered. ``text`` is the manifest, ``file`` its
    path. Raises ProblemsFound, with file and line, as ``files.render_file`` does."""
    manifest, problems = parse_manifest(text, file)
    document, _ = read_yaml(text, file=file)
    if manifest is None or document is None or manifest.main.settings is None:
        raise ProblemsFound(problems)
    if not trusts_inputs and (refused := guard.invisible_inputs(context, file, authored)):
        raise ProblemsFound(refused)
    renderer = _Renderer(text.splitlines(), file, document, context, trusts_inputs, authored, limit)
    rendered = renderer.value(manifest.main.settings, ())
    if renderer.problems:
        raise ProblemsFound(renderer.problems)
    if limit is not None and len(json.dumps(rendered)) > limit:
        raise ProblemsFound([Problem("", f"the rendered commands are larger than {limit} bytes", file=file)])
    return dict(rendered)


class _Renderer:
    def __init__(
        self,
        lines: list[str],
        file: str,
        document: Document,
        context: Mapping[str, Any],
        trusts_inputs: bool,
        authored: Collection[str],
        limit: int | None,
    ):
        self.lines, self.file, self.document, self.context = lines, file, document, context
        self.trusts_inputs, self.authored, self.limit = trusts_inputs, authored, limit
        self.problems: list[Problem] = []

    def value(self, value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, Mapping):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value and "{#" not in value):
            return value
        line = self._line(path)
        try:
            if path[0] == "project_properties" and (native := self._native(value)) is not None:
                return native
            made = assembled_file(value, self.file, self.context, self.limit, self.authored)
        except ProblemsFound as found:
            self.problems += [_moved(problem, line) for problem in found.problems]
            return value
        if not self.trusts_inputs:
            self.problems += self._refused(made, path, line)
        return made.text

    def _native(self, text: str) -> Any | None:
        """What a text of one expression is, when that is no text."""
        match = _WHOLE.fullmatch(text)
        if match is None:
            return None
        with errors.compiling(self.file):
            template = compiled(text)
            body = [node for node in language().parse(text.strip()).body if isinstance(node, nodes.Output)]
            if [len(node.nodes) for node in body] != [1] or isinstance(body[0].nodes[0], nodes.TemplateData):
                return None
            expression = language().compile_expression(match["expression"].strip("-+ \n\t"), undefined_to_none=False)
        with errors.running(template, self.file):
            found = expression(scope(self.context))
            if isinstance(found, list | dict | int | float):
                return json.loads(json.dumps(found))
        return None

    def _refused(self, made: Assembled, path: tuple[str | int, ...], line: int) -> list[Problem]:
        if path[0] in COMMANDS:
            refused = [(one.leaf, f"{one.why}; {shell.ADVICE}") for one in shell.refusals(made.twin, made.leaves)]
        elif path[:2] == ("env", "secrets_manager"):
            refused = [
                (leaf, "would name another part of the secret")
                for leaf in made.leaves
                if ":" in leaf.text and not _SECRET.fullmatch(leaf.text)
            ]
        else:
            return []
        return [
            Problem(
                input_path, f"the value {guard.short(leaf)} {why}", line=line + max(leaf.line, 1) - 1, file=self.file
            )
            for leaf, why in refused
            for input_path in guard.inputs_behind(leaf, self.context)
        ]

    def _line(self, path: tuple[str | int, ...]) -> int:
        """Of the manifest: where the text begins."""
        templates = pointer("infrastructure", "templates")
        for index in range(100):
            for settings in ("settings", "codebuild"):
                for first in (path[0], _OLD_NAMES.get(str(path[0]), "")):
                    where = f"{templates}/{index}/{settings}" + pointer(first, *path[1:])
                    if where in self.document.lines:
                        line = self.document.lines[where]
                        begins = line <= len(self.lines) and _BLOCK.search(self.lines[line - 1])
                        return line + 1 if begins else line
            if f"{templates}/{index}" not in self.document.lines:
                break
        return 1


def _moved(problem: Problem, line: int) -> Problem:
    return Problem(
        problem.path,
        problem.message,
        line=line + max(problem.line or 1, 1) - 1,
        severity=problem.severity,
        file=problem.file,
        code=problem.code,
    )
