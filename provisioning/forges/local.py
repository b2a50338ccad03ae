"""Repositories on this machine: bare git repositories below a directory, and their pull requests beside them.

Changes of one repository take turns behind a file lock, which ends with its process. A pull request is one JSON file,
replaced as a whole. What a killed process leaves unfinished is found again: an open pull request whose commits are on
the base branch is merged, whatever its file says.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from provisioning.forges import git, names
from provisioning.forges.base import Access, Changes, Commit, PullRequest, Repository, State
from provisioning.forges.errors import Conflicted, ForgeRefused, Missing, Moved, NothingToMerge

_MAX_DIFF = 2_000_000  # characters


@dataclass(frozen=True)
class _Record:
    """What the file of a pull request holds. ``comments`` are text by key."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    opened_at: float
    closed: bool = False
    head: str = ""  # once merged or closed
    merged_as: str = ""
    merged_at: float = 0.0
    start: str = ""  # once merged: where the base branch was
    comments: Mapping[str, str] = field(default_factory=dict)


class LocalForge:
    """The forge of provider LOCAL. ``url`` makes the address of a pull request from repository name and number."""

    def __init__(
        self,
        directory: str | Path,
        *,
        url: Callable[[str, int], str] = lambda name, number: f"/repositories/{name}/pull/{number}",
        clock: Callable[[], float] = time.time,
    ):
        self._directory = Path(directory)
        self._url = url
        self._clock = clock

    # Beyond the protocol: this forge also keeps the repositories

    def create(self, repository: Repository, files: Mapping[str, str], message: str = "First commit") -> str:
        """A repository with one commit on its branch; one that is there already is left as it is. Returns the head."""
        path = self._path(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            new = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
            git.create(new, repository.branch)
            sha = git.made(new, (), files, message)
            git.move(new, repository.branch, sha, git.NOTHING)
            (new / "pull-requests").mkdir()
            (new / "turn.lock").touch()
            try:
                os.rename(new, path)
            except OSError:  # another process was faster: its repository stays
                shutil.rmtree(new)
        found = self.head(repository, repository.branch)
        if found is None:
            raise Missing(f"The repository {repository.name} has no branch {repository.branch}.", "Create the branch.")
        return found

    def repositories(self) -> tuple[str, ...]:
        """Names of all repositories."""
        found = (path for path in self._directory.glob("*/*.git") if not path.name.startswith(".new-"))
        return tuple(sorted(f"{path.parent.name}/{path.name.removesuffix('.git')}" for path in found))

    def pull_requests(self, repository: Repository) -> tuple[PullRequest, ...]:
        """All pull requests of a repository, newest first."""
        where = self._there(repository)
        return tuple(self._shown(where, repository, record) for record in reversed(_records(where)))

    def comments(self, repository: Repository, number: int) -> tuple[str, ...]:
        return tuple(_record(self._there(repository), number).comments.values())

    # Reading

    def access(self, repository: Repository) -> Access:
        where = self._there(repository)
        problem = "" if git.head(where, repository.branch) else f"There is no branch {repository.branch}."
        return Access(git.default_branch(where), can_write=os.access(where, os.W_OK), private=True, problem=problem)

    def head(self, repository: Repository, branch: str) -> str | None:
        return git.head(self._there(repository), branch)

    def commit_at(self, repository: Repository, sha: str) -> Commit:
        return git.commit_at(self._there(repository), sha)

    def tree(self, repository: Repository, sha: str, below: str = "") -> Mapping[str, str]:
        return git.files(self._there(repository), sha, below)

    def read(self, repository: Repository, sha: str, path: str) -> bytes | None:
        where = self._there(repository)
        blob = git.files(where, sha, names.file_path(path).rpartition("/")[0]).get(path)
        return None if blob is None else git.run(where, "cat-file", "blob", blob)

    def find_pull_request(self, repository: Repository, branch: str) -> PullRequest | None:
        where = self._there(repository)
        record = _newest(where, names.branch_name(branch), repository.branch)
        return None if record is None else self._shown(where, repository, record)

    def pull_request(self, repository: Repository, number: int) -> PullRequest:
        where = self._there(repository)
        return self._shown(where, repository, _record(where, number))

    def diff(self, repository: Repository, number: int) -> str:
        where = self._there(repository)
        record = _record(where, number)
        base, head = _ends(where, record, "" if record.start else git.head(where, record.base) or "")
        return git.diff(where, base, head)[:_MAX_DIFF] if head else ""

    # Changing

    def create_branch(self, repository: Repository, branch: str, at: str) -> None:
        with self._turn(repository) as where:
            git.commit_at(where, at)
            found = git.head(where, branch)
            if found is None:
                git.move(where, branch, at, git.NOTHING)
            elif found != at:
                raise Moved(branch, found)

    def commit(
        self, repository: Repository, branch: str, parent: str, changes: Changes, message: str, *, also: str = ""
    ) -> str:
        with self._turn(repository) as where:
            parents = (parent, also) if also else (parent,)
            for sha in parents:
                git.commit_at(where, sha)
            found = git.head(where, branch)
            wanted = git.made(where, parents, changes, message)
            if found is None or found == parent:
                git.move(where, branch, wanted, found or git.NOTHING)
                return wanted
            if git.same(where, found, wanted):
                return found
            raise Moved(branch, found)

    def delete_branch(self, repository: Repository, branch: str, at: str) -> None:
        with self._turn(repository) as where:
            found = git.head(where, branch)
            if found is None:
                return
            if found != names.commit_id(at):
                raise Moved(branch, found)
            for record in _records(where):
                if record.branch == branch and self._shown(where, repository, record).state == "open":
                    _keep(where, replace(record, closed=True, head=found))
            git.delete(where, branch, at)

    def open_pull_request(self, repository: Repository, branch: str, title: str, body: str) -> PullRequest:
        with self._turn(repository) as where:
            head, base = git.head(where, branch), git.head(where, repository.branch)
            if head is None or base is None:
                raise Missing(f"There is no branch {branch if head is None else repository.branch}.", "Create it.")
            found = _newest(where, branch, repository.branch)
            if found is not None and (shown := self._shown(where, repository, found)).state == "open":
                return shown
            if git.contains(where, base, head):
                raise NothingToMerge(f"Everything on {branch} is on {repository.branch} already.")
            records = _records(where)
            number = records[-1].number + 1 if records else 1
            record = _Record(number, branch, repository.branch, names.one_line(title), body, self._clock())
            _keep(where, record)
            return self._shown(where, repository, record)

    def describe(self, repository: Repository, number: int, title: str, body: str) -> None:
        with self._turn(repository) as where:
            _keep(where, replace(_record(where, number), title=names.one_line(title), body=body))

    def close(self, repository: Repository, number: int, saying: str = "") -> None:
        with self._turn(repository) as where:
            record = _record(where, number)
            shown = self._shown(where, repository, record)
            if shown.state == "open":
                comments = {**record.comments, **({"closed": saying} if saying else {})}
                _keep(where, replace(record, closed=True, head=shown.head, comments=comments))

    def comment(self, repository: Repository, number: int, text: str, key: str) -> None:
        with self._turn(repository) as where:
            record = _record(where, number)
            if key not in record.comments:
                _keep(where, replace(record, comments={**record.comments, key: text}))

    def merge(self, repository: Repository, number: int, head: str) -> PullRequest:
        with self._turn(repository) as where:
            record = _record(where, number)
            shown = self._shown(where, repository, record)
            if shown.state == "merged":
                return shown
            if shown.state == "closed":
                raise ForgeRefused(f"Pull request {number} is closed.", "Open a new one.")
            if shown.head != names.commit_id(head):
                raise Moved(record.branch, shown.head)
            base = git.head(where, record.base) or ""
            tree = git.merged_tree(where, base, head)
            if tree is None:
                raise Conflicted(
                    f"Pull request {number} and {record.base} change the same lines.",
                    f"Merge {record.base} into {record.branch} and resolve the conflict there.",
                )
            message = f"Merge pull request #{number} from {record.branch}\n\n{record.title}\n"
            sha = git.commit_tree(where, tree, (base, head), message)
            git.move(where, record.base, sha, base)
            merged = replace(record, head=head, merged_as=sha, merged_at=self._clock(), start=base)
            _keep(where, merged)
            return self._shown(where, repository, merged)

    # Inside

    def _shown(self, where: Path, repository: Repository, record: _Record) -> PullRequest:
        record = replace(record, head=record.head or git.head(where, record.branch) or "")
        tip = "" if record.start else git.head(where, record.base) or ""
        if tip and not record.merged_as and not record.closed and record.head:
            record = _found_merged(where, record, tip)
        base, head = _ends(where, record, tip)
        state: State = "merged" if record.merged_as else "closed" if record.closed or not head else "open"
        mergeable = None
        if state == "open":
            mergeable = git.merged_tree(where, tip, head) is not None
        return PullRequest(
            number=record.number,
            url=self._url(repository.name, record.number),
            state=state,
            branch=record.branch,
            base=record.base,
            head=head,
            title=record.title,
            body=record.body,
            opened_at=record.opened_at,
            merged_at=record.merged_at,
            merged_as=record.merged_as,
            mergeable=mergeable,
            files=git.changed_files(where, base, head) if head else (),
        )

    def _path(self, repository: Repository) -> Path:
        owner, _, name = names.repository_name(repository.name).partition("/")
        return self._directory / owner / f"{name}.git"

    def _there(self, repository: Repository) -> Path:
        path = self._path(repository)
        if not path.is_dir():
            raise Missing(f"There is no repository {repository.name}.", "Check its name.")
        return path

    @contextlib.contextmanager
    def _turn(self, repository: Repository) -> Iterator[Path]:
        """One change at a time for each repository. The lock ends with the process that holds it."""
        where = self._there(repository)
        with open(where / "turn.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            git.sweep(where)
            yield where


def _found_merged(where: Path, record: _Record, tip: str) -> _Record:
    """The record, merged when its commits are on the base branch, whose head is ``tip``: by hand, or by a merge whose
    end was lost."""
    if not git.contains(where, tip, record.head):
        return record
    merged_as = git.first_with(where, tip, record.head)
    about = git.commit_at(where, merged_as)
    return replace(record, merged_as=merged_as, merged_at=about.at, start=about.parents[0] if about.parents else "")


def _ends(where: Path, record: _Record, tip: str) -> tuple[str, str]:
    """Where a pull request's changes begin and end. ``tip`` is the head of its base branch."""
    head = record.head or git.head(where, record.branch) or ""
    base = record.start or tip
    if not head or not base:
        return "", ""
    return git.merge_base(where, base, head) or base, head


def _records(where: Path) -> list[_Record]:
    numbers = sorted(int(path.stem) for path in (where / "pull-requests").glob("*.json") if path.stem.isdigit())
    return [_record(where, number) for number in numbers]


def _record(where: Path, number: int) -> _Record:
    try:
        values: dict[str, Any] = json.loads((where / "pull-requests" / f"{int(number)}.json").read_text())
    except FileNotFoundError:
        raise Missing(f"There is no pull request {number}.", "Look at the list.") from None
    return _Record(**values)


def _newest(where: Path, branch: str, base: str) -> _Record | None:
    found = [record for record in _records(where) if (record.branch, record.base) == (branch, base)]
    return found[-1] if found else None


def _keep(where: Path, record: _Record) -> None:
    """Replaces the file as a whole: a reader sees the old one or the new one."""
    with tempfile.NamedTemporaryFile("w", dir=where / "pull-requests", prefix=".", delete=False) as file:
        json.dump(asdict(record), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, where / "pull-requests" / f"{record.number}.json")
