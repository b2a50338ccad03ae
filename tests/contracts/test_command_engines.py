"""What every engine promises, tried on the two that run a bundle's own commands: on this machine, and in CodeBuild.

CodeBuild is the liar's, whose builds really run. The two have no object that could be found unchanged, so this is a
contract of its own beside that of stacks in test_engines.py.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from provisioning.commands.request import Callback
from provisioning.engines.base import Engine, EngineUnavailable, Event, Job, Notified, Outcome, Progress, Target
from provisioning.engines.codebuild import CodeBuildEngine
from provisioning.engines.command import CommandEngine, Surroundings
from provisioning.engines.session import Sessions
from provisioning.outputs import Output
from tests.commands.running import QUICK
from tests.faults.aws_liar import Liar

pytestmark = pytest.mark.bubblewrap
ROLE = "arn:aws:iam::111111111111:role/codebuild"
SECONDS = 60.0


class Reports:
    """Where builds report to: keeps the outputs that each resource was said to have."""

    def __init__(self) -> None:
        self.outputs: dict[str, dict[str, str]] = {}
        reports = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = {one["key"]: one["valueString"] for one in body.get("outputs", [])}
                reports.outputs.setdefault(body["resourceArn"], {}).update(said)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def callback(self) -> Callback:
        return Callback(f"http://127.0.0.1:{self.server.server_port}", "us-east-1", "key", "secret", "token-of-the-run")

    def of(self, job: Job) -> Notified | None:
        found = self.outputs.get(job.resource_arn)
        return None if found is None else Notified("", "", tuple(Output(*pair) for pair in sorted(found.items())))


@dataclass
class Bench:
    engine: Engine
    account: str
    notified: Callable[[Job], Notified | None]
    ledger: Callable[[], list[str]]
    started: Callable[[Job], int]
    waits: list[float] = field(default_factory=list)

    def job(self, *provision: str, intent: Any = "apply", name: str = "", **fields: Any) -> Job:
        commands = {
            "provision": list(provision),
            "deprovision": ["echo removed"],
            "env": {"variables": {"STAGE": "test"}},
            **fields.pop("commands", {}),
        }
        arn = f"arn:aws:proton:us-east-1:111111111111:environment/{name or uuid.uuid4().hex}"
        return Job(
            str(uuid.uuid4()),
            intent,
            "AWSProton-web-codebuild-X",
            Target(self.account, "us-east-1"),
            settings={"commands": commands, "folder": "infrastructure", "codebuild_role_arn": ROLE},
            files={"infrastructure/proton-inputs.json": '{"environment": {"name": "web"}}'},
            bundle=fields.pop("bundle", {"infrastructure/deploy.sh": b"echo deploying $1\n"}),
            resource_arn=arn,
            tags={"proton:account": "111111111111"},
            **fields,
        )

    def step(self, job: Job, handle: str | None) -> Any:
        """One step: at most one call that changes anything. None when the other side did not answer."""
        before = len(self.ledger())
        try:
            result = self.engine.advance(replace(job, notified=self.notified(job)), handle)
        except EngineUnavailable:
            result = None
        assert len(self.ledger()) - before <= 1, self.ledger()[before:]
        return result

    def finish(
        self, job: Job, handle: str | None = None, *, twice: bool = False, events: list[Event] | None = None
    ) -> Outcome:
        until = time.monotonic() + SECONDS
        result: Any = None
        while time.monotonic() < until:
            result = self.step(job, handle)
            if twice and result is not None:  # the answer was lost
                result = self.step(job, handle)
            if result is None:
                time.sleep(0.05)
                continue
            if events is not None:
                events += result.events
            if isinstance(result, Outcome):
                return result
            assert isinstance(result, Progress), result
            handle = result.handle
            time.sleep(min(result.wait, 0.1))
        raise AssertionError(f"no end: {result}")


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def command(tmp_path: Any, reports: Reports) -> Bench:
    def around(job: Job, plan: Any) -> Surroundings:
        return Surroundings({}, ("token-of-the-run",), reports.callback)

    def ledger() -> list[str]:
        return sorted(path.parent.name for path in (tmp_path / "runs").glob("*/started"))

    def started(job: Job) -> int:
        return sum(name.startswith(job.deployment) for name in ledger())

    engine = CommandEngine(tmp_path / "runs", around, limits=QUICK)
    return Bench(engine, "111111111111", reports.of, ledger, started)


@pytest.fixture
def liar(aws: Any, aws_account: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    made = Liar(aws.upstream.removeprefix("http://"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    yield made
    made.close()


@pytest.fixture
def codebuild(liar: Liar, aws_account: str, reports: Reports) -> Bench:
    def started(job: Job) -> int:
        marks = [build.variables.get("DEUTERON_DEPLOYMENT", "") for build in liar.builds.builds.values()]
        return sum(mark.startswith(job.deployment) for mark in marks)

    sessions = Sessions(account_keys=True)
    engine = CodeBuildEngine(sessions, lambda job: reports.callback, secrets=lambda job: ("token-of-the-run",))
    return Bench(engine, aws_account, reports.of, lambda: [entry.action for entry in liar.entries], started)


@pytest.fixture(params=["command", "codebuild"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


OUTPUTS = """echo '[{"key": "Version", "valueString": "%s"}]' > proton-outputs.json"""


def values(outcome: Outcome) -> dict[str, str]:
    return {output.key: output.value for output in outcome.outputs}


def log(events: list[Event]) -> str:
    seen = {event.id: event.message for event in events if event.status == "OUTPUT"}
    return "\n".join(seen.values())


def test_commands_run_with_their_files_and_return_outputs(bench: Bench) -> None:
    events: list[Event] = []
    job = bench.job("bash deploy.sh $STAGE", "cat proton-inputs.json", OUTPUTS % "v1")
    outcome = bench.finish(job, events=events)
    assert (outcome.status, outcome.reason, values(outcome)) == ("succeeded", "", {"Version": "v1"}), log(events)
    assert "\ndeploying test" in log(events)
    assert '"name": "web"' in log(events)
    assert bench.started(job) == 1


def test_outputs_that_were_notified_win_over_those_of_the_file(bench: Bench) -> None:
    notify = "aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN"
    outcome = bench.finish(bench.job(f"{notify} --outputs key=Version,valueString=notified"))
    assert (outcome.status, values(outcome)) == ("succeeded", {"Version": "notified"})


def test_events_come_once_each(bench: Bench) -> None:
    events: list[Event] = []
    bench.finish(bench.job("seq 1 3000"), events=events)
    assert len({event.id for event in events}) == len(events) > 0
    numbers = [int(line) for line in log(events).splitlines() if line.isdigit()]
    assert numbers == list(range(1, 3001))


def test_answers_that_are_lost_start_nothing_twice(bench: Bench) -> None:
    job = bench.job("sleep 0.3", OUTPUTS % "v1")
    outcome = bench.finish(job, twice=True)
    assert (outcome.status, values(outcome), bench.started(job)) == ("succeeded", {"Version": "v1"}, 1)


def test_the_outputs_file_of_cdk_has_the_outputs_of_every_stack(bench: Bench) -> None:
    stacks = {"web": {"Url": "https://x", "Groups": "[]"}, "data": {"Bucket": "b-1"}}
    outcome = bench.finish(bench.job(f"echo '{json.dumps(stacks)}' > proton-outputs.json"))
    assert values(outcome) == {"Url": "https://x", "Groups": "[]", "Bucket": "b-1"}


def test_a_plain_object_is_an_outputs_file_too(bench: Bench) -> None:
    written = {"Url": "https://x", "Port": 80, "Public": True, "Zones": ["a"]}
    outcome = bench.finish(bench.job(f"echo '{json.dumps(written)}' > proton-outputs.json"))
    assert values(outcome) == {"Url": "https://x", "Port": "80", "Public": "true", "Zones": '["a"]'}


def test_commands_that_notify_outputs_may_leave_any_outputs_file(bench: Bench) -> None:
    stacks = {"web": {"Url": "https://x", "Policy": "p" * 2_000}}
    outcome = bench.finish(
        bench.job(
            f"echo '{json.dumps(stacks)}' > proton-outputs.json",
            "aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN"
            " --outputs key=Url,valueString=https://x",
        )
    )
    assert (outcome.status, values(outcome)) == ("succeeded", {"Url": "https://x"})


def test_an_update_runs_again_and_changes_the_outputs(bench: Bench) -> None:
    assert values(bench.finish(bench.job(OUTPUTS % "v1", name="web"))) == {"Version": "v1"}
    assert values(bench.finish(bench.job(OUTPUTS % "v2", name="web"), twice=True)) == {"Version": "v2"}


def test_a_failure_says_why_and_a_retry_succeeds(bench: Bench) -> None:
    failed = bench.finish(bench.job("echo no such bucket; exit 3"))
    assert (failed.status, failed.next_action, "3" in failed.reason) == ("failed", "retry", True)
    assert bench.finish(bench.job("true")).status == "succeeded"


def test_removing_runs_the_other_commands_once(bench: Bench) -> None:
    events: list[Event] = []
    job = bench.job("exit 1", intent="remove")
    assert bench.finish(job, twice=True, events=events).status == "succeeded"
    assert ("\nremoved" in log(events), bench.started(job)) == (True, 1)


def test_nothing_to_run_changes_nothing(bench: Bench) -> None:
    outcome = bench.finish(bench.job())
    assert (outcome.status, outcome.unchanged, bench.ledger()) == ("succeeded", True, [])


def test_cancelling_before_anything_began_changes_nothing(bench: Bench) -> None:
    assert bench.finish(bench.job("true", intent="cancel")).status == "cancelled"
    assert bench.ledger() == []


def test_a_run_that_began_is_cancelled(bench: Bench) -> None:
    job, handle = bench.job("sleep 50"), None
    while not bench.started(job):
        handle = bench.step(job, handle).handle
    began = time.monotonic()
    assert bench.finish(replace(job, intent="cancel"), handle, twice=True).status == "cancelled"
    assert time.monotonic() - began < 20


def test_cancelling_after_the_end_tells_how_it_ended(bench: Bench) -> None:
    job, handle = bench.job(OUTPUTS % "v1"), None
    while isinstance(result := bench.step(job, handle), Progress):
        handle = result.handle
        time.sleep(min(result.wait, 0.1))
    late = bench.finish(replace(job, intent="cancel"), handle)
    assert (late.status, values(late)) == ("succeeded", {"Version": "v1"})


def test_a_preview_is_the_commands_themselves(bench: Bench) -> None:
    plan = bench.engine.preview(bench.job("echo a", "echo b"))
    assert ([change.resource for change in plan.changes], bench.ledger()) == (["echo a", "echo b"], [])


def test_what_a_build_prints_is_masked_and_plain(bench: Bench) -> None:
    events: list[Event] = []
    bench.finish(bench.job("printf 'a\\033[31mb token-of-\\033[0mthe-run c\\n'"), events=events)
    assert ("ab **** c" in log(events), "\033" in log(events)) == (True, False)


# CodeBuild behaves badly


@pytest.mark.parametrize("kind", ["drop", "lose", "throttle", "unavailable", "html", "truncate", "slow"])
@pytest.mark.parametrize("action", ["CreateProject", "UpdateProject", "StartBuild"])
def test_one_build_whatever_becomes_of_a_reply(codebuild: Bench, liar: Liar, kind: str, action: str) -> None:
    if action == "UpdateProject":
        codebuild.finish(codebuild.job("true"))
    fault = liar.fault(kind, action, times=2, seconds=0.2)
    changed = {"project_properties": {"TimeoutInMinutes": 7}} if action == "UpdateProject" else {}
    job = codebuild.job("sleep 0.1", OUTPUTS % "v1", commands=changed)
    outcome = codebuild.finish(job)
    assert (outcome.status, outcome.reason, values(outcome)) == ("succeeded", "", {"Version": "v1"})
    assert fault.hits >= 1
    assert codebuild.started(job) == 1
    assert len(liar.builds.projects) == 1


@pytest.mark.parametrize("kind", ["drop", "lose", "throttle"])
def test_stopping_survives_a_lost_reply(codebuild: Bench, liar: Liar, kind: str) -> None:
    job, handle = codebuild.job("sleep 50"), None
    while not codebuild.started(job):
        handle = codebuild.step(job, handle).handle
    fault = liar.fault(kind, "StopBuild", times=1)
    assert codebuild.finish(replace(job, intent="cancel"), handle).status == "cancelled"
    assert fault.hits == 1


def test_everything_is_lost_now_and_then(codebuild: Bench, liar: Liar) -> None:
    for kind in ("drop", "lose", "truncate", "throttle", "html"):
        liar.fault(kind, share=0.15)
    jobs = [codebuild.job("true", OUTPUTS % "v1") for _ in range(5)]
    assert [codebuild.finish(job).status for job in jobs] == ["succeeded"] * 5
    assert [codebuild.started(job) for job in jobs] == [1] * 5


def test_every_handle_lost_still_ends_with_one_build(codebuild: Bench) -> None:
    job = codebuild.job("true", OUTPUTS % "v1")
    until = time.monotonic() + SECONDS
    while not isinstance(result := codebuild.step(job, None), Outcome) and time.monotonic() < until:
        if isinstance(result, Progress) and result.events and "rest of the log" in result.doing:
            break
        time.sleep(0.02)
    outcome = codebuild.finish(job, result.handle) if isinstance(result, Progress) else result
    assert (outcome.status, values(outcome), codebuild.started(job)) == ("succeeded", {"Version": "v1"}, 1)
    assert codebuild.ledger() == ["CreateProject", "StartBuild"]


def test_an_account_that_shuts_its_door_is_unclear_while_a_build_runs(codebuild: Bench, liar: Liar) -> None:
    job, handle = codebuild.job("sleep 1"), None
    while not codebuild.started(job):
        handle = codebuild.step(job, handle).handle
    liar.fault("denied")
    unclear = codebuild.step(job, handle)
    assert "The build goes on, and its end cannot be seen." in unclear.reason
    liar.faults.clear()
    assert codebuild.finish(job, unclear.handle).status == "succeeded"


def test_a_build_that_is_gone_is_not_started_again(codebuild: Bench, liar: Liar) -> None:
    job, handle = codebuild.job("true"), None
    while not codebuild.started(job):
        handle = codebuild.step(job, handle).handle
    build = next(iter(liar.builds.builds.values()))
    while codebuild.engine.advance(job, handle) and build.id in liar.builds.builds:
        liar.builds.builds.pop(build.id)
    outcome = codebuild.finish(job, handle)
    assert (outcome.status, codebuild.ledger().count("StartBuild")) == ("failed", 1)
    assert "does not know the build any more" in outcome.reason


def test_a_large_bundle_travels_over_the_bucket(codebuild: Bench, liar: Liar) -> None:
    import boto3

    bucket = f"templates-{codebuild.account}"
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
    job = codebuild.job("wc -c < noise", OUTPUTS % "v1", bundle={"infrastructure/noise": os.urandom(60_000)})
    job = replace(job, settings={**job.settings, "template_bucket": bucket})
    liar.builds.upstream = _Signed(bucket)  # type: ignore[assignment]
    events: list[Event] = []
    outcome = codebuild.finish(job, events=events)
    assert (outcome.status, outcome.reason, "60000" in log(events)) == ("succeeded", "", True)


class _Signed:
    """Reads objects as the account that the bucket is of."""

    def __init__(self, bucket: str):
        self.bucket = bucket

    def ask(self, call: Any) -> Any:
        import boto3

        from tests.faults.liar_wire import Reply

        key = call.path.removeprefix(f"/{self.bucket}/")
        found = boto3.client("s3", region_name="us-east-1").get_object(Bucket=self.bucket, Key=key)
        return Reply(200, found["Body"].read())


def test_without_a_role_nothing_is_called(codebuild: Bench) -> None:
    job = codebuild.job("true")
    job = replace(job, settings={**job.settings, "codebuild_role_arn": ""})
    outcome = codebuild.finish(job)
    assert (outcome.status, codebuild.ledger()) == ("failed", [])
