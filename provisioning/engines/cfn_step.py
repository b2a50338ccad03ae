"""What apply, remove and cancel have in common: look at the stack, report what is new, make one change."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from provisioning.engines import aws_errors, cfn_events
from provisioning.engines.base import Job, Outcome, Progress, Unclear
from provisioning.engines.cfn_handle import Handle
from provisioning.engines.cfn_stacks import ChangeSet, Stack, Stacks
from provisioning.engines.names import change_set_name
from provisioning.engines.session import Sessions
from provisioning.outputs import ProvisionedResource

Result = Progress | Outcome | Unclear

DEPLOYMENT_TAG = "deuteron:deployment"  # the deployment that made the stack; an update keeps it
_SAME_TARGET = ("proton:environment", "proton:service", "proton:service-instance", "proton:component")
FRESH_SECONDS = 5.0  # what was seen longer ago is looked at again before anything is changed
SLOWEST_POLL = 15.0
SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
NEXT_ACTIONS = {
    "CREATE_FAILED": "delete",
    "ROLLBACK_COMPLETE": "retry",
    "ROLLBACK_FAILED": "delete",
    "UPDATE_FAILED": "retry",
    "UPDATE_ROLLBACK_COMPLETE": "retry",
    "UPDATE_ROLLBACK_FAILED": "continue-rollback",
    "DELETE_FAILED": "retry",
}


class TooLate(Exception):
    """Looking took so long that nothing may be changed on its strength: look again first."""


class Step:
    """One call of ``advance``."""

    def __init__(self, job: Job, state: Handle, stacks: Stacks, sessions: Sessions, clock: Callable[[], float]) -> None:
        self.job = job
        self.state = state
        self._before = state
        self.stacks = stacks
        self.sessions = sessions
        self._clock = clock
        self._started = clock()
        self.stack: Stack | None = None
        self.news: list[Mapping[str, Any]] = []

    def step(self) -> Result:
        raise NotImplementedError

    # Looking

    def look(self, *references: str) -> None:
        """Finds the stack under the first reference that has one, and what its events say that is new."""
        for reference in filter(None, references):
            self.stack = self.stacks.find(reference)
            if self.stack is not None:
                break
        if self.stack is not None and self.stack.id != self.state.stack:
            self.state = self.state.but(stack=self.stack.id, seen="", since="")
        if self.state.stack:
            try:
                self.news, newest = cfn_events.fresh(
                    self.stacks, self.state.stack, seen=self.state.seen, token=self.job.deployment
                )
            except ClientError as error:
                if aws_errors.kind(error) != "absent":
                    raise
                return
            since = self.state.since or ("" if self.news else newest)
            self.state = self.state.but(seen=newest or self.state.seen, since=since)

    def change_set(self) -> ChangeSet | None:
        return self.stacks.change_set(self.change_set_name, self.stack) if self.stack else None

    @property
    def change_set_name(self) -> str:
        return change_set_name(self.job.deployment)

    def owned(self, stack: Stack) -> bool:
        """Whether the stack is this target's: recorded by us, tagged by us, or by AWS Proton for the same target.

        A handle only ever holds a stack that passed this before.
        A stack that only waits for its change set may not have its tags yet: it is ours when only we have change
        sets on it, since its name has our hash.
        """
        if (
            stack.id in (self._before.stack, self.job.identifier)
            or stack.tags.get(DEPLOYMENT_TAG) == self.job.deployment
        ):
            return True
        target = _target(self.job.tags)
        if target and _target(stack.tags) == target:
            return True
        if stack.status != "REVIEW_IN_PROGRESS" or stack.tags:
            return False
        return all(name.startswith("deuteron-") for name in self.stacks.change_set_names(stack))

    def events(self) -> list[Mapping[str, Any]]:
        """All events of this deployment so far, oldest first."""
        return cfn_events.operation(self.stacks, self.state.stack, since=self.state.since, token=self.job.deployment)

    # Changing

    def change(self, call: Callable[[], Any]) -> Any:
        """The one mutating call of this step. Raises TooLate when what was seen may be stale by now."""
        if self._clock() - self._started > FRESH_SECONDS:
            raise TooLate
        return call()

    def clean(self, stack: Stack, change_set: ChangeSet | None) -> Result:
        """Takes our own leftovers away, one per step, then says the verdict that the handle carries: the change set,
        and a stack of ours that never had a resource because it never got further than its change set."""
        state = self.state.but(phase="cleaning")
        if change_set is not None and not change_set.executed:
            self.change(lambda: self.stacks.delete_change_set(change_set.id))
            return self.progress("Deleting the change set", state=state)
        if stack.status == "REVIEW_IN_PROGRESS" and not self.stacks.change_set_names(stack):
            token = f"{self.job.deployment}-clean"
            self.change(lambda: self.stacks.delete(stack.id, token=token))
            return self.progress("Deleting the stack that was never filled", state=state)
        if stack.moving:
            return self.progress("Deleting the stack that was never filled", state=state)
        return self.verdict(stack)

    def verdict(self, stack: Stack | None) -> Outcome:
        match self.state.verdict:
            case "cancelled":
                return Outcome("cancelled", self.state.reason, events=cfn_events.shown(self.news))
            case "unchanged" if stack is not None:
                return self.succeeded(stack, unchanged=True)
        return Outcome("failed", self.state.reason, events=cfn_events.shown(self.news), next_action="retry")

    # Answering

    def progress(self, doing: str, *, state: Handle | None = None, wait: float | None = None) -> Progress:
        """Waits longer each time that nothing new was seen."""
        state = (state or self.state).but(throttles=0, renewals=0)
        quiet = not self.news and state.phase == self.state.phase
        if wait is None:
            wait = min(SLOWEST_POLL, 0.5 * 1.5**state.polls) if quiet else 0.5
        state = state.but(polls=state.polls + 1 if quiet else 0)
        return Progress(state.dump(), doing, wait, cfn_events.shown(self.news))

    def succeeded(self, stack: Stack, *, unchanged: bool = False) -> Outcome:
        return Outcome(
            "succeeded",
            outputs=stack.outputs,
            resources=(ProvisionedResource(stack.name, stack.id, "CLOUDFORMATION"),),
            events=cfn_events.shown(self.news),
            unchanged=unchanged,
        )

    def failed(self, reason: str, *, next_action: str = "", stack: Stack | None = None) -> Outcome:
        """``stack``: what is left and must be known to whoever cleans up or tries again."""
        made = (ProvisionedResource(stack.name, stack.id, "CLOUDFORMATION"),) if stack else ()
        shown = cfn_events.shown(self.news)
        return Outcome("failed", reason, resources=made, events=shown, next_action=next_action)

    def unclear(self, reason: str) -> Unclear:
        return Unclear(reason, self.state.dump(), cfn_events.shown(self.news))

    def foreign(self, stack: Stack) -> Result:
        """Not ours and not touched. One that is being deleted is waited for; the handle must not take it for ours."""
        if stack.status == "DELETE_IN_PROGRESS":
            self.state, self.news = self._before, []
            return self.progress("Waiting for another stack of that name to be deleted")
        return self.failed(
            f"A stack named {stack.name} exists already in account {self.job.target.account_id} and was not made for "
            "this target. Nothing was touched. Remove or rename it, then try again.",
            next_action="retry",
        )

    def broken(self, stack: Stack, next_action: str) -> Outcome:
        """A failure that CloudFormation ended by itself, with its first real cause."""
        events = self.events()
        checks = cfn_events.validation(self.stacks, stack.id, events)
        self.news = [*self.news, *checks]
        reason = cfn_events.first_cause(self.stacks, [*events, *checks])
        reason = reason or stack.reason or f"The stack is in state {stack.status}."
        return self.failed(reason, next_action=next_action, stack=stack)


def _target(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: tags[key] for key in _SAME_TARGET if key in tags}
