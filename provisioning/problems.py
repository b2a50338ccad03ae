"""How every check of this library speaks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, said so that its reader can mend it.

    ``path`` is a JSON Pointer (RFC 6901) into the document that was checked, "" for the whole of it; an HTML field's
    name is the same pointer. ``file`` is the path inside the bundle when the problem is in a bundle's file, ``line``
    counts from 1. ``code`` is the rule of an outside checker, such as cfn-lint's E3002.
    Only problems of severity "error" block; warnings are shown and recorded.
    """

    path: str
    message: str
    line: int | None = None
    severity: Severity = "error"
    file: str = ""
    code: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ProblemsFound(Exception):
    """Raised where a value cannot be made at all; carries every problem that was found, never only the first."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that block."""
    return tuple(problem for problem in problems if problem.severity == "error")


def pointer(*parts: str | int) -> str:
    """A JSON Pointer from its unescaped parts: pointer("a/b", 0) is "/a~1b/0"."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
