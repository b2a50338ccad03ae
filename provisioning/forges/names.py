"""What may be called a repository, a branch, a path or a commit. Everything else is refused before it is used.

Names reach command lines and addresses, so the rules are narrower than any forge's own: a name never starts with a
hyphen, never leads anywhere else, and never needs quoting.
"""

import re

from provisioning.forges.errors import InvalidName
from provisioning.names import unsafe

_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+=#-]{0,243}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
_BASE_URL = re.compile(rf"https://{_HOST}(?::[1-9][0-9]{{0,4}})?(?:/api/v3)?", re.ASCII)
_THIS_MACHINE = re.compile(r"http://127\.0\.0\.1:[1-9][0-9]{0,4}", re.ASCII)
_GIT_FOLDER = re.compile(r"(?:\.git|git~[0-9]+)[ .]*(?::.*)?$", re.IGNORECASE)  # as Windows and macOS may read it
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def repository_name(name: str) -> str:
    """The name when it is ``owner/repo``. Raises InvalidName."""
    owner, slash, repository = name.partition("/")
    bad_end = repository.endswith((".git", ".lock", ".")) or repository in (".", "..")
    if not slash or not _OWNER.fullmatch(owner) or not _REPOSITORY.fullmatch(repository) or bad_end:
        raise InvalidName("repository", name, "write it as owner/name, with letters, digits, hyphens, dots and _")
    return name


def branch_name(name: str) -> str:
    """The name when it can be a branch's: git's rules and ours. Raises InvalidName."""
    parts = name.split("/")
    bad = (
        not _BRANCH.fullmatch(name)
        or ".." in name
        or name.endswith((".", "/"))
        or any(not part or part.startswith((".", "-")) or part.endswith(".lock") for part in parts)
        or parts[0] in ("refs", "HEAD")
        or _SHA.fullmatch(name)
    )
    if bad:
        raise InvalidName("branch", name, "use letters, digits, hyphens, dots, slashes and _, as in feature/one")
    return name


def commit_id(sha: str) -> str:
    """The full id of a commit. Raises InvalidName."""
    if not _SHA.fullmatch(sha):
        raise InvalidName("commit", sha, "a commit is named by its 40 hexadecimal digits")
    return sha


def file_path(path: str) -> str:
    """A file's path inside a repository. Raises InvalidName."""
    parts = path.split("/")
    bad = unsafe(path) or not _PRINTABLE.fullmatch(path) or path.startswith("-")
    if bad or any(part in ("", ".", "..") or _GIT_FOLDER.match(part) for part in parts):
        raise InvalidName("file", path, "name a file by its path from the top of the repository")
    return path


def folder_path(path: str) -> str:
    """A folder's path inside a repository; "" is the top. Raises InvalidName."""
    return file_path(path) if path else ""


def base_url(url: str) -> str:
    """The address of a GitHub server's API: https, and no more than host, port and /api/v3. Raises InvalidName.

    Plain http is for a server on this very machine, by its number.
    """
    if not _BASE_URL.fullmatch(url) and not _THIS_MACHINE.fullmatch(url):
        raise InvalidName("address", url, "write https:// and the host, and /api/v3 for GitHub Enterprise")
    return url


def one_line(text: str, length: int = 200) -> str:
    """A title: one line of visible characters, cut to ``length``."""
    words = " ".join("".join(c if _PRINTABLE.fullmatch(c) else " " for c in text).split())
    return words if len(words) <= length else words[: length - 1] + "…"
