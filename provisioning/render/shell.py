"""Developer input must not change the words and operators of a shell command.

The command exists twice, as ``fragments.assemble`` makes it: with its values, and with a token of letters and digits in
place of each value from outside. The one with tokens shows what its author meant: whether a value stands as a word of
its own, in quotes, in a here-document, in a comment. What a value may hold follows from that. Whatever its author's
quotes do not protect has a small alphabet, and so has what a second shell will read (``bash -c "..."``, ``eval``).

An empty value is not looked at: without quotes its word is gone, as its author wrote it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from provisioning.render.fragments import TOKEN, Leaf

Place = Literal["word", "single", "double", "text", "comment"]
ADVICE = "choose another value, or let the command read it from proton-inputs.json or a variable"

_WORD = re.compile(r"[A-Za-z0-9_./:@=+,-]*")
_REFUSED: dict[Place, re.Pattern[str]] = {
    "single": re.compile(r"[\n\r'`$\\!]"),
    "double": re.compile(r'[\n\r"`$\\!]'),
    "text": re.compile(r"[\n\r`$\\]"),
    "comment": re.compile(r"[\n\r]"),
}
_WHY: dict[Place, str] = {
    "word": "stands outside of quotes, where only letters, digits and _./:@=+,- keep the words of the command",
    "single": "would end the quotes that it stands in, or be run by them",
    "double": "would end the quotes that it stands in, or be run by them",
    "text": "would be run in the here-document that it stands in, or end it",
    "comment": "would end the comment that it stands in",
}
_OPTION = re.compile(r"--?[A-Za-z]")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(['\"\\]?)([\w.-]+)['\"]?")
_INTERPRETERS = re.compile(r"(?:.*/)?(?:(?:ba|da|z|k|c|fi)?sh|su|python[\d.]*|node|perl|ruby|awk|eval|ssh|source)")
_AT_ONCE = ("eval", "ssh", "awk")  # what they are given is code, without an option that says so
_CODE = re.compile(r"-[a-zA-Z]*[cerp]|--command|--eval")
_CASE = re.compile(r"\besac\b")
_BLANK = " \t\n;|&()<>"


@dataclass(frozen=True)
class Refusal:
    """A value that is not what its author's quotes allow. ``why`` goes on after "the value ..."."""

    leaf: Leaf
    why: str


def refusals(twin: str, leaves: Sequence[Leaf]) -> tuple[Refusal, ...]:
    """What must not be in a command. ``twin`` is the command with a token (``fragments.TOKEN``) for each value, also as
    a part of a longer file, ``leaves`` the values by the numbers of their tokens."""
    found: dict[tuple[str, str], Refusal] = {}
    for number, place, begins in _places(twin):
        leaf = leaves[number]
        if why := _why(leaf.text, place, begins):
            found.setdefault((leaf.text, why), Refusal(leaf, why))
    return tuple(found.values())


def _why(text: str, place: Place, begins: bool) -> str:
    if _WORD.fullmatch(text) is None if place == "word" else _REFUSED[place].search(text):
        return _WHY[place]
    if begins and place in ("word", "single", "double") and _OPTION.match(text):
        return "would be read as an option of the command"
    return ""


def _places(twin: str) -> Iterator[tuple[int, Place, bool]]:
    """Each token's number, where it stands, and whether a word begins with it."""
    reader = _Reader(twin)
    reader.read()
    # The brackets of a case inside of a substitution cannot be told from its end by reading letters.
    strict = _CASE.search(twin) is not None and ("$(" in twin or "`" in twin)
    for number, place, begins in reader.found:
        yield number, "word" if strict else place, begins


class _Reader:
    """Follows quotes, substitutions and here-documents. What it does not know is outside of quotes."""

    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.found: list[tuple[int, Place, bool]] = []
        self.closers: list[str] = []  # of the substitutions that are open, and "\"" for double quotes around them
        self.heredocs: list[tuple[str, bool, bool]] = []  # delimiter, tabs are dropped, quoted
        self.word = ""  # so far, without its quotes
        self.began = False  # something of a word was read, be it a quote
        self.interpreter = ""  # a word of this command that runs code
        self.again = False  # the words that follow are read as code

    def read(self) -> None:
        while self.at < len(self.text):
            if self.closers and self.closers[-1] == '"':
                self._inside_double()
            else:
                self._outside()

    def _token(self, place: Place) -> bool:
        match = TOKEN.match(self.text, self.at)
        if match is None:
            return False
        place = "word" if self.again else place
        self.found.append((int(match[1]), place, self.word == ""))
        self.word += match[0]
        self.began = True
        self.at = match.end()
        return True

    def _ends_word(self) -> None:
        if self.began:
            if _INTERPRETERS.fullmatch(self.word):
                self.interpreter = self.word.rpartition("/")[2]
            if self.interpreter in _AT_ONCE or (self.interpreter and _CODE.fullmatch(self.word)):
                self.again = True
        self.word, self.began = "", False

    def _outside(self) -> None:
        if self._token("word"):
            return
        letter = self.text[self.at]
        if letter == "\\":
            self._keep(2)
        elif letter == "'":
            self._single()
        elif letter == '"':
            self.closers.append('"')
            self.began = True
            self.at += 1
        elif self.text.startswith("$'", self.at):
            self._single(escapes=True)
        elif letter == "$" and self.text[self.at + 1 : self.at + 2] in ("(", "{"):
            self._open(")" if self.text[self.at + 1] == "(" else "}")
        elif letter == "`":
            self._backtick()
        elif self.closers and letter == self.closers[-1]:
            self.closers.pop()
            self._keep(1)
        elif letter == "(" and self.closers:
            self.closers.append(")")
            self._end_of_command()
        elif letter == "{" and self.closers and self.closers[-1] == "}":
            self.closers.append("}")
            self._keep(1)
        elif letter == "#" and not self.began:
            self._comment()
        elif self.text.startswith("<<<", self.at):
            self._ends_word()
            self.at += 3
        elif match := self._heredoc():
            self._ends_word()
            self.heredocs.append((match[3], match[1] == "-", match[2] != ""))
            self.at = match.end()
        elif letter == "\n":
            self._end_of_command()
            if self.heredocs:
                self._documents()
        elif letter in ";|&":
            self._end_of_command()
        elif letter in _BLANK:
            self._ends_word()
            self.at += 1
        else:
            self._keep(1)

    def _heredoc(self) -> re.Match[str] | None:
        """One that has an end: what has none may be a shift of numbers."""
        match = _HEREDOC.match(self.text, self.at)
        if match and re.search(rf"^\t*{re.escape(match[3])}$", self.text[match.end() :], re.MULTILINE):
            return match
        return None

    def _end_of_command(self) -> None:
        self.word, self.began, self.again, self.interpreter = "", False, False, ""
        self.at += 1

    def _keep(self, size: int) -> None:
        self.word += self.text[self.at : self.at + size]
        self.began = True
        self.at += size

    def _open(self, closer: str) -> None:
        self.closers.append(closer)
        self.at += 2
        if closer == ")":
            self.word, self.began = "", False

    def _inside_double(self) -> None:
        if self._token("double"):
            return
        letter = self.text[self.at]
        if letter == '"':
            self.closers.pop()
            self.at += 1
        elif letter == "\\":
            self._keep(2)
        elif letter == "$" and self.text[self.at + 1 : self.at + 2] in ("(", "{"):
            self._open(")" if self.text[self.at + 1] == "(" else "}")
        elif letter == "`":
            self._backtick()
        else:
            self._keep(1)

    def _backtick(self) -> None:
        """An opening and a closing one are the same character."""
        if "`" in self.closers:
            while self.closers.pop() != "`":
                pass
            self._keep(1)
        else:
            self.closers.append("`")
            self.at += 1
            self.word, self.began = "", False

    def _single(self, *, escapes: bool = False) -> None:
        self.began = True
        self.at += 2 if escapes else 1
        while self.at < len(self.text) and self.text[self.at] != "'":
            if not self._token("single"):
                self._keep(2 if escapes and self.text[self.at] == "\\" else 1)
        self.at += 1

    def _comment(self) -> None:
        while self.at < len(self.text) and self.text[self.at] != "\n":
            if not self._token("comment"):
                self.at += 1
        self.word, self.began = "", False

    def _documents(self) -> None:
        for delimiter, tabs, quoted in self.heredocs:
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                if (line.lstrip("\t") if tabs else line) == delimiter:
                    self.at = end + 1
                    break
                self._line_of_document(end, quoted)
        self.heredocs.clear()
        self.word, self.began = "", False

    def _line_of_document(self, end: int, quoted: bool) -> None:
        """What is substituted in it is run by the same shell: there a value stands as outside of quotes."""
        depth = 0
        while self.at < end:
            if self._token("word" if depth else "text"):
                continue
            if not quoted and self.text.startswith(("$(", "${"), self.at):
                depth += 1
                self.at += 1
            elif not quoted and self.text[self.at] == "`":
                depth = 0 if depth else 1
            elif depth and self.text[self.at] in ")}":
                depth -= 1
            self.at += 1
        self.at = end + 1
