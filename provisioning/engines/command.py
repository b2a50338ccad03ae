"""Provisioning by a bundle's own commands, on this machine: AWS Proton's CodeBuild provisioning without CodeBuild.

What may not change alone: a run is started at most once for each deployment and intent, whoever calls how often. Its
folder is named after them, and what became of it is read from there; which machine has that folder is written down
before the run is started, and no other machine starts it. A run whose supervisor died did not end: that is a failure
that says so, never a success.
"""

import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provisioning.commands import runs
from provisioning.commands.ansi import plain
from provisioning.commands.plan import CommandPlan, outputs_of, plan_of
from provisioning.commands.request import Callback, Limits, Request, Result
from provisioning.commands.sandbox import NoSandbox, find_bwrap
from provisioning.commands.supervise import STOPPED
from provisioning.engines.base import (
    EngineUnavailable,
    Event,
    Intent,
    Job,
    Outcome,
    Plan,
    PlannedChange,
    Progress,
    Unclear,
)
from provisioning.engines.handle import BaseHandle

DEFAULT_LIMITS = Limits()
FIRST_LOOK_SECONDS, POLL_SECONDS = 0.2, 1.0
LONGEST_EVENT = 8_000  # characters of log in one event
KEPT_SECONDS = 86_400.0  # a folder whose run ended is kept so long
SILENT_SECONDS = 120.0  # longer than this beyond its time limit nothing is waited for from another machine
LOST = "The machine stopped while the commands ran: some of them may have done their work, others not."


@dataclass(frozen=True)
class Surroundings:
    """What a run gets beside its plan: made when it is started, and never stored."""

    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    callback: Callback | None = None


class CannotStart(Exception):
    """What surrounds a run cannot be had: the message says what and why."""


@dataclass(frozen=True)
class _Handle(BaseHandle):
    host: str = ""  # the one machine that may start the run
    since: float = 0.0
    started: bool = False
    seen: int = 0  # bytes of the log that were reported


class CommandEngine:
    """The engine "command". ``folder`` holds the runs; ``hosts`` is what their network reaches; ``surroundings`` gives
    credentials and the key of a run when it is started. ``sandbox`` False: without one, where an admin allows it."""

    def __init__(
        self,
        folder: Path,
        surroundings: Callable[[Job, CommandPlan], Surroundings],
        *,
        hosts: Sequence[str] = (),
        limits: Limits = DEFAULT_LIMITS,
        sandbox: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._surroundings, self._hosts = folder, surroundings, tuple(hosts)
        self._limits, self._sandbox, self._clock = limits, sandbox, clock

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        state = _Handle.load(handle)
        here = socket.gethostname()
        if state.host not in ("", here):
            return self._elsewhere(state)
        if job.intent == "cancel":
            return self._cancel(job, state)
        look = runs.look(self._place(job, job.intent))
        if look.state != "absent":
            return self._follow(job, job.intent, state, look)
        if state.started:
            return Outcome("failed", LOST, next_action="retry")
        if not job.begins:
            return Outcome("cancelled")
        if state.host:
            return self._start(job, state)
        if not plan_of(job).commands:
            return Outcome("succeeded", unchanged=True)
        return Progress(_Handle(here, self._clock()).dump(), "Starting the commands")

    def preview(self, job: Job) -> Plan:
        return planned(job)

    def _place(self, job: Job, intent: Intent) -> Path:
        return self._folder / f"{job.deployment}-{intent}"

    def _start(self, job: Job, state: _Handle) -> Progress | Outcome:
        plan = plan_of(job)
        if self._sandbox:
            try:
                find_bwrap()
            except NoSandbox as trouble:
                return Outcome("failed", str(trouble), next_action="retry")
        self._tidy()
        try:
            around = self._surroundings(job, plan)
        except CannotStart as trouble:
            return Outcome("failed", str(trouble), next_action="retry")
        started = runs.start(
            self._place(job, job.intent),
            Request(
                commands=plan.commands,
                files=plan.files,
                folder=plan.folder,
                environment={**plan.variables, **around.environment, "RESOURCE_ARN": plan.resource_arn},
                secrets=around.secrets,
                hosts=self._hosts,
                limits=self._time_limit(plan),
                callback=around.callback,
                sandbox=self._sandbox,
            ),
        )
        if not started:
            raise EngineUnavailable("This machine is too busy to start the commands.")
        return Progress(
            state.but(since=self._clock(), started=True).dump(), "The commands were started", FIRST_LOOK_SECONDS
        )

    def _time_limit(self, plan: CommandPlan) -> Limits:
        minutes = plan.project_properties.get("TimeoutInMinutes")
        if not isinstance(minutes, int | float) or isinstance(minutes, bool):
            return self._limits
        return replace(self._limits, seconds=min(self._limits.seconds, 60.0 * minutes))

    def _follow(self, job: Job, intent: Intent, state: _Handle, look: runs.Look) -> Progress | Outcome:
        place = self._place(job, intent)
        text, seen = runs.log_of(place, state.seen)
        events = _events(intent, state.seen, plain(text), self._clock())
        state = state.but(seen=seen, host=socket.gethostname(), started=True)
        if look.state == "running" or (text and look.state == "ended" and seen != _size(place)):
            return Progress(state.dump(), _doing(text), 0.0 if look.state == "ended" else POLL_SECONDS, events)
        if look.result is None:
            return Outcome("failed", LOST, events=events, next_action="retry")
        return self._end(job, intent, look.result, text, events)

    def _end(self, job: Job, intent: Intent, result: Result, text: str, events: tuple[Event, ...]) -> Outcome:
        if result.reason == STOPPED and job.intent == "cancel":
            return Outcome("cancelled", events=events)
        if result.code:
            reason = result.reason or f"A command ended with exit code {result.code}.{_last_line(text)}"
            return Outcome(
                "failed", reason, events=(*events, _failure(intent, reason, self._clock())), next_action="retry"
            )
        outputs, wrong = outputs_of(job, result.outputs) if intent == "apply" else ((), "")
        if wrong:
            return Outcome("failed", wrong, events=events, next_action="retry")
        return Outcome("succeeded", outputs=outputs, events=events)

    def _cancel(self, job: Job, state: _Handle) -> Progress | Outcome:
        """End the commands. What they have done by then stays; the next deployment goes on from there."""
        place = self._place(job, "apply")
        look = runs.look(place)
        if look.state == "absent" and state.started:
            return Outcome("failed", LOST, next_action="retry")
        if look.state == "absent":
            return Outcome("cancelled")
        if look.state == "running" and job.begins:
            runs.stop(place)
            return Progress(state.dump(), "Ending the commands", 0.5)
        return self._follow(job, "apply", state, look)

    def _elsewhere(self, state: _Handle) -> Progress | Outcome:
        """Only the machine that runs the commands can see them."""
        patience = SILENT_SECONDS + (self._limits.seconds if state.started else 0)
        if self._clock() - state.since > patience:
            reason = f"{state.host}, where the commands ran, does not say how they ended."
            return Outcome("failed", reason, next_action="retry")
        return Progress(state.dump(), f"Running on {state.host}", 2.0)

    def _tidy(self) -> None:
        """Remove folders of runs that ended long ago: what they said is kept by the portal."""
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            result = place / "result.json"
            if result.exists() and self._clock() - result.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(place, ignore_errors=True)


def planned(job: Job) -> Plan:
    """Nobody knows what commands change: the commands themselves are the plan."""
    return Plan(tuple(PlannedChange(command, "Command", "Dynamic") for command in plan_of(job).commands))


def _size(place: Path) -> int:
    try:
        return (place / "log").stat().st_size
    except FileNotFoundError:
        return 0


def _events(intent: str, at: int, text: str, now: float) -> tuple[Event, ...]:
    """The log as events of some lines each, named by where they begin, so that one seen twice is recorded once."""
    found = []
    position = 0
    while position < len(text):
        end = text.rfind("\n", position, position + LONGEST_EVENT) + 1
        if end <= position or len(text) - position <= LONGEST_EVENT:
            end = min(len(text), position + LONGEST_EVENT)
        message = text[position:end].rstrip("\n")
        if message:
            found.append(Event(f"{intent}-{at}-{position}", now, "commands", "OUTPUT", message))
        position = end
    return tuple(found)


def _failure(intent: str, reason: str, now: float) -> Event:
    return Event(f"{intent}-failed", now, "commands", "FAILED", reason, failed=True)


def _doing(text: str) -> str:
    line = _last_line(text).strip()
    return f"Running commands: {line[:200]}" if line else "Running commands"


def _last_line(text: str) -> str:
    """The last line that says something, with a space before it."""
    lines = [line.strip() for line in plain(text).splitlines() if line.strip() and not line.startswith("[")]
    return f" {lines[-1][:500]}" if lines else ""
