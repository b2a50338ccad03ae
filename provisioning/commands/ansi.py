"""Terminal output as plain text: colours and cursor movements are for terminals, and logs are text."""

import codecs
import re

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[PX^_].*?\x1b\\"
    r"|\x1b[@-_]"
)
_OTHERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
LONGEST_SEQUENCE = 400  # characters of one that has not ended yet


class Plain:
    """A stream of bytes without the sequences and characters that no reader sees, also where one came in pieces.

    Carriage returns stay: which of two texts overwrote the other is only known at the end of the line.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        text = self._held + self._decoder.decode(data, final)
        text = _SEQUENCES.sub("", text)
        begun = text.find("\x1b", max(0, len(text) - LONGEST_SEQUENCE))
        if final or begun < 0:
            begun = len(text)
        self._held = text[begun:]
        return _OTHERS.sub("", text[:begun]).encode()


def plain(text: str) -> str:
    """Without control characters. A line that was overwritten by a carriage return shows what was written last."""
    text = _SEQUENCES.sub("", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return _OTHERS.sub("", "\n".join(lines).replace("\r", ""))
