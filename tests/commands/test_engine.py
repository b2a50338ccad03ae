"""The engine that runs commands on this machine keeps what every engine promises."""

import json
import os
import shutil
import signal
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioning.commands import runs
from provisioning.commands.request import Limits
from provisioning.engines.base import Job, Notified, Outcome, Progress, Target
from provisioning.engines.command import CommandEngine, Surroundings
from provisioning.outputs import Output
from tests.commands.running import wait

pytestmark = pytest.mark.bubblewrap

ARN = "arn:aws:proton:us-east-1:123456789012:environment/dev"


@pytest.fixture
def engine(tmp_path):
    around = Surroundings({"AWS_ACCESS_KEY_ID": "key-of-this-run"}, ("key-of-this-run",))
    limits = Limits(seconds=20, memory=400 * 1024**2, disk=64 * 1024**2, processes=64)
    return CommandEngine(tmp_path / "runs", lambda job, plan: around, limits=limits)


def job(*provision: str, intent: Any = "apply", **fields: Any) -> Job:
    settings = {"commands": {"provision": list(provision), "deprovision": ["echo removed"]}, "folder": "infrastructure"}
    fields = {"settings": settings, "files": {"infrastructure/proton-inputs.json": "{}"}, **fields}
    return Job(str(uuid.uuid4()), intent, "dev", Target("123456789012", "us-east-1"), resource_arn=ARN, **fields)


def begin(engine: CommandEngine, job: Job) -> Progress:
    """Started: first the machine is noted, then the run begins."""
    noted = engine.advance(job, None)
    assert isinstance(noted, Progress)
    started = engine.advance(job, noted.handle)
    assert isinstance(started, Progress)
    return started


def finish(engine: CommandEngine, job: Job, handle: str | None = None, *, twice: bool = False) -> tuple[Outcome, str]:
    """The end, and the log that was reported on the way: each event once."""
    said: dict[str, str] = {}
    until = time.monotonic() + 40
    while time.monotonic() < until:
        result = engine.advance(job, handle)
        if twice:  # the answer was lost, or its worker died
            result = engine.advance(job, handle)
        for event in result.events:
            said.setdefault(event.id, event.message)
        if isinstance(result, Outcome):
            return result, "\n".join(said.values())
        assert isinstance(result, Progress), result
        handle = result.handle
        time.sleep(min(result.wait, 0.1))
    raise AssertionError(result)


def test_commands_are_run_followed_and_their_outputs_read(engine):
    commands = ("echo making $RESOURCE_ARN", """echo '{"Url": "https://x", "Port": 80}' > proton-outputs.json""")
    outcome, log = finish(engine, job(*commands))
    assert (outcome.status, outcome.outputs) == ("succeeded", (Output("Port", "80"), Output("Url", "https://x")))
    assert f"making {ARN}" in log


def test_an_answer_that_is_lost_each_time_starts_nothing_twice(engine, tmp_path):
    counter = tmp_path / "count"
    outcome, log = finish(engine, job("echo started; sleep 0.3"), twice=True)
    assert (outcome.status, log.count("\nstarted\n") + log.endswith("\nstarted"), counter.exists()) == (
        "succeeded",
        1,
        False,
    )


def test_a_failure_says_the_last_words_of_the_command(engine):
    outcome, _ = finish(engine, job("echo 'no such bucket' >&2; exit 4"))
    assert (outcome.status, outcome.reason, outcome.next_action) == (
        "failed",
        "A command ended with exit code 4. no such bucket",
        "retry",
    )


def test_removing_runs_the_other_commands(engine):
    outcome, log = finish(engine, job(intent="remove"))
    assert (outcome.status, "removed" in log) == ("succeeded", True)


def test_nothing_to_run_has_nothing_to_change(engine):
    outcome, _ = finish(engine, job())
    assert (outcome.status, outcome.unchanged) == ("succeeded", True)


def test_a_run_is_cancelled_and_cancelling_again_finds_that(engine):
    running = job("sleep 30")
    first = begin(engine, running)
    cancel = replace(running, intent="cancel")
    assert finish(engine, cancel, first.handle)[0].status == "cancelled"
    assert finish(engine, cancel, first.handle)[0].status == "cancelled"


def test_what_was_never_started_is_cancelled_at_once(engine):
    assert finish(engine, job("true", intent="cancel"))[0].status == "cancelled"


def test_a_run_that_ended_before_it_was_cancelled_succeeded(engine):
    ran = job("true")
    finish(engine, ran)
    assert finish(engine, replace(ran, intent="cancel"))[0].status == "succeeded"


def test_notified_outputs_win_over_those_of_the_file(engine):
    notified = Notified(outputs=(Output("Url", "notified"),))
    commands = (
        """echo '[{"key": "Url", "valueString": "file"}, {"key": "A", "valueString": "1"}]' > proton-outputs.json"""
    )
    outcome, _ = finish(engine, job(commands, notified=notified))
    assert outcome.outputs == (Output("A", "1"), Output("Url", "notified"))


@pytest.mark.parametrize("text", ["[1]", "nonsense", json.dumps({"a": "x" * 1025}), json.dumps([{"key": "a"}])])
def test_outputs_that_cannot_be_used_fail_the_deployment(engine, text):
    outcome, _ = finish(engine, job(f"cat > proton-outputs.json <<'END'\n{text}\nEND"))
    assert (outcome.status, outcome.reason.startswith("proton-outputs.json cannot be used")) == ("failed", True)


def test_success_that_was_notified_does_not_hide_a_failing_build(engine):
    notified = Notified(status="SUCCEEDED")
    assert finish(engine, job("exit 1", notified=notified))[0].status == "failed"


def test_a_run_that_died_with_its_machine_failed_and_says_so(engine, tmp_path):
    running = job("sleep 30")
    first = begin(engine, running)
    place = next(iter(tmp_path.joinpath("runs").iterdir()))
    os.kill(int((place / "pid").read_text()), signal.SIGKILL)
    outcome, _ = finish(engine, running, first.handle)
    assert (outcome.status, outcome.reason) == (
        "failed",
        "The machine stopped while the commands ran: some of them may have done their work, others not.",
    )


def test_credentials_of_the_run_are_in_its_environment_and_not_in_its_log(engine):
    outcome, log = finish(engine, job('test "$AWS_ACCESS_KEY_ID" = key-of-this-run; echo $AWS_ACCESS_KEY_ID'))
    assert (outcome.status, "key-of-this-run" in log, "****" in log) == ("succeeded", False, True)


def test_a_long_log_comes_in_pieces_and_whole(engine):
    outcome, log = finish(engine, job("seq 1 60000"))
    numbers = [int(line) for line in log.splitlines() if line.isdigit()]
    assert (outcome.status, numbers) == ("succeeded", list(range(1, 60001)))


def test_colours_and_overwritten_lines_are_plain_text(engine):
    _, log = finish(engine, job("printf '\\033[31mred\\033[0m\\n10%%\\r100%%\\n'"))
    assert ("red\n100%" in log, "\033" in log) == (True, False)


def test_a_manifest_may_shorten_the_time_and_not_lengthen_it(engine):
    settings = {"commands": {"provision": ["sleep 30"], "project_properties": {"TimeoutInMinutes": 0.01}}}
    outcome, _ = finish(engine, job(settings=settings, files={}))
    assert (outcome.status, outcome.reason) == ("failed", "The run took longer than 0.6 seconds and was ended.")


def test_a_run_whose_folder_is_gone_is_not_started_again(engine, tmp_path):
    ran = job("true")
    started = begin(engine, ran)
    runs.stop(tmp_path / "runs" / f"{ran.deployment}-apply")
    wait(tmp_path / "runs" / f"{ran.deployment}-apply")
    shutil.rmtree(tmp_path / "runs" / f"{ran.deployment}-apply")
    outcome = engine.advance(ran, started.handle)
    assert (outcome.status, outcome.reason[:19]) == ("failed", "The machine stopped")


def test_a_run_that_somebody_else_ended_was_not_cancelled(engine, tmp_path):
    ran = job("sleep 20")
    started = begin(engine, ran)
    runs.stop(tmp_path / "runs" / f"{ran.deployment}-apply")
    outcome, _ = finish(engine, ran, started.handle)
    assert (outcome.status, outcome.reason) == ("failed", "The run was ended on request.")


def test_only_the_machine_that_runs_the_commands_reports_them(engine):
    elsewhere = engine.advance(job("true"), json.dumps({"host": "other", "since": time.time()}))
    assert (isinstance(elsewhere, Progress), elsewhere.doing) == (True, "Running on other")
    lost = engine.advance(job("true"), json.dumps({"host": "other", "since": time.time() - 1000}))
    assert (isinstance(lost, Outcome), lost.status) == (True, "failed")


def test_bundle_files_stand_beside_the_inputs(engine):
    outcome, log = finish(engine, job("bash deploy.sh", bundle={"infrastructure/deploy.sh": b"echo deployed"}))
    assert (outcome.status, "\ndeployed" in log) == ("succeeded", True)


def test_folders_of_old_runs_are_removed(engine, tmp_path):
    finish(engine, job("true"))
    old = next(iter(tmp_path.joinpath("runs").iterdir()))
    os.utime(old / "result.json", (1, 1))
    finish(engine, job("true"))
    assert (old.exists(), len(list(Path(tmp_path / "runs").iterdir()))) == (False, 1)
