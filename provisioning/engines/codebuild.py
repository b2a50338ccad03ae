"""Provisioning by a bundle's own commands in AWS CodeBuild, in the target account: AWS Proton's CodeBuild provisioning.

What may not change alone: one project for each environment, found by its name; a build is found by the variable that
names its deployment, also when the reply of StartBuild was lost, and its idempotency token derives from the deployment;
the build's result decides, never what it notified.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from provisioning.commands import buildspec
from provisioning.commands.ansi import plain
from provisioning.commands.masking import Masker
from provisioning.commands.plan import CommandPlan, outputs_of, plan_of
from provisioning.commands.request import Callback
from provisioning.engines import aws_errors
from provisioning.engines.base import (
    EngineUnavailable,
    Event,
    Job,
    Outcome,
    Plan,
    Progress,
    Unclear,
)
from provisioning.engines.codebuild_project import differs, wanted_project
from provisioning.engines.command import planned
from provisioning.engines.handle import BaseHandle
from provisioning.engines.session import NoAccess, Sessions

POLL_SECONDS = 5.0
LOOK_BACK = 50  # builds of the project among which ours is looked for
MAX_RENEWALS = 3
LOG_PAGE = 500  # lines


@dataclass(frozen=True)
class _Handle(BaseHandle):
    build: str = ""
    uploaded: str = ""  # key of the source
    log: str = ""  # where the next lines of the log begin
    phases: int = 0  # that were reported
    renewals: int = 0  # in a row, as the next
    throttles: int = 0


class CodeBuildEngine:
    """The engine "codebuild". ``callback`` gives the key with which a build notifies the portal, when it is started;
    ``secrets`` are values of the job that no log may show."""

    def __init__(
        self,
        sessions: Sessions,
        callback: Callable[[Job], Callback | None],
        *,
        secrets: Callable[[Job], Sequence[str]] = lambda job: (),
    ) -> None:
        self._sessions, self._callback, self._secrets = sessions, callback, secrets

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        state = _Handle.load(handle)
        try:
            return self._step(job, state)
        except NoAccess as error:
            return _denied(state, str(error))
        except ParamValidationError as error:
            return Outcome("failed", str(error), next_action="retry")
        except ClientError as error:
            return self._refused(job, state, error)
        except (BotoCoreError, ResponseParserError) as error:
            raise EngineUnavailable(str(error)) from error

    def preview(self, job: Job) -> Plan:
        return planned(job)

    def _step(self, job: Job, state: _Handle) -> Progress | Outcome | Unclear:
        mark = f"{job.deployment}/{'apply' if job.intent == 'cancel' else job.intent}"
        build = self._find(job, state, mark)
        if build is None and state.build:
            reason = (
                "CodeBuild does not know the build any more that was started for this: nobody can say how it ended."
            )
            return Outcome("failed", reason, next_action="retry")
        if build is None and (job.intent == "cancel" or not job.begins):
            return Outcome("cancelled")
        if build is None:
            return self._begin(job, state, mark)
        state = state.but(build=build["id"])
        if build["buildStatus"] == "IN_PROGRESS" and job.intent == "cancel" and job.begins:
            self._client(job, mutating=True).stop_build(id=build["id"])
            return Progress(state.dump(), "Stopping the build", 2.0)
        return self._follow(job, state, build)

    def _find(self, job: Job, state: _Handle, mark: str) -> Mapping[str, Any] | None:
        """Our build: by its id once that is known, else among the project's latest ones."""
        client = self._client(job)
        if state.build:
            ids = [state.build]
        else:
            try:
                ids = _member(client.list_builds_for_project(projectName=_project(job), sortOrder="DESCENDING"), "ids")
            except ClientError as error:
                if aws_errors.code(error) == "ResourceNotFoundException":
                    return None
                raise
        if not ids:
            return None
        builds = _member(client.batch_get_builds(ids=ids[:LOOK_BACK]), "builds")
        return next((build for build in builds if state.build or mark in _marks(build)), None)

    def _begin(self, job: Job, state: _Handle, mark: str) -> Progress | Outcome:
        """Project, source, build: one change at a time."""
        plan = plan_of(job)
        if not plan.commands:
            return Outcome("succeeded", unchanged=True)
        role = str(job.settings.get("codebuild_role_arn", ""))
        if not role:
            reason = "CodeBuild needs a role: give the environment (or its account connection) a CodeBuild role."
            return Outcome("failed", reason, next_action="retry")
        client, changing = self._client(job), self._client(job, mutating=True)
        wanted = wanted_project(_project(job), role, plan, job.tags)
        there = _member(client.batch_get_projects(names=[wanted["name"]]), "projects")
        if not there:
            changing.create_project(**wanted)
            return Progress(state.dump(), "Making the CodeBuild project", 0.5)
        if differs(there[0], wanted):
            changing.update_project(**wanted)
            return Progress(state.dump(), "Updating the CodeBuild project", 0.5)
        source = self._source(job, plan, state)
        if isinstance(source, Progress | Outcome):
            return source
        answer = changing.start_build(
            projectName=wanted["name"],
            idempotencyToken=hashlib.sha256(mark.encode()).hexdigest()[:64],
            imageOverride=plan.image,
            environmentVariablesOverride=buildspec.variables(plan, mark, self._callback(job)),
            **source,
        )
        build = _member(answer, "build")
        return Progress(state.but(build=build["id"]).dump(), "The build was started", POLL_SECONDS)

    def _source(self, job: Job, plan: CommandPlan, state: _Handle) -> Progress | Outcome | dict[str, Any]:
        """Arguments of StartBuild; or the upload that comes before it."""
        packed = buildspec.pack_inline(plan.files)
        if len(packed) <= buildspec.MOST_INLINE:
            return {"sourceTypeOverride": "NO_SOURCE", "buildspecOverride": buildspec.buildspec(plan, packed=packed)}
        bucket = str(job.settings.get("template_bucket", ""))
        if not bucket:
            reason = "The bundle is too large to travel in the build itself, and no bucket for templates is configured."
            return Outcome("failed", reason, next_action="retry")
        data = buildspec.pack_source(plan.files)
        key = f"sources/{hashlib.sha256(data).hexdigest()}.zip"
        if state.uploaded != key:
            self._sessions.own("s3", job.target.region, mutating=True).put_object(Bucket=bucket, Key=key, Body=data)
            return Progress(state.but(uploaded=key).dump(), "Sending the files of the bundle", 0.0)
        return {
            "sourceTypeOverride": "S3",
            "sourceLocationOverride": f"{bucket}/{key}",
            "buildspecOverride": buildspec.buildspec(plan),
        }

    def _follow(self, job: Job, state: _Handle, build: Mapping[str, Any]) -> Progress | Outcome:
        lines, log = self._log(job, state, build)
        phases = build.get("phases") or []
        events = (*_phase_events(build["id"], phases, state.phases), *lines)
        ended = len([phase for phase in phases if phase.get("phaseStatus")])
        state = state.but(log=log, phases=ended, throttles=0, renewals=0)
        status = build["buildStatus"]
        if status == "IN_PROGRESS":
            return Progress(state.dump(), f"CodeBuild: {_words(build.get('currentPhase', ''))}", POLL_SECONDS, events)
        if lines:
            return Progress(state.dump(), "Reading the rest of the log", 0.0, events)
        if status == "STOPPED":
            if job.intent == "cancel":
                return Outcome("cancelled", events=events)
            return Outcome("failed", "The build was stopped in CodeBuild.", events=events, next_action="retry")
        if status != "SUCCEEDED":
            return Outcome("failed", _cause(build), events=events, next_action="retry")
        outputs, wrong = outputs_of(job, "") if job.intent != "remove" else ((), "")
        if wrong:
            return Outcome("failed", wrong, events=events, next_action="retry")
        return Outcome("succeeded", outputs=outputs, events=events)

    def _log(self, job: Job, state: _Handle, build: Mapping[str, Any]) -> tuple[tuple[Event, ...], str]:
        """The next lines of the build's log, and where those after them begin."""
        logs = build.get("logs") or {}
        if not logs.get("groupName") or not logs.get("streamName"):
            return (), state.log
        client = self._sessions.client("logs", job.target, name=job.deployment)
        more = {"nextToken": state.log} if state.log else {}
        try:
            page = client.get_log_events(
                logGroupName=logs["groupName"],
                logStreamName=logs["streamName"],
                startFromHead=True,
                limit=LOG_PAGE,
                **more,
            )
        except ClientError as error:
            if aws_errors.code(error) in ("ResourceNotFoundException", "AccessDeniedException"):
                return (), state.log  # there is no log yet, or we may not read it: the build's result still counts
            raise
        lines = _member(page, "events")
        text = plain("".join(f"{line['message'].rstrip()}\n" for line in lines))
        if not text:
            return (), state.log
        masker = Masker(self._secrets(job))
        text = (masker.feed(text.encode()) + masker.end()).decode(errors="replace")
        mark = hashlib.sha256(f"{build['id']}{state.log}".encode()).hexdigest()[:24]
        event = Event(f"log-{mark}", lines[-1]["timestamp"] / 1000, "build", "OUTPUT", text.rstrip("\n"))
        return (event,), _member(page, "nextForwardToken")

    def _client(self, job: Job, *, mutating: bool = False) -> Any:
        return self._sessions.client("codebuild", job.target, name=job.deployment, mutating=mutating)

    def _refused(self, job: Job, state: _Handle, error: ClientError) -> Progress | Outcome | Unclear:
        text = aws_errors.message(error)
        match aws_errors.kind(error):
            case "throttled":
                wait = 1.0 + min(60.0, 2.0**state.throttles)
                later = state.but(throttles=min(state.throttles + 1, 6)).dump()
                return Progress(later, "AWS asked us to slow down", wait, throttled=True)
            case "expired":
                self._sessions.forget(job.target)
                if state.renewals < MAX_RENEWALS:
                    again = state.but(renewals=state.renewals + 1).dump()
                    return Progress(again, "Renewing an expired session", 1.0)
                return _denied(state, f"{text}, also after the session was renewed.")
            case "unavailable":
                raise EngineUnavailable(text) from error
            case "denied":
                return _denied(state, f"{text} (as {job.target.role_arn or 'the portal itself'})")
        if aws_errors.code(error) == "ResourceAlreadyExistsException" or "idempotency token" in text.lower():
            return Progress(state.dump(), "Looking again: something else was faster", 1.0)
        return Outcome("failed", text, next_action="retry")


def _member(answer: Mapping[str, Any], name: str) -> Any:
    """Of a reply that came whole: botocore makes something of a JSON document that was cut, too."""
    if name not in answer:
        raise EngineUnavailable(f"an answer of AWS came without its {name}")
    return answer[name]


def _project(job: Job) -> str:
    return str(job.settings.get("project") or job.name)[:255]


def _marks(build: Mapping[str, Any]) -> list[str]:
    variables = (build.get("environment") or {}).get("environmentVariables") or []
    return [variable["value"] for variable in variables if variable["name"] == buildspec.MARK]


def _phase_events(build: str, phases: list[Mapping[str, Any]], seen: int) -> tuple[Event, ...]:
    found = []
    for number, phase in enumerate([phase for phase in phases if phase.get("phaseStatus")]):
        if number >= seen:
            failed = phase["phaseStatus"] not in ("SUCCEEDED", "IN_PROGRESS", "QUEUED")
            message = " ".join(one.get("message", "") for one in phase.get("contexts") or []).strip()
            at = phase.get("endTime") or phase.get("startTime")
            found.append(
                Event(
                    f"{build}-{number}",
                    at.timestamp() if at else 0.0,
                    phase["phaseType"],
                    phase["phaseStatus"],
                    message if failed else "",
                    "CodeBuild phase",
                    failed,
                )
            )
    return tuple(found)


def _cause(build: Mapping[str, Any]) -> str:
    """The first phase that failed, in CodeBuild's words."""
    for phase in build.get("phases") or []:
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR"):
            words = " ".join(one.get("message", "") for one in phase.get("contexts") or []).strip()
            return f"{_words(phase['phaseType'])} failed: {words or phase['phaseStatus']}"
    return f"The build ended as {build['buildStatus']}."


def _words(text: str) -> str:
    return text.replace("_", " ").lower().capitalize() or "Queued"


def _denied(state: _Handle, reason: str) -> Outcome | Unclear:
    """Not a failure when a build may be under way: nobody can see how it ends."""
    if state.build:
        return Unclear(f"{reason} The build goes on, and its end cannot be seen.", state.dump())
    return Outcome("failed", reason, next_action="retry")
