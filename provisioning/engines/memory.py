"""Provisioning that happens nowhere: for tests, rehearsals and benchmarks.

What it answers is a pure function of job, handle and clock, so that it works across processes and survives a kill:
there is nothing to lose. What an earlier deployment left is known from ``job.identifier``, as with a real provider.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from provisioning.engines.base import (
    NOT_BEGUN,
    EngineUnavailable,
    Event,
    Job,
    Outcome,
    Plan,
    PlannedChange,
    Progress,
    Unclear,
)
from provisioning.outputs import Output, ProvisionedResource


class MemoryEngine:
    """Wishes in ``job.settings``, all optional:

    ``seconds`` how long it takes (0); ``fail`` the reason for which it fails at the end; ``next_action`` after that;
    ``outputs`` a mapping; ``unclear`` the reason for which a person must decide; ``throttle_until`` and
    ``unavailable_until`` in seconds since the epoch; ``foreign`` to find somebody else's thing under the name;
    ``poll`` the seconds between two looks (0.5).
    """

    def __init__(self, clock: Callable[[], float] = time.time):
        self._clock = clock

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        wishes, now = job.settings, self._clock()
        if now < float(wishes.get("unavailable_until", 0)):
            raise EngineUnavailable("The memory engine was asked to be out of reach.")
        if now < float(wishes.get("throttle_until", 0)):
            return Progress(handle or "", "Asked to slow down", float(wishes.get("poll", 0.5)), throttled=True)
        if wishes.get("foreign"):
            return Outcome("failed", f"{job.name} exists already and is not ours.", next_action="retry")
        if not handle:
            return self._begin(job, now)
        started = float(json.loads(handle)["started"])
        ends = started + float(wishes.get("seconds", 0))
        if job.intent == "cancel" and job.begins and now < ends:
            return Outcome("cancelled", "Cancelled on request.", events=(_event(job, "CANCELLED", now),))
        if now < ends:
            return Progress(handle, "Working", min(float(wishes.get("poll", 0.5)), ends - now))
        if wishes.get("unclear"):
            return Unclear(str(wishes["unclear"]), handle)
        return self._end(job, ends)

    def preview(self, job: Job) -> Plan:
        if job.identifier == _identifier(job):
            return Plan()
        return Plan((PlannedChange(job.name, "Memory::Thing", "Modify" if job.identifier else "Add"),))

    def _begin(self, job: Job, now: float) -> Progress | Outcome:
        if job.intent == "cancel":
            return Outcome("cancelled", "Cancelled before anything was changed.")
        if job.intent == "apply" and job.identifier == _identifier(job):
            return self._succeeded(job, (), unchanged=True)
        if job.intent == "remove" and not job.identifier:
            return Outcome("succeeded")
        if not job.begins:
            return Outcome("cancelled", NOT_BEGUN)
        return Progress(json.dumps({"started": now}), "Beginning", 0.0, (_event(job, "IN_PROGRESS", now),))

    def _end(self, job: Job, at: float) -> Outcome:
        if job.settings.get("fail"):
            reason = str(job.settings["fail"])
            events = (_event(job, "FAILED", at, reason),)
            return Outcome("failed", reason, events=events, next_action=str(job.settings.get("next_action", "retry")))
        events = (_event(job, "COMPLETE", at),)
        if job.intent == "remove":
            return Outcome("succeeded", events=events)
        return self._succeeded(job, events)

    def _succeeded(self, job: Job, events: tuple[Event, ...], *, unchanged: bool = False) -> Outcome:
        outputs: Mapping[str, Any] = job.settings.get("outputs", {})
        return Outcome(
            "succeeded",
            outputs=tuple(Output(key, str(value)) for key, value in outputs.items()),
            resources=(ProvisionedResource(job.name, _identifier(job), "CLOUDFORMATION"),),
            events=events,
            unchanged=unchanged,
        )


def _identifier(job: Job) -> str:
    """Says what was applied, so that the same again is recognised without a memory."""
    tags = {key: value for key, value in job.tags.items() if key != "deuteron:deployment"}
    state = json.dumps([job.template, sorted(tags.items())])
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return f"memory:{job.target.account_id}:{job.target.region}:{job.name}:{digest}"


def _event(job: Job, status: str, at: float, message: str = "") -> Event:
    name = {"apply": "APPLY", "remove": "REMOVE", "cancel": "APPLY"}[job.intent]
    return Event(
        id=f"{job.deployment}-{name}-{status}",
        at=at,
        resource=job.name,
        status=f"{name}_{status}",
        message=message,
        type="Memory::Thing",
        failed=status == "FAILED",
    )
