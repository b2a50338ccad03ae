"""Unified diffs, as `git diff` prints them, in the lines that the one template of differences draws."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from provisioning.changes import DiffLine

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_FILE = re.compile(r'diff --git "?a/(.+?)"? "?b/(.+?)"?')
MOST_LINES = 5000


@dataclass
class FileDiff:
    """``note`` is "new", "deleted" or ""; ``lines`` of what is no text are empty."""

    path: str
    note: str = ""
    lines: list[DiffLine] = field(default_factory=list)

    @property
    def added(self) -> int:
        return sum(line.kind == "added" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "removed" for line in self.lines)


def files_of(diff: str) -> tuple[list[FileDiff], bool]:
    """The files of a diff, and whether it was too long to be shown whole."""
    lines = diff.split("\n")
    return _files(lines[:MOST_LINES]), len(lines) > MOST_LINES


def _files(lines: Iterable[str]) -> list[FileDiff]:
    found: list[FileDiff] = []
    old = new = 0
    inside = False
    for line in lines:
        start = _FILE.fullmatch(line)
        hunk = _HUNK.fullmatch(line)
        if start:
            found.append(FileDiff(start[2]))
            inside = False
        elif not found:
            continue
        elif hunk:
            inside = True
            old, new = int(hunk[1]), int(hunk[2])
            if new > 1 or found[-1].lines:
                found[-1].lines.append(DiffLine("gap", hunk[3] or f"line {new}"))
        elif not inside:
            found[-1].note = next(
                (word for word in ("new", "deleted") if line.startswith(f"{word} file")), found[-1].note
            )
        elif line.startswith("+"):
            found[-1].lines.append(DiffLine("added", line[1:], None, new))
            new += 1
        elif line.startswith("-"):
            found[-1].lines.append(DiffLine("removed", line[1:], old, None))
            old += 1
        elif line.startswith(" "):
            found[-1].lines.append(DiffLine("same", line[1:], old, new))
            old, new = old + 1, new + 1
    return found
