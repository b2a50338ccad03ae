"""Terminal output as plain text: colours and cursor movements are for terminals, and logs are text."""

import re

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[PX^_].*?\x1b\\"
    r"|\x1b[@-_]"
)
_OTHERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Without control characters. A line that was overwritten by a carriage return shows what was written last."""
    text = _SEQUENCES.sub("", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return _OTHERS.sub("", "\n".join(lines))
