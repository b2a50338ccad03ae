"""Provisioning through CloudFormation. One class is the engine; one object per call of ``advance`` does the step.

What may not change alone: names and tokens derive from the deployment, so that a call whose reply was lost is found
again; the change set is executed by its ARN, so that a worker that woke up late is refused by CloudFormation itself;
stacks are deleted by ARN only, and nothing is deleted that was not asked for, save our own leftovers without resources.
"""

import random
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from provisioning.engines import aws_errors, cfn_preview
from provisioning.engines.base import EngineUnavailable, Job, Outcome, Plan, Progress, Unclear
from provisioning.engines.cfn_apply import Apply
from provisioning.engines.cfn_cancel import Cancel
from provisioning.engines.cfn_handle import Handle
from provisioning.engines.cfn_remove import Remove
from provisioning.engines.cfn_stacks import Stacks
from provisioning.engines.cfn_step import TooLate
from provisioning.engines.session import NoAccess, Sessions

_STEPS = {"apply": Apply, "remove": Remove, "cancel": Cancel}
_UNDER_WAY = ("executing", "replacing", "deleting", "cancelling")
_SILENT = (BotoCoreError, ResponseParserError)  # no answer, or one that was cut short
MAX_RENEWALS = 3  # expired sessions in a row
MAX_RACES = 20  # looks in a row at which something else seemed faster


class CloudFormationEngine:
    """The engine "cloudformation": see provisioning.engines.base for what it promises."""

    def __init__(self, sessions: Sessions, *, clock: Callable[[], float] = time.monotonic):
        self._sessions = sessions
        self._clock = clock

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        """One look at the stack and at most one change. For "cancel", ``job.deployment`` and ``handle`` are those of
        the deployment that is to stop. Raises EngineUnavailable when AWS did not answer."""
        state = Handle.load(handle)
        try:
            return _STEPS[job.intent](job, state, self._stacks(job), self._sessions, self._clock).step()
        except TooLate:
            return Progress(state.dump(), "Looking again before anything is changed", 0.5)
        except NoAccess as error:
            return _denied(state, str(error))
        except ClientError as error:
            return self._refused(job, state, error)
        except ParamValidationError as error:  # before anything was sent: an empty template, a name that is too long
            return Outcome("failed", str(error), next_action="retry")
        except _SILENT as error:
            raise EngineUnavailable(str(error)) from error

    def preview(self, job: Job) -> Plan:
        """What "apply" would change, by a change set that is deleted again. Takes up to 30 seconds."""
        try:
            return cfn_preview.preview(job, self._stacks(job), self._sessions)
        except NoAccess as error:
            return Plan(error=str(error))
        except ClientError as error:
            if aws_errors.kind(error) in ("throttled", "unavailable", "expired"):
                raise EngineUnavailable(aws_errors.message(error)) from error
            return Plan(error=aws_errors.message(error))
        except ParamValidationError as error:
            return Plan(error=str(error))
        except _SILENT as error:
            raise EngineUnavailable(str(error)) from error

    def _stacks(self, job: Job) -> Stacks:
        return Stacks(
            self._sessions.client("cloudformation", job.target, name=job.deployment),
            self._sessions.client("cloudformation", job.target, name=job.deployment, mutating=True),
        )

    def _refused(self, job: Job, state: Handle, error: ClientError) -> Progress | Outcome | Unclear:
        """What a refusal means that no step has an answer of its own for."""
        text = aws_errors.message(error)
        match aws_errors.kind(error):
            case "throttled":
                return _slower(state)
            case "expired":
                self._sessions.forget(job.target)
                if state.renewals < MAX_RENEWALS:
                    return Progress(state.but(renewals=state.renewals + 1).dump(), "Renewing an expired session", 1.0)
                return _denied(state, f"{text}, also after the session was renewed.")
            case "unavailable":
                raise EngineUnavailable(text) from error
            case "raced" | "absent" if state.polls < MAX_RACES:
                return Progress(
                    state.but(polls=state.polls + 1).dump(), "Looking again: something else was faster", 1.0
                )
            case "denied":
                who = job.target.role_arn or f"the portal's own credentials for account {job.target.account_id}"
                return _denied(state, f"{text} (as {who})")
        if state.phase in _UNDER_WAY:
            return Unclear(text, state.dump())
        return Outcome("failed", text, next_action="retry")


def _slower(state: Handle) -> Progress:
    """Full jitter, so that a thousand deployments do not come back together."""
    wait = 1.0 + random.uniform(0, min(60.0, 2.0**state.throttles))  # noqa: S311
    return Progress(
        state.but(throttles=min(state.throttles + 1, 6)).dump(), "AWS asked us to slow down", wait, throttled=True
    )


def _denied(state: Handle, reason: str) -> Outcome | Unclear:
    """Not a failure when something may be under way: nobody can see how it ends."""
    if state.phase in _UNDER_WAY:
        return Unclear(f"{reason} The stack's operation goes on, and its end cannot be seen.", state.dump())
    return Outcome("failed", reason, next_action="retry")
