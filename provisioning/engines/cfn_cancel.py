"""Stopping a deployment: before its change set is executed, or by rolling its update back.

A job that may begin nothing is stopped before its change set is executed, and followed to its end after that.
"""

from botocore.exceptions import ClientError

from provisioning.engines import aws_errors, cfn_events
from provisioning.engines.base import Outcome
from provisioning.engines.cfn_apply import Apply
from provisioning.engines.cfn_stacks import Stack
from provisioning.engines.cfn_step import Result

NOTHING_DONE = "Cancelled before anything was changed."


class Cancel(Apply):
    """Shares with Apply how to tell whether the change set was executed, and how it ended."""

    def step(self) -> Result:
        self.look(self.state.stack, self.job.identifier, self.job.name)
        stack = self.stack
        if stack is None or not self.owned(stack):
            if self.state.phase in ("executing", "cancelling"):
                return self.failed("The stack was deleted by something else while it was deployed.")
            return Outcome("cancelled", NOTHING_DONE, events=cfn_events.shown(self.news))
        change_set = self.change_set()
        if not self.executed(change_set):
            if stack.moving:
                return self.progress(f"Waiting for another operation on the stack to end: {stack.status}")
            return self.give_up(stack, change_set, "cancelled", NOTHING_DONE)
        if not stack.moving:
            return self.end(change_set)
        if (
            self.job.begins
            and stack.status == "UPDATE_IN_PROGRESS"
            and self.state.phase != "cancelling"
            and not self.state.reason
        ):
            return self._roll_back(stack)
        return self.progress(f"Waiting for CloudFormation: {stack.status}")

    def _roll_back(self, stack: Stack) -> Result:
        try:
            self.change(lambda: self.stacks.cancel_update(stack.id, token=f"{self.job.deployment}-cancel"))
        except ClientError as error:
            if aws_errors.kind(error) not in ("denied", "refused"):
                raise
            refusal = aws_errors.message(error)
            state = self.state.but(phase="executing", reason=refusal)
            return self.progress(f"The update cannot be cancelled and is watched: {refusal}", state=state)
        return self.progress("Cancelling the update", state=self.state.but(phase="cancelling"))
