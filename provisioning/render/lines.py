"""Finds the template's line behind a line of the rendered file."""

from difflib import SequenceMatcher

_LINES_COMPARED = 4_000


def template_line(template: str, rendered: str, line: int) -> int:
    """The line of ``template`` that ``line`` of ``rendered`` most likely comes from; both count from 1.

    Lines that both have are anchors; between two anchors the lines are counted from the one before.
    """
    ours, theirs = template.splitlines()[:_LINES_COMPARED], rendered.splitlines()[:_LINES_COMPARED]
    best = min(line, max(len(ours), 1))
    matcher = SequenceMatcher(None, [text.strip() for text in ours], [text.strip() for text in theirs], autojunk=False)
    for _, start, end, rendered_start, rendered_end in matcher.get_opcodes():
        if rendered_start <= line - 1 < rendered_end:
            return min(start + (line - 1 - rendered_start), max(end - 1, start)) + 1
    return best
