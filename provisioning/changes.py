"""What changed between two texts, for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

CONTEXT = 3
MOST_UNIFIED = 30_000


@dataclass(frozen=True)
class DiffLine:
    """One line of a comparison. ``gap`` stands for equal lines left out; numbers count from 1, None where absent."""

    kind: Literal["same", "added", "removed", "gap"]
    text: str
    old_line: int | None = None
    new_line: int | None = None


def unified(path: str, before: str, after: str) -> str:
    """The changed lines as a unified diff, such as `git diff` prints; at most MOST_UNIFIED characters of it."""
    lines = unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(lines)[:MOST_UNIFIED]


def diff_text(old: str, new: str, *, context: int = CONTEXT) -> list[DiffLine]:
    """The changed lines of ``new`` against ``old`` with ``context`` equal lines around; [] when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return []
    return list(_lines(before, after, context))


def _lines(before: list[str], after: list[str], context: int) -> Iterator[DiffLine]:
    shown_until = 0
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        if group[0][1] > shown_until:
            yield DiffLine("gap", f"{group[0][1] - shown_until} equal lines")
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                for offset in range(old_end - old_start):
                    at = old_start + offset
                    yield DiffLine("same", before[at], at + 1, new_start + offset + 1)
                continue
            for at in range(old_start, old_end):
                yield DiffLine("removed", before[at], at + 1, None)
            for at in range(new_start, new_end):
                yield DiffLine("added", after[at], None, at + 1)
        shown_until = group[-1][2]
    if shown_until < len(before):
        yield DiffLine("gap", f"{len(before) - shown_until} equal lines")
