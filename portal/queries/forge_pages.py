"""What pages show of a repository beyond its row. Each asks the forge, which may refuse or be silent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from portal import forges
from portal.errors import NotFound, Unavailable
from portal.models import Repository
from provisioning.engines.base import EngineUnavailable
from provisioning.forges import base
from provisioning.forges.errors import ForgeRefused

LARGEST_FILE = 1024 * 1024  # bytes that a page shows of a file
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Shown:
    """A pull request of the forge of this machine with its changes as a unified diff, and what was said below it."""

    pull: base.PullRequest
    diff: str
    comments: tuple[str, ...]


def pull_request(row: Repository, number: int) -> Shown:
    """Raises NotFound where there is none, and for a repository whose pull requests have a page elsewhere."""
    local = forges.local_forge() if forges.is_local(row.provider) else None
    if local is None:
        raise NotFound(f"pull requests of {row} are shown at {row.get_provider_display()}")
    _, there = forges.forge(row.provider, row.name, row.default_branch)
    return _asked(
        lambda: Shown(local.pull_request(there, number), local.diff(there, number), local.comments(there, number))
    )


def files(row: Repository) -> tuple[str, tuple[str, ...]]:
    """The newest commit of the default branch, and the paths of all files at it."""

    def look() -> tuple[str, tuple[str, ...]]:
        forge, there = forges.forge(row.provider, row.name, row.default_branch)
        head = forge.head(there, there.branch)
        return (head, tuple(sorted(forge.tree(there, head)))) if head else ("", ())

    return _asked(look)


def file(row: Repository, path: str) -> str:
    """A file at the newest commit of the default branch, as text. Raises NotFound for what is none."""

    def look() -> bytes | None:
        forge, there = forges.forge(row.provider, row.name, row.default_branch)
        head = forge.head(there, there.branch)
        return forge.read(there, head, path) if head else None

    found = _asked(look)
    if found is None:
        raise NotFound(f"there is no file {path} in {row}")
    return found[:LARGEST_FILE].decode("utf-8", errors="replace")


def _asked(look: Callable[[], Answer]) -> Answer:
    try:
        return look()
    except ForgeRefused as refused:
        raise NotFound(str(refused)) from None
    except EngineUnavailable as silent:
        raise Unavailable(f"The repository could not be read: {silent}") from None
