"""Workflows that reach an application's repository as pull requests.

A branch of its own (``deuteron/template/<service>``) holds the pure output of the template, one commit per version and
nothing else. Each pull request comes from a branch at one of those commits, so that what developers changed in their
own branch meets a real three-way merge: the last version is the common ancestor. A pull request that was squashed left
no ancestor, so the next version joins the squashed commit in.

Succeeds as soon as the pull request is open. One that a person closed is not opened again until the next version.

``job.settings``: ``repository`` (provider, name, branch), ``service``, ``template`` and ``version`` (such as "2.1"),
and ``inputs``, what people may read of the inputs; ``again`` where somebody asked for a pull request that a person
closed. ``job.files`` go by their paths, all below .github/workflows/.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from provisioning.changes import unified
from provisioning.engines import pr_handle
from provisioning.engines.base import (
    NOT_BEGUN,
    Event,
    Job,
    Outcome,
    Plan,
    PlannedChange,
    Progress,
    SeenPullRequest,
    Unclear,
)
from provisioning.engines.names import WORKFLOW_BRANCH
from provisioning.engines.pr_folder import blob_id
from provisioning.engines.pr_handle import Handle
from provisioning.engines.pull_request import MAX_IDENTIFIER, Forges, repository_of
from provisioning.engines.workflow_text import Version, body, commit_message, digest_of, read_version, title
from provisioning.forges.base import Commit, Forge, PullRequest, Repository
from provisioning.forges.errors import ForgeRefused, Missing, Moved, NothingToMerge, Throttled
from provisioning.outputs import Output, ProvisionedResource
from provisioning.render.workflow import FOLDER

Result = Progress | Outcome | Unclear
_LOOK_BACK = 20  # commits that other hands may have put on the template's branch


class WorkflowEngine:
    """The engine "workflow": see provisioning.engines.base for what it promises. Never Unclear: all it does can be
    looked at again."""

    def __init__(self, forges: Forges, *, clock: Callable[[], float] = time.time):
        self._forges = forges
        self._clock = clock

    def advance(self, job: Job, handle: str | None) -> Result:
        state = Handle.load(handle)
        try:
            repository = repository_of(job)
            step = _Step(job, state, repository, self._forges(repository))
            return replace(step.step(), pull_requests=step.pulls)
        except (Moved, Throttled) as error:
            return pr_handle.again(state, error, self._clock())
        except ForgeRefused as error:
            return Outcome("failed", str(error), next_action="retry")

    def preview(self, job: Job) -> Plan:
        """The workflow files that the pull request would change against the repository's branch."""
        try:
            repository = repository_of(job)
            step = _Step(job, Handle(), repository, self._forges(repository))
            step.look()
            changes = step.against(step.base)
            texts = {path: step.text(step.base, path) for path in changes}
        except ForgeRefused as error:
            return Plan(error=str(error))
        return Plan(
            tuple(
                PlannedChange(
                    path,
                    "File",
                    "Remove" if text is None else "Modify" if texts[path] else "Add",
                    detail=unified(path, texts[path], text or ""),
                )
                for path, text in sorted(changes.items())
            )
        )


class _Step:
    """One call of ``advance``."""

    def __init__(self, job: Job, state: Handle, repository: Repository, forge: Forge):
        self.job, self.state, self.repository, self.forge = job, state, repository, forge
        self.service = str(job.settings.get("service") or "")
        if not self.service:
            raise ForgeRefused("The job names no service.", "Name the service.")
        for path in job.files:
            if not path.startswith(FOLDER) or not path.endswith((".yml", ".yaml")) or path.count("/") != 2:
                raise ForgeRefused(f"{path} is no workflow file.", f"Workflows lie directly below {FOLDER}.")
        self.template_branch = f"deuteron/template/{self.service}"
        self.files = {} if job.intent == "remove" else dict(job.files)
        self.version = "removed" if job.intent == "remove" else str(job.settings.get("version") or "")
        self.events: tuple[Event, ...] = ()
        self.pulls: tuple[SeenPullRequest, ...] = ()
        self.base = ""
        self.tip: str | None = None
        self.versions: list[tuple[Commit, Version]] = []  # of the template's branch, newest first; at most two

    def look(self) -> None:
        base = self.forge.head(self.repository, self.repository.branch)
        if base is None:
            raise Missing(f"{self.repository.name} has no branch {self.repository.branch}.", "Create the branch.")
        self.base = base
        self.tip = self.forge.head(self.repository, self.template_branch)
        at: str | None = self.tip
        for _ in range(_LOOK_BACK):
            if at is None or len(self.versions) == 2:
                break
            commit = self.forge.commit_at(self.repository, at)
            version = read_version(commit.message, self.service)
            if version is not None:
                self.versions.append((commit, version))
            at = commit.parents[0] if commit.parents else None

    def step(self) -> Result:
        self.look()
        newest = self.versions[0][1] if self.versions else None
        pull = self.pull(newest) if newest else None
        if newest is not None and self.continues(newest, pull):
            return self.deliver(newest, pull)
        if self.stops:
            return Outcome("cancelled", NOT_BEGUN)
        if self.nothing_to_do(newest, pull):
            if self.job.intent == "remove" and pull is not None and pull.state == "open":
                self.forge.close(self.repository, pull.number)
                return self.progress(f"Closing pull request {pull.number}, which nobody needs any more", pull)
            return self.succeeded(pull, unchanged=True)
        return self.write(newest, pull)

    def continues(self, newest: Version, pull: PullRequest | None) -> bool:
        """Whether the newest version is this deployment's, or one whose deployment never got to its pull request."""
        if newest.deployment == self.job.deployment:
            return True
        same = (newest.version, newest.digest) == (self.version, digest_of(self.files))
        return same and pull is None and bool(self.against(self.base)) and not self.stops

    @property
    def stops(self) -> bool:
        """Nothing that people would see is begun any more. An open pull request has ended this deployment already."""
        return self.job.intent == "cancel" or not self.job.begins

    def nothing_to_do(self, newest: Version | None, pull: PullRequest | None) -> bool:
        """Whether the repository has this output already, or a person has said no to this very version of it."""
        if not self.against(self.base):
            return True
        if newest is None or pull is None or newest.digest != digest_of(self.files):
            return False
        return pull.state != "closed" or (newest.version == self.version and not self.job.settings.get("again"))

    def write(self, newest: Version | None, pull: PullRequest | None) -> Result:
        """The one commit of this deployment on the template's branch."""
        written = newest.files if newest else ()
        changes: dict[str, str | None] = {path: None for path in written if path not in self.files}
        changes.update(self.files)
        version = Version(
            deployment=self.job.deployment,
            branch=f"{WORKFLOW_BRANCH}{self.service}/{self.version or 'x'}-{self.job.deployment[:8]}",
            version=self.version,
            digest=digest_of(self.files),
            files=tuple(sorted(self.files)),
            service=self.service,
        )
        self.forge.commit(
            self.repository,
            self.template_branch,
            self.tip or self.base,
            changes,
            commit_message(self.job, version),
            also=self.joined(newest, pull),
        )
        return self.progress(f"The branch {self.template_branch} holds the workflow")

    def joined(self, newest: Version | None, pull: PullRequest | None) -> str:
        """The commit by which the last version was merged, when it brought that version as it was."""
        if newest is None or pull is None or pull.state != "merged" or not pull.merged_as:
            return ""
        ours = self.forge.tree(self.repository, self.versions[0][0].sha, FOLDER.rstrip("/"))
        theirs = self.forge.tree(self.repository, pull.merged_as, FOLDER.rstrip("/"))
        if any(ours.get(path) != theirs.get(path) for path in newest.files):
            return ""
        return pull.merged_as

    def deliver(self, version: Version, pull: PullRequest | None) -> Result:
        """The branch of this version, its pull request, and the end of the one that it replaces."""
        if pull is None:
            if self.stops:
                return Outcome("cancelled", NOT_BEGUN)
            if self.forge.head(self.repository, version.branch) is None:
                self.forge.create_branch(self.repository, version.branch, self.versions[0][0].sha)
                return self.progress(f"The branch {version.branch} is there")
            text = body(self.job, version, self.changed())
            try:
                pull = self.forge.open_pull_request(
                    self.repository, version.branch, title(self.job, first=len(self.versions) < 2), text
                )
            except NothingToMerge:
                return self.succeeded(None, unchanged=True)
            self.state = self.state.but(number=pull.number)
            return self.progress(f"Pull request {pull.number} is open", pull)
        replaced = self.pull(self.versions[1][1]) if len(self.versions) > 1 else None
        if pull.state == "open" and replaced is not None and replaced.state == "open":
            said = f"Replaced by {pull.url}, which holds these changes as well."
            self.forge.close(self.repository, replaced.number, said)
            return self.progress(f"Closing pull request {replaced.number}, which is replaced", pull)
        return self.succeeded(pull)

    # Looking

    def pull(self, version: Version) -> PullRequest | None:
        return self.forge.find_pull_request(self.repository, version.branch)

    def against(self, sha: str) -> dict[str, str | None]:
        """What this output changes at a commit: its files, and those that an earlier version wrote and it does not."""
        there = self.forge.tree(self.repository, sha, FOLDER.rstrip("/"))
        changes: dict[str, str | None] = {
            path: text for path, text in self.files.items() if there.get(path) != blob_id(text)
        }
        before = self.versions[0][1].files if self.versions else ()
        changes.update({path: None for path in before if path not in self.files and path in there})
        return changes

    def text(self, sha: str, path: str) -> str:
        return (self.forge.read(self.repository, sha, path) or b"").decode(errors="replace")

    def changed(self) -> str:
        """What changed in the template's output since the last version, as a diff; "" for the first."""
        if len(self.versions) < 2:
            return ""
        (now, version), (before, earlier) = self.versions
        paths = sorted({*version.files, *earlier.files})
        texts = [(path, self.text(before.sha, path), self.text(now.sha, path)) for path in paths]
        return "\n".join(unified(path, old, new) for path, old, new in texts if old != new)

    # Answering

    def progress(self, doing: str, pull: PullRequest | None = None) -> Progress:
        return Progress(self.state.dump(), doing, 0.0, self.seen(pull))

    def succeeded(self, pull: PullRequest | None, *, unchanged: bool = False) -> Outcome:
        if pull is None:
            return Outcome("succeeded", unchanged=unchanged)
        url = Output("PullRequestUrl", pull.url, "The pull request that brings the workflow")
        resource = ProvisionedResource(pull.branch, pull.url[:MAX_IDENTIFIER], "TERRAFORM")
        return Outcome("succeeded", outputs=(url,), resources=(resource,), events=self.seen(pull), unchanged=unchanged)

    def seen(self, pull: PullRequest | None) -> tuple[Event, ...]:
        if pull is None:
            return ()
        self.pulls = (SeenPullRequest(self.repository, pull),)
        identifier = f"{self.job.deployment}-pull-request-opened"
        return (Event(identifier, pull.opened_at, pull.branch, "PULL_REQUEST_OPENED", pull.url, "Git::PullRequest"),)
