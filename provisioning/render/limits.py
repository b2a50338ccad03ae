"""Refusals of operations whose result would be larger than any template needs, before it is made."""

import re
from typing import Any

from jinja2.exceptions import SecurityError

LONGEST = 1_000_000  # characters or items that one operation may make
_LARGEST_EXPONENT = 64
_WIDTH = re.compile(r"\d{5,}|\*")


def check_width(*widths: Any) -> None:
    """Raises SecurityError when one of them is a number beyond the limit."""
    if any(isinstance(width, int) and width > LONGEST for width in widths):
        raise SecurityError(f"a width of more than {LONGEST} is refused")


def check_length(length: int) -> None:
    if length > LONGEST:
        raise SecurityError(f"a result of more than {LONGEST} characters or items is refused")


def check_format(text: str) -> None:
    """Refuses formats with a width or precision of five digits or more, or one that comes from a value."""
    for match in re.finditer(r"%[^a-zA-Z%]*|\{[^}]*\}", text):
        if _WIDTH.search(match.group()):
            raise SecurityError("a format with so large a width is refused")


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Refuses a repetition, a joining or a power whose result would be too large."""
    if operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                check_length(len(sequence) * times)
    elif operator == "+":
        if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
            check_length(len(left) + len(right))
    elif operator == "%":
        if isinstance(left, str):
            check_format(left)
    elif isinstance(left, int | float) and isinstance(right, int | float) and abs(right) > _LARGEST_EXPONENT:
        raise SecurityError(f"an exponent of more than {_LARGEST_EXPONENT} is refused")
