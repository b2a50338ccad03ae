"""Making or updating a stack: change set, execution, end."""

from typing import Any

from botocore.exceptions import ClientError

from provisioning.engines import aws_errors, cfn_events, cfn_template
from provisioning.engines.cfn_handle import Verdict
from provisioning.engines.cfn_stacks import ChangeSet, Stack
from provisioning.engines.cfn_step import DEPLOYMENT_TAG, NEXT_ACTIONS, SUCCEEDED, Result, Step

UPDATABLE = (*SUCCEEDED, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "IMPORT_ROLLBACK_COMPLETE")
MISSES = 6  # looks before something that was made and is not to be seen counts as gone
SETTLING = 20  # looks before an end that nothing confirms is called unclear


class Apply(Step):
    def step(self) -> Result:
        self.look(self.state.stack, self.job.identifier, self.job.name)
        stack = self.stack
        if stack is None:
            return self._absent()
        if not self.owned(stack):
            return self.foreign(stack)
        if stack.moving:
            return self._moving(stack)
        change_set = self.change_set()
        if self.state.phase == "cleaning":
            return self.clean(stack, change_set)
        if self.executed(change_set):
            return self.end(change_set)
        if stack.status == "ROLLBACK_COMPLETE":
            return self._replace(stack)
        if stack.status != "REVIEW_IN_PROGRESS" and stack.status not in UPDATABLE:
            return self._stuck(stack)
        if change_set is None:
            return self._plan(stack.id, "CREATE" if stack.status == "REVIEW_IN_PROGRESS" else "UPDATE", stack)
        return self._go_on(stack, change_set)

    def executed(self, change_set: ChangeSet | None) -> bool:
        """Whether this deployment's change set was executed: by our own word, by its state, or by the events."""
        if self.state.phase in ("executing", "cancelling") or (change_set is not None and change_set.executed):
            return True
        return any(event.get("ClientRequestToken") == self.job.deployment for event in self.news)

    def end(self, change_set: ChangeSet | None) -> Result:
        """How it ended. The stack is read again: it may have moved on since, and its outputs with it."""
        self.state = self.state.but(phase="cancelling" if self.state.phase == "cancelling" else "executing")
        stack = self.stacks.find(self.state.stack)
        if stack is None:
            return self._absent()
        if stack.moving or not self._confirmed(change_set):
            if self.state.polls > SETTLING:
                return self.unclear(f"Nothing confirms how the deployment ended; the stack is in {stack.status}.")
            return self.progress("Waiting for CloudFormation to confirm the end")
        if stack.status in SUCCEEDED:
            return self.succeeded(stack)
        if stack.status == "UPDATE_ROLLBACK_COMPLETE" and self._was_cancelled():
            return self.succeeded_cancel()
        return self.broken(stack, NEXT_ACTIONS.get(stack.status, "retry"))

    def succeeded_cancel(self) -> Result:
        self.state = self.state.but(verdict="cancelled", reason="The update was rolled back.")
        return self.verdict(None)

    def _was_cancelled(self) -> bool:
        token = f"{self.job.deployment}-cancel"
        return self.state.phase == "cancelling" or any(
            event.get("ClientRequestToken") == token for event in self.events()
        )

    def _confirmed(self, change_set: ChangeSet | None) -> bool:
        if change_set is not None and change_set.execution in ("EXECUTE_COMPLETE", "EXECUTE_FAILED"):
            return True
        return any(
            cfn_events.of_stack(event)
            and not event["ResourceStatus"].endswith("_IN_PROGRESS")
            and cfn_events.ours(event, self.job.deployment)
            for event in self.events()
        )

    def _absent(self) -> Result:
        if self.state.phase in ("executing", "cancelling"):
            return self.failed("The stack was deleted by something else while it was deployed.", next_action="retry")
        if self.state.phase == "cleaning":
            return self.verdict(None)
        return self._plan(self.job.name, "CREATE", None)

    def _moving(self, stack: Stack) -> Result:
        state = self.state
        if state.phase == "replacing":
            return self.progress("Deleting the stack of the failed attempt")
        if state.phase == "cleaning":
            return self.progress("Deleting the stack that was never filled")
        if self.executed(None):
            state = state.but(phase="cancelling" if state.phase == "cancelling" else "executing")
            return self.progress(f"Waiting for CloudFormation: {stack.status}", state=state)
        return self.progress(f"Waiting for another operation on the stack to end: {stack.status}")

    def _replace(self, stack: Stack) -> Result:
        if not self.job.allow_replace_empty:
            return self.failed(
                "The stack's first creation failed and was rolled back; CloudFormation can only delete it. "
                "Retry deletes this empty stack first.",
                next_action="retry",
                stack=stack,
            )
        if self.state.phase == "replacing" and self.state.polls < MISSES:
            return self.progress("Deleting the stack of the failed attempt")
        self.change(lambda: self.stacks.delete(stack.id, token=f"{self.job.deployment}-replace"))
        return self.progress("Deleting the stack of the failed attempt", state=self.state.but(phase="replacing"))

    def _stuck(self, stack: Stack) -> Result:
        return self.failed(
            f"The stack is in state {stack.status} and cannot be updated. {stack.reason}".strip(),
            next_action=NEXT_ACTIONS.get(stack.status, "retry"),
            stack=stack,
        )

    def _plan(self, name: str, kind: str, stack: Stack | None) -> Result:
        """Makes the change set; before that, in a step of its own, uploads a template that is too long for the call."""
        if self.state.phase == "planning":
            if self.state.polls < MISSES:
                return self.progress("Waiting for the change set to appear")
            return self.failed("The change set was deleted before it was executed.", next_action="retry")
        carrier = cfn_template.carrier(self.job, self.sessions)
        if isinstance(carrier, str):
            return self.failed(carrier)
        if carrier.upload is not None and self.state.phase != "uploaded":
            self.change(carrier.upload)
            return self.progress("Uploading the template", state=self.state.but(phase="uploaded"))
        try:
            arn, _ = self.change(
                lambda: self.stacks.create_change_set(
                    stack=name,
                    name=self.change_set_name,
                    kind=kind,
                    token=self.job.deployment,
                    template=carrier.argument,
                    tags=self.tags(stack),
                )
            )
        except ClientError as error:
            if aws_errors.code(error) != "AlreadyExistsException":
                raise
            arn = stack.id if stack else ""
        state = self.state.but(phase="planning", stack=arn or self.state.stack)
        if state.stack != self.state.stack:
            state = state.but(seen="", since="")
        return self.progress("Making the change set", state=state)

    def tags(self, stack: Stack | None) -> dict[str, str]:
        """An update keeps the tag of the deployment that made the stack: a new one would change every resource."""
        made_by = stack.tags.get(DEPLOYMENT_TAG, "") if stack else ""
        return {**self.job.tags, DEPLOYMENT_TAG: made_by or self.job.deployment}

    def _go_on(self, stack: Stack, change_set: ChangeSet) -> Result:
        if change_set.pending:
            return self.progress("Waiting for the change set", state=self.state.but(phase="planning"))
        if change_set.empty and stack.status != "REVIEW_IN_PROGRESS":
            return self.give_up(stack, change_set, "unchanged", "")
        if change_set.status == "FAILED":
            return self.give_up(stack, change_set, "failed", cfn_events.change_set_cause(self.stacks, change_set))
        if change_set.execution == "OBSOLETE":
            return self.give_up(stack, change_set, "failed", "The stack was changed by something else meanwhile.")
        if change_set.execution != "AVAILABLE":
            if self.state.polls > SETTLING:
                return self.unclear(f"The change set is {change_set.status}, its execution {change_set.execution}.")
            return self.progress("Waiting for the change set", state=self.state.but(phase="planning"))
        return self._execute(stack, change_set)

    def _execute(self, stack: Stack, change_set: ChangeSet) -> Result:
        try:
            self.change(lambda: self.stacks.execute(change_set.id, token=self.job.deployment))
        except ClientError as error:
            if aws_errors.kind(error) != "refused":
                raise
            state: dict[str, Any] = {"phase": "cleaning", "verdict": "failed", "reason": aws_errors.message(error)}
            return self.progress("CloudFormation refused to execute the change set", state=self.state.but(**state))
        return self.progress("Executing the change set", state=self.state.but(phase="executing"))

    def give_up(self, stack: Stack, change_set: ChangeSet | None, verdict: Verdict, reason: str) -> Result:
        self.state = self.state.but(verdict=verdict, reason=reason)
        return self.clean(stack, change_set)
