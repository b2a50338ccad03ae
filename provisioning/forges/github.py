"""Repositories at GitHub and at GitHub Enterprise.

A commit is made of objects that nobody sees until a branch moves to it: the branch is the one visible change, and it
only ever moves forward. "Exists already" is looked at again: what has our content is ours.
"""

import base64
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from github import InputGitTreeElement

from provisioning.forges import names
from provisioning.forges.base import Access, Changes, Checks, Commit, PullRequest, Repository, State
from provisioning.forges.errors import Conflicted, ForgeRefused, Missing, Moved, NoAccess, NothingToMerge
from provisioning.forges.github_client import PUBLIC, Answered, App, Client, Token

_MAX_DIFF = 2_000_000  # characters


class GitHubForge:
    """The forge of providers GITHUB and GITHUB_ENTERPRISE; the latter's ``base_url`` ends in /api/v3."""

    def __init__(
        self,
        credentials: App | Token,
        base_url: str = PUBLIC,
        *,
        timeout: int = 15,
        clock: Callable[[], float] = time.time,
    ):
        self._client = Client(credentials, base_url, timeout=timeout, clock=clock)

    # Reading

    def access(self, repository: Repository) -> Access:
        def look(there: Any) -> tuple[str, bool, bool]:
            rights = there.permissions
            return str(there.default_branch), bool(there.private), bool(rights and rights.push)

        default, private, may_push = self._client.ask(repository, look)
        granted = self._client.permissions(repository)
        missing = []
        if granted is not None:
            missing = [right for right in ("contents", "pull_requests") if granted.get(right) != "write"]
            may_push = not missing
        problem = ""
        if not may_push:
            problem = f"No right to write {' and '.join(missing) or 'to it'}.".replace("_", " ")
        elif self.head(repository, repository.branch) is None:
            problem = f"There is no branch {repository.branch}."
        return Access(default, can_write=may_push, private=private, problem=problem)

    def head(self, repository: Repository, branch: str) -> str | None:
        ref = f"heads/{names.branch_name(branch)}"
        return self._client.ask_or_none(repository, lambda there: str(there.get_git_ref(ref).object.sha))

    def commit_at(self, repository: Repository, sha: str) -> Commit:
        names.commit_id(sha)
        return self._client.ask(repository, lambda there: _commit(there.get_git_commit(sha)))

    def tree(self, repository: Repository, sha: str, below: str = "") -> Mapping[str, str]:
        names.commit_id(sha)
        folder = names.folder_path(below)

        def look(there: Any) -> dict[str, str]:
            found = sha
            for part in folder.split("/") if folder else ():
                entries = there.get_git_tree(found).tree
                found = next((entry.sha for entry in entries if (entry.path, entry.type) == (part, "tree")), "")
                if not found:
                    return {}
            listed = there.get_git_tree(found, recursive=True)
            if listed.raw_data.get("truncated"):
                raise ForgeRefused(
                    f"{repository.name} has too many files below /{folder}.", "Use a repository with fewer files."
                )
            prefix = f"{folder}/" if folder else ""
            plain = [entry for entry in listed.tree if entry.type == "blob" and entry.mode in ("100644", "100755")]
            return {prefix + entry.path: entry.sha for entry in plain}

        return self._client.ask(repository, look)

    def read(self, repository: Repository, sha: str, path: str) -> bytes | None:
        blob = self.tree(repository, sha, names.file_path(path).rpartition("/")[0]).get(path)
        if blob is None:
            return None
        return self._client.ask(repository, lambda there: base64.b64decode(there.get_git_blob(blob).content))

    def find_pull_request(self, repository: Repository, branch: str) -> PullRequest | None:
        head = f"{repository.owner}:{names.branch_name(branch)}"

        def look(there: Any) -> int | None:
            found = there.get_pulls(
                state="all", sort="created", direction="desc", base=repository.branch, head=head
            ).get_page(0)
            return next((int(pull.number) for pull in found if pull.head.ref == branch), None)

        number = self._client.ask(repository, look)
        return None if number is None else self.pull_request(repository, number)

    def pull_request(self, repository: Repository, number: int) -> PullRequest:
        def look(there: Any) -> PullRequest:
            pull = there.get_pull(int(number))
            return _pull_request(pull, tuple(str(file.filename) for file in pull.get_files()))

        found = self._client.ask(repository, look)
        return replace(found, checks=self._checks(repository, found.head)) if found.state == "open" else found

    def diff(self, repository: Repository, number: int) -> str:
        def look(there: Any) -> str:
            return "".join(_file_diff(file) for file in there.get_pull(int(number)).get_files())

        return self._client.ask(repository, look)[:_MAX_DIFF]

    # Changing

    def create_branch(self, repository: Repository, branch: str, at: str) -> None:
        self._point(repository, branch, names.commit_id(at), None)

    def commit(
        self, repository: Repository, branch: str, parent: str, changes: Changes, message: str, *, also: str = ""
    ) -> str:
        found = self.head(repository, branch)
        onto = names.commit_id(also or parent)
        gone = [path for path, text in changes.items() if text is None]
        there_now = self.tree(repository, onto) if gone else {}
        elements = [
            InputGitTreeElement(names.file_path(path), "100644", "blob", **_content(text))
            for path, text in sorted(changes.items())
            if text is not None or path in there_now
        ]
        parents = [names.commit_id(sha) for sha in (parent, also) if sha]

        def tree_of(there: Any) -> Any:
            base = there.get_git_commit(onto).tree
            return there.create_git_tree(elements, base) if elements else base

        if found not in (None, parent):
            tree = self._client.ask(repository, lambda there: str(tree_of(there).sha))
            if self._is(repository, str(found), tree, parents, message):
                return str(found)
            raise Moved(branch, str(found))

        def make(there: Any) -> str:
            made = there.create_git_commit(message, tree_of(there), [there.get_git_commit(sha) for sha in parents])
            return str(made.sha)

        sha = self._client.ask(repository, make)
        self._point(repository, branch, sha, found)
        return sha

    def delete_branch(self, repository: Repository, branch: str, at: str) -> None:
        names.branch_name(branch)
        names.commit_id(at)

        def delete(there: Any) -> str:
            ref = there.get_git_ref(f"heads/{branch}")
            if (now := str(ref.object.sha)) == at:
                ref.delete()
            return now

        try:
            now = self._client.ask_or_none(repository, delete)
        except Answered as refused:
            if "does not exist" not in refused.said:
                raise
            return
        if now not in (None, at):
            raise Moved(branch, str(now))

    def open_pull_request(self, repository: Repository, branch: str, title: str, body: str) -> PullRequest:
        found = self.find_pull_request(repository, branch)
        if found is not None and found.state == "open":
            return found
        wanted = {"base": repository.branch, "head": branch, "title": names.one_line(title), "body": body}
        try:
            number = self._client.ask(repository, lambda there: int(there.create_pull(**wanted).number))
        except Answered as refused:
            if "No commits between" in refused.said:
                raise NothingToMerge(f"Everything on {branch} is on {repository.branch} already.") from None
            found = self.find_pull_request(repository, branch)
            if "already exists" in refused.said and found is not None and found.state == "open":
                return found
            missing = next((b for b in (branch, repository.branch) if self.head(repository, b) is None), "")
            if missing:
                raise Missing(f"There is no branch {missing}.", "Create it.") from None
            raise
        return self.pull_request(repository, number)

    def describe(self, repository: Repository, number: int, title: str, body: str) -> None:
        wanted = {"title": names.one_line(title), "body": body}
        self._client.ask(repository, lambda there: there.get_pull(int(number)).edit(**wanted))

    def close(self, repository: Repository, number: int, saying: str = "") -> None:
        if saying and self.pull_request(repository, number).state == "open":
            self.comment(repository, number, saying, "closed")

        def close(there: Any) -> None:
            pull = there.get_pull(int(number))
            if pull.state == "open":
                pull.edit(state="closed")

        self._client.ask(repository, close)

    def comment(self, repository: Repository, number: int, text: str, key: str) -> None:
        mark = f"<!-- deuteron:{names.one_line(key)} -->".replace("-->", "").rstrip() + " -->"

        def say(there: Any) -> None:
            pull = there.get_pull(int(number))
            if not any(mark in (comment.body or "") for comment in pull.get_issue_comments()):
                pull.create_issue_comment(f"{text}\n\n{mark}")

        self._client.ask(repository, say)

    def merge(self, repository: Repository, number: int, head: str) -> PullRequest:
        shown = self.pull_request(repository, number)
        if shown.state == "merged":
            return shown
        if shown.state == "closed":
            raise ForgeRefused(f"Pull request {number} is closed.", "Open a new one.")
        if shown.head != names.commit_id(head):
            raise Moved(shown.branch, shown.head)
        try:
            self._client.ask(
                repository, lambda there: there.get_pull(int(number)).merge(sha=head, merge_method="merge")
            )
        except Answered as refused:
            if refused.status == 409:
                raise Moved(shown.branch, self.head(repository, shown.branch) or "") from None
            raise Conflicted(
                f"Pull request {number} cannot be merged: {refused.said}.",
                f"Resolve on {shown.branch} what stands in its way.",
            ) from None
        return self.pull_request(repository, number)

    # Inside

    def _point(self, repository: Repository, branch: str, sha: str, at: str | None) -> None:
        """Makes the branch at ``sha``, or moves it there from ``at``. Never backwards, never over others' commits."""
        names.branch_name(branch)

        def move(there: Any) -> bool:
            if at is None:
                there.create_git_ref(f"refs/heads/{branch}", sha)
                return True
            ref = there.get_git_ref(f"heads/{branch}")
            if ref.object.sha != at:
                return False
            ref.edit(sha, force=False)
            return True

        try:
            if self._client.ask(repository, move):
                return
        except (Answered, Missing) as refused:
            found = self.head(repository, branch)
            if found == at:
                if isinstance(refused, Answered) and "Object does not exist" in refused.said:
                    raise Missing(f"There is no commit {sha}.", "Look again.") from None
                raise
        else:
            found = self.head(repository, branch)
        if found != sha:
            raise Moved(branch, found or "")

    def _is(self, repository: Repository, sha: str, tree: str, parents: list[str], message: str) -> bool:
        def look(there: Any) -> bool:
            found = there.get_git_commit(sha)
            same = (str(found.tree.sha), [str(one.sha) for one in found.parents], found.message.rstrip("\n"))
            return same == (tree, parents, message.rstrip("\n"))

        return self._client.ask(repository, look)

    def _checks(self, repository: Repository, sha: str) -> Checks:
        """What the checks of a commit say together; "" without any, or without the right to see them."""
        runs: list[tuple[str, str | None]] = []
        with contextlib.suppress(NoAccess, Missing):
            runs = self._client.ask(
                repository,
                lambda there: [(run.status, run.conclusion) for run in there.get_commit(sha).get_check_runs()],
            )
        if any(conclusion not in (None, "success", "neutral", "skipped") for _, conclusion in runs):
            return "failure"
        if any(status != "completed" for status, _ in runs):
            return "pending"
        return "success" if runs else ""


def _content(text: str | None) -> dict[str, Any]:
    return {"sha": None} if text is None else {"content": text}


def _commit(found: Any) -> Commit:
    at = found.committer.date.timestamp()
    return Commit(str(found.sha), tuple(str(one.sha) for one in found.parents), found.message.rstrip("\n"), at)


def _pull_request(pull: Any, files: tuple[str, ...]) -> PullRequest:
    state: State = "merged" if pull.merged else "open" if pull.state == "open" else "closed"
    return PullRequest(
        number=int(pull.number),
        url=str(pull.html_url),
        state=state,
        branch=str(pull.head.ref),
        base=str(pull.base.ref),
        head=str(pull.head.sha),
        title=str(pull.title),
        body=str(pull.body or ""),
        opened_at=pull.created_at.timestamp(),
        merged_at=pull.merged_at.timestamp() if pull.merged_at else 0.0,
        merged_as=str(pull.merge_commit_sha) if state == "merged" else "",
        mergeable=pull.mergeable if state == "open" else None,
        files=files,
    )


def _file_diff(file: Any) -> str:
    before = "/dev/null" if file.status == "added" else f"a/{file.previous_filename or file.filename}"
    after = "/dev/null" if file.status == "removed" else f"b/{file.filename}"
    text = file.patch or "(no text, or too long to show)"
    return (
        f"diff --git a/{file.previous_filename or file.filename} b/{file.filename}\n--- {before}\n+++ {after}\n{text}\n"
    )
