"""CodeBuild and its logs, whose builds really run: in the sandbox of the local runner, as their buildspec says.

AWS's JSON protocol, as far as the engine speaks it. Idempotency tokens are honoured as AWS does: the same token with
the same arguments is the same build, with others it is refused.
"""

import hashlib
import io
import itertools
import json
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from provisioning.commands import runs
from provisioning.commands.request import Callback, Limits, Request
from provisioning.commands.supervise import STOPPED
from tests.faults.liar_wire import Call, Refusal, Reply, Upstream

SERVICES = ("codebuild", "logs")
MUTATING = {"CreateProject", "UpdateProject", "StartBuild", "StopBuild"}
LIMITS = Limits(seconds=60, memory=400 * 1024**2, disk=64 * 1024**2, processes=64)
LOG_BYTES = 20_000  # of one page of a log


@dataclass
class Build:
    """One build of an account. ``folder`` is that of its run."""

    id: str
    account: str
    project: str
    variables: dict[str, str]
    folder: Path
    started: float
    stopped: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Builds:
    """``handle`` answers one call. Builds start at once and end as their commands do."""

    def __init__(self, upstream: Upstream):
        self.upstream = upstream
        self.projects: dict[tuple[str, str], dict[str, Any]] = {}
        self.builds: dict[str, Build] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="liar-builds-"))
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def close(self) -> None:
        for build in self.builds.values():
            runs.stop(build.folder)
        until = time.monotonic() + 10
        while time.monotonic() < until and any(
            runs.look(build.folder).state == "running" for build in self.builds.values()
        ):
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    def handle(self, action: str, account: str, body: Mapping[str, Any], call: Call) -> Reply:
        with self._lock:
            answer = {
                "BatchGetProjects": self._get_projects,
                "CreateProject": self._create,
                "UpdateProject": self._update,
                "StartBuild": self._start,
                "ListBuildsForProject": self._list,
                "BatchGetBuilds": self._get,
                "StopBuild": self._stop,
                "GetLogEvents": self._log,
            }.get(action)
            if answer is None:
                raise Refusal("UnknownOperationException", action)
            return reply(answer(account, body))

    # Projects

    def _get_projects(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        found = [self.projects[account, name] for name in body["names"] if (account, name) in self.projects]
        return {"projects": found}

    def _create(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if (account, body["name"]) in self.projects:
            raise Refusal("ResourceAlreadyExistsException", f"Project already exists: {body['name']}")
        return self._kept(account, body)

    def _update(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._project(account, body["name"])
        return self._kept(account, body)

    def _kept(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        project = {**body, "timeoutInMinutes": body.get("timeoutInMinutes", 60), "created": time.time()}
        self.projects[account, body["name"]] = project
        return {"project": project}

    def _project(self, account: str, name: str) -> dict[str, Any]:
        if (account, name) not in self.projects:
            raise Refusal("ResourceNotFoundException", f"Project cannot be found: {name}")
        return self.projects[account, name]

    # Builds

    def _start(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        project = self._project(account, body["projectName"])
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        token = body.get("idempotencyToken") or f"none-{next(self._numbers)}"
        if (account, token) in self._tokens:
            before, id = self._tokens[account, token]
            if before != digest:
                raise Refusal("InvalidInputException", "The idempotency token was used with other parameters")
            return {"build": self._shown(self.builds[id])}
        number = next(self._numbers)
        id = f"{project['name']}:{number:08d}"
        variables = {one["name"]: one["value"] for one in body.get("environmentVariablesOverride", [])}
        build = Build(id, account, project["name"], variables, self.folder / str(number), time.time(), arguments=body)
        self._tokens[account, token] = digest, id
        self.builds[id] = build
        self._run(build, yaml.safe_load(body["buildspecOverride"]))
        return {"build": self._shown(build)}

    def _run(self, build: Build, spec: Mapping[str, Any]) -> None:
        phases = spec["phases"]
        given = build.variables
        callback = None
        if "DEUTERON_ENDPOINT" in given:
            callback = Callback(
                given["DEUTERON_ENDPOINT"],
                given["DEUTERON_REGION"],
                given["DEUTERON_KEY_ID"],
                given["DEUTERON_SECRET"],
                given["DEUTERON_TOKEN"],
            )
        environment = {**spec["env"].get("variables", {}), **given}
        request = Request(
            tuple(command for phase in ("install", "build") for command in phases.get(phase, {}).get("commands", [])),
            self._source(build),
            environment={name: str(value) for name, value in environment.items()},
            limits=LIMITS,
            callback=callback,
        )
        runs.start(build.folder, request)

    def _source(self, build: Build) -> dict[str, bytes]:
        if build.arguments.get("sourceTypeOverride") != "S3":
            return {}
        path = "/" + build.arguments["sourceLocationOverride"]
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={build.account}/20260101/us-east-1/s3/aws4_request"}
        found = self.upstream.ask(Call("GET", path, headers, b""))
        with zipfile.ZipFile(io.BytesIO(found.body)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def _list(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._project(account, body["projectName"])
        found = [b.id for b in self.builds.values() if (b.account, b.project) == (account, body["projectName"])]
        return {"ids": found[::-1]}

    def _get(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        found = [self.builds[id] for id in body["ids"] if id in self.builds and self.builds[id].account == account]
        return {"builds": [self._shown(build) for build in found]}

    def _stop(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        build = self.builds[body["id"]]
        if runs.look(build.folder).state == "running":
            build.stopped = True
            runs.stop(build.folder)
        return {"build": self._shown(build)}

    def _shown(self, build: Build) -> dict[str, Any]:
        look = runs.look(build.folder)
        status, phase = "IN_PROGRESS", {"phaseType": "BUILD", "startTime": build.started}
        if look.result is not None:
            stopped = build.stopped and look.result.reason == STOPPED
            status = "STOPPED" if stopped else "SUCCEEDED" if look.result.code == 0 else "FAILED"
            why = look.result.reason or f"Error while executing command. Reason: exit status {look.result.code}"
            phase |= {"phaseStatus": status, "endTime": time.time()}
            said = "" if status == "SUCCEEDED" else why
            phase["contexts"] = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": said}]
        variables = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in build.variables.items()]
        return {
            "id": build.id,
            "arn": f"arn:aws:codebuild:us-east-1:{build.account}:build/{build.id}",
            "projectName": build.project,
            "buildStatus": status,
            "currentPhase": "BUILD" if status == "IN_PROGRESS" else "COMPLETED",
            "startTime": build.started,
            "phases": [phase],
            "environment": {"environmentVariables": variables},
            "logs": {"groupName": f"/aws/codebuild/{build.project}", "streamName": build.id.partition(":")[2]},
        }

    def _log(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        id = f"{body['logGroupName'].removeprefix('/aws/codebuild/')}:{body['logStreamName']}"
        after = int((body.get("nextToken") or "f/0").removeprefix("f/"))
        text, following = runs.log_of(self.builds[id].folder, after, LOG_BYTES)
        at = int(time.time() * 1000)
        events = [{"timestamp": at, "message": f"{line}\n", "ingestionTime": at} for line in text.splitlines()]
        return {"events": events, "nextForwardToken": f"f/{following}", "nextBackwardToken": "b/0"}


def reply(body: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode(), [("Content-Type", "application/x-amz-json-1.1")])


def refusal(refused: Refusal) -> Reply:
    """As JSON services say it."""
    names = ("ThrottlingException", "ExpiredTokenException", "AccessDeniedException")
    code = dict(zip(("Throttling", "ExpiredToken", "AccessDenied"), names, strict=True))
    return reply({"__type": code.get(refused.code, refused.code), "message": refused.message}, refused.status)
