"""What every forge promises. The contract suite in tests/contracts runs against each of them.

A verb that changes something makes **at most one** visible change and can be repeated: names derive from what is
wanted, so that a call whose reply was lost finds what it made. A branch only ever moves forward, from the commit that
the caller expects it at: what a person has put there is never overwritten.

Every verb raises ForgeRefused (with what to do about it) and EngineUnavailable (nothing may be concluded).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from provisioning.forges import names
from provisioning.forges.errors import InvalidName

Provider = Literal["LOCAL", "GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET"]
State = Literal["open", "merged", "closed"]
Checks = Literal["", "pending", "success", "failure"]
Changes = Mapping[str, str | None]  # path -> text, None to delete


@dataclass(frozen=True)
class Repository:
    """A repository and the branch that it is worked on. Raises InvalidName for anything but plain names."""

    provider: Provider
    name: str  # owner/repo
    branch: str = "main"

    def __post_init__(self) -> None:
        if self.provider not in ("LOCAL", "GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET"):
            raise InvalidName("provider", str(self.provider), "choose one that is set up")
        names.repository_name(self.name)
        names.branch_name(self.branch)

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Access:
    """What a test of access found. ``problem`` is "" when all that a pull request needs is allowed."""

    default_branch: str
    can_write: bool
    private: bool
    problem: str = ""


@dataclass(frozen=True)
class Commit:
    sha: str
    parents: tuple[str, ...]
    message: str
    at: float  # seconds since the epoch, by the committer's clock


@dataclass(frozen=True)
class PullRequest:
    """A pull request as it was seen. ``mergeable`` is None while the forge has not worked it out, and False for a
    conflict. ``merged_as`` is the commit on the base branch, "" unless merged. ``files`` are the paths it changes."""

    number: int
    url: str
    state: State
    branch: str
    base: str
    head: str
    title: str
    body: str
    opened_at: float  # seconds since the epoch
    merged_at: float = 0.0
    merged_as: str = ""
    mergeable: bool | None = None
    checks: Checks = ""
    files: tuple[str, ...] = ()


class Forge(Protocol):
    """Reading verbs answer None or an empty mapping for what is not there; a repository must be there."""

    # Reading

    def access(self, repository: Repository) -> Access:
        """What the credentials may do. A repository that is missing or refused raises."""

    def head(self, repository: Repository, branch: str) -> str | None:
        """The newest commit of a branch."""

    def commit_at(self, repository: Repository, sha: str) -> Commit: ...

    def tree(self, repository: Repository, sha: str, below: str = "") -> Mapping[str, str]:
        """Path from the top -> id of the content, for every plain file below a folder at a commit."""

    def read(self, repository: Repository, sha: str, path: str) -> bytes | None:
        """A file at a commit."""

    def find_pull_request(self, repository: Repository, branch: str) -> PullRequest | None:
        """The newest pull request from a branch to the repository's branch, whatever its state."""

    def pull_request(self, repository: Repository, number: int) -> PullRequest: ...

    def diff(self, repository: Repository, number: int) -> str:
        """A pull request's changes as a unified diff."""

    # Changing

    def create_branch(self, repository: Repository, branch: str, at: str) -> None:
        """A branch at a commit. One that is there already at that commit is as good; elsewhere raises Moved."""

    def commit(
        self, repository: Repository, branch: str, parent: str, changes: Changes, message: str, *, also: str = ""
    ) -> str:
        """One commit on top of ``parent``, and the branch on it; a branch that is not there yet is made. With ``also``
        the commit joins that one in: its tree is ``also``'s with the changes. Returns the commit; the same one when it
        is there already. Raises Moved when the branch is anywhere else."""

    def delete_branch(self, repository: Repository, branch: str, at: str) -> None:
        """Takes a branch away that is still at ``at``; one that is gone is as good. Raises Moved."""

    def open_pull_request(self, repository: Repository, branch: str, title: str, body: str) -> PullRequest:
        """The open pull request of a branch; a new one unless there is one. Raises NothingToMerge."""

    def describe(self, repository: Repository, number: int, title: str, body: str) -> None:
        """Sets a pull request's title and text."""

    def close(self, repository: Repository, number: int, saying: str = "") -> None:
        """Closes a pull request without merging it, with a word why; one that is not open any more is left as it is."""

    def comment(self, repository: Repository, number: int, text: str, key: str) -> None:
        """Says something below a pull request, once for each ``key``."""

    def merge(self, repository: Repository, number: int, head: str) -> PullRequest:
        """Merges what is at ``head``; one that is merged already is as good. Raises Conflicted or Moved."""
