"""Renders one file of a bundle."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from provisioning.problems import Problem, ProblemsFound
from provisioning.render import errors, guard
from provisioning.render.fragments import Assembled, TooLong, assemble
from provisioning.render.language import compiled
from provisioning.render.names import scope


@dataclass(frozen=True)
class Rendered:
    """A rendered file."""

    text: str


def render_file(
    text: str,
    file: str,
    context: Mapping[str, Any],
    *,
    trusts_inputs: bool = False,
    authored: Collection[str] = frozenset(),
    limit: int | None = None,
) -> Rendered:
    """Renders ``text`` in this process; ``file`` is its path in the bundle, ``context`` one of provisioning.context.

    Raises ProblemsFound, with file and line, for mistakes of the template, unknown names, values that a filter refuses,
    a result that is not YAML, one of more than ``limit`` bytes, and for developer input that would change the structure
    of the result or that CloudFormation would execute. ``trusts_inputs`` lifts that last rule: an admin has said that
    this version's inputs may do so. ``authored`` are input values that the template's author wrote, the defaults of its
    schema: they may do so as well.
    """
    if not trusts_inputs and (refused := guard.refused_inputs(context, file, authored)):
        raise ProblemsFound(refused)
    made = assembled_file(text, file, context, limit, authored)
    problems = guard.check(made, text, file, context, trusts_inputs=trusts_inputs)
    if problems:
        raise ProblemsFound(problems)
    return Rendered(made.text)


def render_plain(text: str, file: str, context: Mapping[str, Any]) -> Rendered:
    """The same without any look at the result. For measurements and controls, never for a deployment."""
    return Rendered(assembled_file(text, file, context, None, ()).text)


def assembled_file(
    text: str, file: str, context: Mapping[str, Any], limit: int | None, authored: Collection[str]
) -> Assembled:
    """A rendering that nobody has looked at yet. Raises ProblemsFound for mistakes of the template."""
    with errors.compiling(file):
        template = compiled(text)
    with errors.running(template, file):
        try:
            made = assemble(template.root_render_func(template.new_context(scope(context))), limit, authored)
            too_long = limit is not None and len(made.text.encode("utf-8", "replace")) > limit
        except TooLong:
            too_long = True
    if too_long:
        raise ProblemsFound([Problem("", f"the rendered file is larger than {limit} bytes", file=file)])
    return made
