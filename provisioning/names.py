"""Names of files in a bundle, and the files that are collected under them."""

import re
import unicodedata
from collections.abc import Callable

from provisioning.problems import Problem, ProblemsFound

SCHEMAS = ("schema/schema.yaml", "schema/schema.yml")
MAX_FILE = 2 * 1024 * 1024  # AWS Proton: manifest, schema and any other file, 2 MB each
MAX_FILES = 500  # AWS Proton: files of a CodeBuild bundle
MAX_NAME = 1024  # characters of a whole name
MAX_PART = 255  # bytes of one part of it
MAX_PROBLEMS = 50
_CHUNK = 64 * 1024
_JUNK = {".ds_store", "__macosx", ".git", ".svn", ".hg", "thumbs.db", "desktop.ini", ".appledouble", ".spotlight-v100"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_junk(name: str) -> bool:
    """Whether an operating system or version control left it there: .DS_Store, __MACOSX/, ._x, .git/ and the like."""
    return any(part.lower() in _JUNK or part.startswith("._") for part in name.split("/"))


def unsafe(name: str) -> str | None:
    """Why a name cannot be used, or None. Names use "/" and are relative to the bundle's folder."""
    if "\0" in name or _CONTROL.search(name):
        return "has a control character in its name"
    if "\\" in name:
        return "has a backslash in its name; names in an archive use /"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute name"
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the bundle (..)"
    try:
        too_long = any(len(part.encode()) > MAX_PART for part in parts)
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if too_long or len(name) > MAX_NAME:
        return "has a name that is too long"
    return None


class Names:
    """Collects files under cleaned names and remembers everything that was wrong with them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.problems: list[Problem] = []
        self._folded: dict[str, str] = {}  # what a case-blind disk would call it -> the name
        self._folders: set[str] = set()
        self._rooted: list[str] = []  # names that start with "/"
        self._relative = False  # whether any does not

    def clean(self, name: str) -> str | None:
        """The name without "./" and doubled slashes; None when the member is to be skipped (junk, or refused).

        A name that starts with "/" is taken without it for now: ``finish`` decides.
        """
        relative = name.removeprefix("/")
        reason = unsafe(relative)
        if reason:
            self.refuse(name, reason)
            return None
        clean = "/".join(part for part in relative.split("/") if part not in ("", "."))
        if not clean or is_junk(clean):
            return None
        if relative == name:
            self._relative = True
        else:
            self._rooted.append(name)
        return clean

    def refuse(self, name: str, reason: str) -> None:
        shown = _CONTROL.sub("?", name).encode("utf-8", "replace").decode()[:200]
        self.problems.append(Problem("", f"{shown} {reason}.", file=shown))
        if len(self.problems) >= MAX_PROBLEMS:
            raise ProblemsFound(self.problems)

    def add(self, name: str, read: Callable[[int], bytes]) -> None:
        """Takes the content behind ``read`` unless the name clashes or the content is too large."""
        if not self._take(name):
            return
        if len(self.files) >= MAX_FILES:
            self.refuse(name, f"is one file too many: a bundle has at most {MAX_FILES}")
            raise ProblemsFound(self.problems)
        content = bytearray()
        while chunk := read(_CHUNK):
            content += chunk
            if len(content) > MAX_FILE:
                self.refuse(name, f"is larger than {MAX_FILE // 1024**2} MB")
                return
        self.files[name] = bytes(content)

    def _take(self, name: str) -> bool:
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            other = self._folded.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
            if other != path:
                self.refuse(name, f"differs from {other} only in upper and lower case")
                return False
        if name in self.files or name in self._folders:
            self.refuse(name, "is there twice")
            return False
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if folder in self.files:
                self.refuse(name, f"is inside {folder}, which is a file")
                return False
            self._folders.add(folder)
        return True

    def finish(self) -> dict[str, bytes]:
        """The files. Raises ProblemsFound when anything was refused or nothing is left.

        AWS's own protonizer packs a bundle as /schema/schema.yaml and so on: where every name starts with "/" and that
        one is there, the slash is the bundle's folder. Any other absolute name is refused.
        """
        if self._relative or not any(schema in self.files for schema in SCHEMAS):
            for name in self._rooted:
                self.refuse(name, "has an absolute name")
        if self.problems:
            raise ProblemsFound(self.problems)
        if not self.files:
            raise ProblemsFound([Problem("", "The bundle is empty.")])
        return self.files
