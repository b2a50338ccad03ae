"""Finds the template's line behind a line of the rendered file."""

import re
from difflib import SequenceMatcher

_LINES_COMPARED = 4_000
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")


def template_line(template: str, rendered: str, line: int) -> int:
    """The line of ``template`` that ``line`` of ``rendered`` most likely comes from; both count from 1.

    Lines that both have are anchors, between two anchors lines are counted; of the template's lines that could have
    become this one, the nearest to that estimate wins.
    """
    ours, theirs = template.splitlines()[:_LINES_COMPARED], rendered.splitlines()[:_LINES_COMPARED]
    if not 1 <= line <= len(theirs):
        return max(len(ours), 1)
    estimate = _estimate(ours, theirs, line - 1)
    wanted = theirs[line - 1].strip()
    possible = [index for index, text in enumerate(ours) if wanted and _may_become(text.strip(), wanted)]
    return min(possible, key=lambda index: abs(index - estimate), default=estimate) + 1


def _estimate(ours: list[str], theirs: list[str], index: int) -> int:
    matcher = SequenceMatcher(None, [text.strip() for text in ours], [text.strip() for text in theirs], autojunk=False)
    for _, start, end, rendered_start, rendered_end in matcher.get_opcodes():
        if rendered_start <= index < rendered_end:
            return min(start + index - rendered_start, max(end - 1, start), max(len(ours) - 1, 0))
    return min(index, max(len(ours) - 1, 0))


def _may_become(text: str, wanted: str) -> bool:
    """Whether a template's line can have become a rendered one: its text is there, in order, around its values."""
    pieces = _PLACEHOLDER.split(text)
    if len(pieces) == 1:
        return text == wanted
    if not any(piece.strip() for piece in pieces):
        return False
    if not (wanted.startswith(pieces[0]) and wanted.endswith(pieces[-1])):
        return False
    position = 0
    for piece in pieces:
        position = wanted.find(piece, position)
        if position < 0:
            return False
        position += len(piece)
    return True
