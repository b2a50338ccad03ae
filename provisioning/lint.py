"""cfn-lint's findings on a rendered CloudFormation template.

Slow (about half a second, and two seconds for the first import): for registration and preview, in a worker, never once
per deployment.
"""

import re
import threading
from typing import TYPE_CHECKING, Any

from provisioning.cfn_yaml import NotYaml, events, too_large
from provisioning.problems import Problem, Severity, pointer

if TYPE_CHECKING:
    from cfnlint.rules import Match

_SEVERITY: dict[str, Severity] = {"error": "error", "warning": "warning"}
_one_at_a_time = threading.Lock()  # cfn-lint keeps its schemas in module state


def lint_template(text: str, file: str, region: str = "us-east-1") -> tuple[Problem, ...]:
    """What cfn-lint says of a rendered template, in the order of its lines; ``code`` is the rule, such as E3002.

    Lines are those of the rendered text. Informational findings are left out. A text that is no YAML, or that would be
    huge once its aliases are expanded, is one problem and is not handed on.
    """
    try:
        problem = too_large(events(text))
    except NotYaml as error:
        problem = Problem("", str(error), line=error.line, code="E0000")
    if problem is not None:
        return (Problem("", problem.message, line=problem.line, file=file, code="E0000"),)
    with _one_at_a_time:
        from cfnlint.api import lint

        matches = lint(text, regions=[region])
    problems = {_problem(match, file) for match in matches if match.rule.severity in _SEVERITY}
    return tuple(sorted(problems, key=lambda p: (p.line or 0, p.code, p.path, p.message)))


def _problem(match: "Match", file: str) -> Problem:
    return Problem(
        pointer(*(part for part in _path(match) if isinstance(part, str | int))),
        re.sub(r"\s+", " ", match.message),
        line=match.linenumber,
        severity=_SEVERITY[match.rule.severity],
        file=file,
        code=match.rule.id,
    )


def _path(match: "Match") -> list[Any]:
    return list(getattr(match, "path", None) or [])
