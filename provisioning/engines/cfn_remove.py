"""Deleting a stack, by its ARN."""

from provisioning.engines import cfn_events
from provisioning.engines.base import NOT_BEGUN, Outcome
from provisioning.engines.cfn_stacks import Stack
from provisioning.engines.cfn_step import Result, Step

MISSES = 6


class Remove(Step):
    def step(self) -> Result:
        arn = self.state.stack or self.job.identifier
        self.look(arn or self.job.name)
        stack = self.stack
        if stack is None:
            return Outcome("succeeded", events=cfn_events.shown(self.news))
        if not arn and not self.owned(stack):
            return self.foreign(stack)
        if stack.moving:
            return self.progress(f"Waiting for CloudFormation: {stack.status}")
        if self._asked():
            if stack.status == "DELETE_FAILED" and self._over():
                return self.broken(stack, "retain" if self.state.again else "retry")
            if self.state.polls < MISSES:
                return self.progress("Waiting for CloudFormation to begin")
        if not self.job.begins:
            return Outcome("cancelled", NOT_BEGUN, events=cfn_events.shown(self.news))
        return self._delete(stack)

    def _asked(self) -> bool:
        return self.state.phase == "deleting" or any(cfn_events.ours(event, self.job.deployment) for event in self.news)

    def _over(self) -> bool:
        return any(cfn_events.of_stack(event) and event["ResourceStatus"] == "DELETE_FAILED" for event in self.events())

    def _delete(self, stack: Stack) -> Result:
        state = self.state.but(phase="deleting", again=stack.status == "DELETE_FAILED")
        self.change(lambda: self.stacks.delete(stack.id, token=f"{self.job.deployment}-delete"))
        return self.progress("Deleting the stack", state=state)
