"""Self-managed provisioning: a pull request into the customer's repository, whose automation applies it and reports.

One class is the engine; one object per call of ``advance`` does the step. What may not change alone: the branch's name
derives from the deployment, so that a branch, a commit and a pull request whose reply was lost are found again; a
branch is never moved over what a person has put there; only the report about this very deployment ends an apply.

``job.settings``: ``repository`` (provider, name, branch), ``kind``, the names ``environment``, ``service``,
``instance`` and ``component`` as far as the kind has them, and ``timeout`` in seconds. ``job.resource_arn`` must be
given. ``job.files`` go by their paths in the resource's folder (provisioning.render.terraform).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

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
from provisioning.engines.names import pull_request_branch
from provisioning.engines.pr_folder import NotOurs, TooLittle, changes_of
from provisioning.engines.pr_handle import Handle
from provisioning.forges.base import Forge, PullRequest, Repository
from provisioning.forges.errors import ForgeRefused, Missing, Moved, NothingToMerge, Throttled
from provisioning.outputs import ProvisionedResource
from provisioning.render.terraform import resource_part

Result = Progress | Outcome | Unclear
Forges = Callable[[Repository], Forge]  # raises ForgeRefused for a provider that is not set up

SLOWEST_POLL = 60.0
MAX_IDENTIFIER = 200  # characters; AWS Proton's limit


class PullRequestEngine:
    """The engine "pull-request": see provisioning.engines.base for what it promises."""

    def __init__(self, forges: Forges, *, clock: Callable[[], float] = time.time):
        self._forges = forges
        self._clock = clock

    def advance(self, job: Job, handle: str | None) -> Result:
        """For "cancel", ``job.deployment`` and ``handle`` are those of the deployment that is to stop."""
        state = Handle.load(handle)
        try:
            repository = repository_of(job)
            step = _Step(job, state, repository, self._forges(repository), self._clock())
            return replace(step.step(), pull_requests=step.pulls)
        except (Moved, Throttled) as error:
            return pr_handle.again(state, error, self._clock())
        except ForgeRefused as error:
            return refused(state, error)
        except (NotOurs, TooLittle) as error:
            return Outcome("failed", str(error), next_action="retry")

    def preview(self, job: Job) -> Plan:
        """The files that the pull request would change; what they mean for resources only Terraform can say."""
        try:
            repository = repository_of(job)
            forge = self._forges(repository)
            found = changes_of(job, repository, forge, _base(repository, forge))
        except (ForgeRefused, NotOurs, TooLittle) as error:
            return Plan(error=str(error))
        changes = []
        for path, text in sorted(found.changes.items()):
            action = "Remove" if text is None else "Modify" if path in found.existing else "Add"
            changes.append(PlannedChange(path, "File", action, detail=found.diff(path)))
        return Plan(tuple(changes))


def repository_of(job: Job) -> Repository:
    """The repository of a job's settings. Raises ForgeRefused when they name none."""
    about: Mapping[str, Any] = job.settings.get("repository") or {}
    try:
        return Repository(about["provider"], about["name"], about["branch"])
    except KeyError as missing:
        raise ForgeRefused(f"The job names no repository ({missing}).", "Give the environment a repository.") from None


def refused(state: Handle, error: ForgeRefused) -> Outcome | Unclear:
    """Not a failure when something may be under way: nobody can see how it ends."""
    if state.number or state.committed:
        return Unclear(f"{error} How the pull request ends cannot be seen.", state.dump())
    return Outcome("failed", str(error), next_action="retry")


def _base(repository: Repository, forge: Forge) -> str:
    found = forge.head(repository, repository.branch)
    if found is None:
        raise Missing(
            f"{repository.name} has no branch {repository.branch}.", "Create the branch, or name another one."
        )
    return found


class _Step:
    """One call of ``advance``."""

    def __init__(self, job: Job, state: Handle, repository: Repository, forge: Forge, now: float):
        self.job, self.state, self.repository, self.forge, self.now = job, state, repository, forge, now
        self.branch = pull_request_branch(str(job.settings.get("kind", "")), job.deployment)
        self.events: tuple[Event, ...] = ()
        self.pulls: tuple[SeenPullRequest, ...] = ()

    def step(self) -> Result:
        pull = self.look()
        if pull is None:
            return self.stop_early() if self.job.intent == "cancel" or not self.job.begins else self.begin()
        self.state = self.state.but(number=pull.number, committed=True)
        self.events = self.seen(pull)
        match pull.state:
            case "open":
                return self.opened(pull)
            case "merged":
                return self.merged(pull)
            case _:
                return self.closed(pull)

    def look(self) -> PullRequest | None:
        if self.state.number:
            return self.forge.pull_request(self.repository, self.state.number)
        return self.forge.find_pull_request(self.repository, self.branch)

    # Before there is a pull request

    def begin(self) -> Result:
        if self.forge.head(self.repository, self.branch) is not None:
            return self.open()
        base = _base(self.repository, self.forge)
        found = changes_of(self.job, self.repository, self.forge, base)
        if not found.changes:  # a deletion of what is not there, or was let go before
            return Outcome("succeeded", unchanged=True)
        self.forge.commit(self.repository, self.branch, base, found.changes, self.title)
        self.state = self.state.but(committed=True)
        return self.progress(f"The branch {self.branch} holds the change", wait=0.0)

    def open(self) -> Result:
        try:
            pull = self.forge.open_pull_request(self.repository, self.branch, self.title, self.body)
        except NothingToMerge:
            if self.job.intent == "remove":
                return Outcome("succeeded")
            reason = (
                f"The branch {self.branch} was merged without its pull request, so that nobody reports how it ended."
            )
            return Outcome("failed", reason, next_action="retry")
        self.state = self.state.but(number=pull.number, committed=True)
        self.events = self.seen(pull)
        return self.progress(f"Waiting for pull request {pull.number} to be merged", wait=1.0)

    def stop_early(self) -> Result:
        head = self.forge.head(self.repository, self.branch)
        if head is None:
            return Outcome("cancelled", NOT_BEGUN)
        self.forge.delete_branch(self.repository, self.branch, head)
        return self.progress(f"Taking the branch {self.branch} away", wait=0.0)

    # While there is one

    def opened(self, pull: PullRequest) -> Result:
        if self.job.intent == "cancel" or self.late(pull.opened_at):
            self.forge.close(self.repository, pull.number)
            return self.progress(f"Closing pull request {pull.number}", wait=0.0)
        if (settled := self.settled(pull)) is not None:
            return settled
        doing = f"Waiting for pull request {pull.number} to be merged"
        if pull.mergeable is False:
            doing += f": it conflicts with {pull.base}, and a person must resolve that"
        elif pull.checks == "failure":
            doing += ": its checks failed"
        return self.progress(doing)

    def merged(self, pull: PullRequest) -> Result:
        if self.job.intent == "remove":
            return Outcome("succeeded", events=self.events)
        if (settled := self.settled(pull)) is not None:
            return settled
        if self.late(pull.merged_at):
            reason = (
                f"Pull request {pull.number} was merged, but the automation did not report how the deployment ended "
                "(NotifyResourceDeploymentStatusChange)."
            )
            return self.failed(reason, pull)
        told = self.job.notified.message if self.job.notified else ""
        return self.progress(told or f"Pull request {pull.number} is merged: waiting for the automation's report")

    def closed(self, pull: PullRequest) -> Result:
        if self.job.intent == "cancel":
            return Outcome("cancelled", f"Pull request {pull.number} was closed.", events=self.events)
        if (settled := self.settled(pull)) is not None:
            return settled
        if self.late(pull.opened_at):
            return self.failed(f"Pull request {pull.number} was not merged in time and was closed.", pull)
        reason = f"Pull request {pull.number} was closed without being merged."
        if self.job.intent == "remove":
            return self.failed(reason, pull)
        return Outcome("cancelled", reason, events=self.events, next_action="retry")

    def settled(self, pull: PullRequest) -> Outcome | None:
        """The end that the automation reported. It counts whatever the pull request's state: the report is newer."""
        report = self.job.notified
        if self.job.intent == "remove" or report is None:
            return None
        if report.status == "FAILED":
            return self.failed(report.message or "The automation reported a failure.", pull)
        if report.status != "SUCCEEDED":
            return None
        return Outcome("succeeded", outputs=report.outputs, resources=(self.resource(pull),), events=self.events)

    # Answering

    def late(self, since: float) -> bool:
        timeout = float(self.job.settings.get("timeout") or 0)
        return bool(timeout) and self.now > since + timeout

    def failed(self, reason: str, pull: PullRequest) -> Outcome:
        made = (self.resource(pull),) if pull.state == "merged" else ()
        return Outcome("failed", reason, resources=made, events=self.events, next_action="retry")

    def resource(self, pull: PullRequest) -> ProvisionedResource:
        """One for each folder; its identifier is the pull request's address."""
        name = resource_part(self.job.resource_arn) or self.job.name
        return ProvisionedResource(name, pull.url[:MAX_IDENTIFIER], "TERRAFORM")

    def progress(self, doing: str, *, wait: float | None = None) -> Progress:
        """Waits longer each time that nothing new was seen; a webhook is faster."""
        if wait is None:
            wait = min(SLOWEST_POLL, 2.0 * 1.5**self.state.polls)
            self.state = self.state.but(polls=min(self.state.polls + 1, 20))
        return Progress(self.state.dump(), doing, wait, self.events)

    def seen(self, pull: PullRequest) -> tuple[Event, ...]:
        """What happened to the pull request; each is recorded once, by its id."""
        self.pulls = (SeenPullRequest(self.repository, pull),)
        events = [self.event("OPENED", pull.opened_at, pull.url)]
        if pull.state == "merged":
            events.append(self.event("MERGED", pull.merged_at, pull.merged_as))
        return tuple(events)

    def event(self, status: str, at: float, message: str) -> Event:
        identifier = f"{self.job.deployment}-pull-request-{status.lower()}"
        return Event(identifier, at, self.branch, f"PULL_REQUEST_{status}", message, "Git::PullRequest")

    @property
    def title(self) -> str:
        """AWS Proton's own words: automation and people look for them."""
        return f"Update requested for Proton - {resource_part(self.job.resource_arn)}"

    @property
    def body(self) -> str:
        arn = self.job.resource_arn
        if self.job.intent == "remove":
            return (
                f"`{arn}` is being deleted. The files stay and are marked as not managed any more; the automation "
                "destroys what they describe.\n\nMerge to delete. Close to keep the resource."
            )
        return (
            f"Deploys `{arn}` (deployment `{self.job.deployment}`).\n\nMerge to deploy: the automation applies the "
            "files and reports the end with `notify-resource-deployment-status-change`. Close to cancel.\n\n"
            "Every change that is made to these files by hand is overwritten by the next deployment."
        )
