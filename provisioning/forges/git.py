"""The only file that runs git.

Its configuration comes from here and from nowhere else: no home, no system file, no hooks, no protocol, no symbolic
links, no prompt. Names are checked before (provisioning.forges.names), arguments are a list, every command has a time
limit. Nothing here reaches another machine.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioning.engines.base import EngineUnavailable
from provisioning.forges import names
from provisioning.forges.base import Changes, Commit
from provisioning.forges.errors import ForgeRefused, Missing, Moved

NOTHING = "0" * 40  # git's name for a branch that is not there
_SECONDS = 60.0
_LOCKED = ".lock': File exists"  # another git is at it, or was killed: later it goes well
_STALE_LOCK_SECONDS = 10.0  # git's own lock files, left by a process that was killed; it needs milliseconds
_HARDENED = (
    "protocol.allow=never",
    "core.hooksPath=/dev/null",
    "core.symlinks=false",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.directory=*",
)
_WHO = "Deuteron"
_MAIL = "deuteron@localhost"


def run(
    git: Path,
    *arguments: str,
    text: bytes | None = None,
    extra: Mapping[str, str] | None = None,
    allowed: tuple[int, ...] = (0,),
    missing: str = "",
) -> bytes:
    """What a git command prints. Raises Missing when it fails and ``missing`` names what it was asked for."""
    settings = [argument for setting in _HARDENED for argument in ("-c", setting)]
    command = ["git", f"--git-dir={git}", *settings, "--no-pager", "--literal-pathspecs", *arguments]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_AUTHOR_NAME": _WHO,
        "GIT_AUTHOR_EMAIL": _MAIL,
        "GIT_COMMITTER_NAME": _WHO,
        "GIT_COMMITTER_EMAIL": _MAIL,
        **(extra or {}),
    }
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=_SECONDS, check=False, **source)
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(f"git {arguments[0]} took longer than {_SECONDS:g} s") from None
    except FileNotFoundError:
        raise EngineUnavailable("git is not installed: repositories of this machine need it") from None
    if done.returncode in allowed:
        return bytes(done.stdout)
    said = done.stderr.decode(errors="replace").strip()[:500]
    if missing:
        raise Missing(f"There is no commit {missing}.", "Look again.")
    raise EngineUnavailable(f"git {arguments[0]} failed: {said}")


def create(git: Path, branch: str) -> None:
    """An empty bare repository, with nothing of the machine's templates in it."""
    names.branch_name(branch)
    run(git, "init", "--quiet", "--bare", f"--initial-branch={branch}", "--template=", "--", str(git))


def default_branch(git: Path) -> str:
    return run(git, "symbolic-ref", "--short", "HEAD").decode().strip()


def first_with(git: Path, base: str, head: str) -> str:
    """The commit of a branch's own line that brought ``head`` in."""
    listed = run(git, "rev-list", "--first-parent", "--ancestry-path", f"{head}..{base}", "--").decode().split()
    return listed[-1] if listed else base


def delete(git: Path, branch: str, at: str) -> None:
    run(git, "update-ref", "-d", f"refs/heads/{names.branch_name(branch)}", names.commit_id(at))


def head(git: Path, branch: str) -> str | None:
    ref = f"refs/heads/{names.branch_name(branch)}"
    found = run(git, "rev-parse", "--verify", "--quiet", "--end-of-options", ref, allowed=(0, 1)).decode().strip()
    return found or None


def move(git: Path, branch: str, to: str, at: str) -> None:
    """The one visible change. Git itself checks that the branch is still where it was seen."""
    names.branch_name(branch)
    try:
        run(git, "update-ref", f"refs/heads/{branch}", to, at)
    except EngineUnavailable as error:
        found = head(git, branch)
        if found != (None if at == NOTHING else at):
            raise Moved(branch, found or "") from error
        if _LOCKED in str(error):
            raise
        raise ForgeRefused(f"The branch {branch} cannot be made: {error}", "Remove the branch in its way.") from error


def contains(git: Path, base: str, head: str) -> bool:
    command = ("rev-list", "--count", "--max-count=1", head, f"^{base}", "--")
    return run(git, *command).strip() == b"0"


def same(git: Path, one: str, other: str) -> bool:
    """Whether two commits differ by their dates only."""
    shown = [run(git, "log", "-1", "--format=%T%n%P%n%B", sha, "--") for sha in (one, other)]
    return shown[0] == shown[1]


def made(git: Path, parents: tuple[str, ...], changes: Changes, message: str) -> str:
    """A commit that no branch has yet: the last parent's tree with the changes."""
    with tempfile.TemporaryDirectory(prefix="deuteron-index-") as folder:
        index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        if parents:
            run(git, "read-tree", parents[-1], extra=index)
        lines = []
        for path, text in sorted(changes.items()):
            names.file_path(path)
            if text is None:
                lines.append(f"0 {NOTHING}\t{path}\0")
            else:
                blob = run(git, "hash-object", "-w", "--stdin", "--no-filters", text=text.encode()).decode().strip()
                lines.append(f"100644 {blob}\t{path}\0")
        run(git, "update-index", "-z", "--index-info", text="".join(lines).encode(), extra=index)
        tree = run(git, "write-tree", extra=index).decode().strip()
    return commit_tree(git, tree, parents, message)


def files(git: Path, sha: str, below: str = "") -> dict[str, str]:
    """Path -> blob of the plain files below a folder at a commit."""
    folder = names.folder_path(below)
    where = [f"{folder}/"] if folder else []
    listed = run(git, "ls-tree", "-r", "-z", "--full-tree", names.commit_id(sha), "--", *where, missing=sha)
    found = {}
    for line in listed.decode(errors="replace").split("\0")[:-1]:
        about, _, path = line.partition("\t")
        mode, kind, blob = about.split(" ")
        if kind == "blob" and mode in ("100644", "100755"):
            found[path] = blob
    return found


def commit_at(git: Path, sha: str) -> Commit:
    wanted = ("log", "-1", "--no-show-signature", "--format=%H%n%P%n%ct%n%B", names.commit_id(sha), "--")
    found, parents, at, message = run(git, *wanted, missing=sha).decode(errors="replace").split("\n", 3)
    return Commit(found, tuple(parents.split()), message.rstrip("\n"), float(at))


def changed_files(git: Path, base: str, head: str) -> tuple[str, ...]:
    listed = run(git, "diff", "--name-only", "-z", "--no-renames", base, head, "--")
    return tuple(listed.decode(errors="replace").split("\0")[:-1])


def diff(git: Path, base: str, head: str) -> str:
    return run(git, "diff", "--no-ext-diff", "--no-textconv", "--no-color", base, head, "--").decode(errors="replace")


def merge_base(git: Path, base: str, head: str) -> str:
    found = run(git, "merge-base", base, head, allowed=(0, 1)).decode().split()
    return found[0] if found else ""


def commit_tree(git: Path, tree: str, parents: tuple[str, ...], message: str) -> str:
    ends = [argument for parent in parents for argument in ("-p", parent)]
    return run(git, "commit-tree", *ends, tree, text=message.encode()).decode().strip()


def merged_tree(git: Path, base: str, head: str) -> str | None:
    """The tree of a three-way merge; None for a conflict or for histories that have nothing in common."""
    if not base or not run(git, "merge-base", base, head, allowed=(0, 1)):
        return None
    printed = run(git, "merge-tree", "--write-tree", "--name-only", "--no-messages", base, head, allowed=(0, 1))
    tree = printed.decode(errors="replace").split("\n")
    return tree[0] if len([line for line in tree if line]) == 1 else None


def sweep(git: Path) -> None:
    """Takes lock files of git away whose process was killed long ago."""
    for lock in (git / "HEAD.lock", git / "packed-refs.lock", *(git / "refs").rglob("*.lock")):
        with contextlib.suppress(OSError):
            if time.time() - lock.stat().st_mtime > _STALE_LOCK_SECONDS:
                lock.unlink()
