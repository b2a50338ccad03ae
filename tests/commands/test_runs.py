"""Runs of commands: started once, followed, ended, and read when they are over."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.commands import runs
from provisioning.commands.request import Request
from tests.aws import ROOT
from tests.commands.running import QUICK, finish, wait

pytestmark = pytest.mark.bubblewrap


def test_commands_run_in_one_shell_in_the_folder_of_their_inputs(tmp_path):
    result, log = finish(
        tmp_path / "run",
        "cd sub; NAME=portal",
        "echo $NAME in ${PWD##*/} with $(cat ../proton-inputs.json) and $RESOURCE_ARN",
        files={"infrastructure/proton-inputs.json": b'{"a": 1}', "infrastructure/sub/x": b""},
        folder="infrastructure",
        environment={"RESOURCE_ARN": "arn:x"},
    )
    assert result.code == 0
    assert 'portal in sub with {"a": 1} and arn:x\n' in log


def test_the_first_command_that_fails_ends_the_run_with_its_code(tmp_path):
    result, log = finish(tmp_path / "run", "true", "(exit 7)", "echo never")
    assert (result.code, "never" in log) == (7, False)
    assert "[2 of 3] ended with exit code 7" in log


def test_a_command_may_end_the_shell_itself(tmp_path):
    assert finish(tmp_path / "run", "exit 3", "true")[0].code == 3


def test_the_outputs_file_is_read(tmp_path):
    result, _ = finish(tmp_path / "run", """echo '[{"key": "a", "valueString": "b"}]' > proton-outputs.json""")
    assert result.outputs == '[{"key": "a", "valueString": "b"}]\n'


def test_a_run_is_started_once_however_many_ask(tmp_path):
    folder = tmp_path / "run"
    request = Request(("echo once",), {}, limits=QUICK)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: runs.start(folder, request), range(5)))
    _, log = wait(folder)
    runs.start(folder, request)
    assert (
        wait(folder)[1].count("once\n") == 2 == log.count("once\n")
    )  # the command as it is announced, and what it said


def test_a_run_that_was_never_started_is_absent(tmp_path):
    assert runs.look(tmp_path / "run").state == "absent"


def test_a_request_that_was_cut_off_starts_nothing_and_can_be_made_again(tmp_path):
    folder, request = tmp_path / "run", Request(("echo once",), {}, limits=QUICK)
    folder.mkdir()
    for text in ("", request.dump()[:-20]):
        command = [sys.executable, "-m", "provisioning.commands.supervise", str(folder)]
        assert subprocess.run(command, input=text, text=True, cwd=ROOT, timeout=30).returncode == 0
    time.sleep(0.5)
    assert runs.look(folder).state == "absent"
    assert runs.start(folder, request)
    assert wait(folder)[0].code == 0


def test_a_run_whose_supervisor_was_killed_is_lost_and_so_are_its_processes(tmp_path):
    folder, mark = tmp_path / "run", f"sleep {60 + os.getpid() / 1e6:.6f}"
    runs.start(folder, Request((mark,), {}, limits=QUICK))
    until = time.monotonic() + 10
    while not _running(mark) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    until = time.monotonic() + 10
    while (runs.look(folder).state == "running" or _running(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    assert (runs.look(folder).state, _running(mark)) == ("lost", False)


def _running(command: str) -> bool:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().replace(b"\0", b" ").strip() == command.encode():
                    return True
        except OSError:
            continue
    return False


def test_a_run_is_ended_on_request(tmp_path):
    folder = tmp_path / "run"
    runs.start(folder, Request(("sleep 60",), {}, limits=QUICK))
    runs.stop(folder)
    assert wait(folder)[0].reason == "The run was ended on request."


def test_a_run_that_takes_too_long_is_ended(tmp_path):
    result, _ = finish(tmp_path / "run", "sleep 60", limits=replace(QUICK, seconds=0.5))
    assert result.reason == "The run took longer than 0.5 seconds and was ended."


def test_a_run_that_prints_too_much_is_ended_and_its_log_stays_small(tmp_path):
    result, log = finish(tmp_path / "run", "yes", limits=replace(QUICK, output=10_000))
    assert (result.reason, len(log)) == ("The run printed more than 10000 bytes and was ended.", 10_000)


def test_a_run_that_needs_too_much_memory_is_ended(tmp_path):
    result, _ = finish(
        tmp_path / "run", "head -c 500M /dev/zero | tail -c 400M | wc -c", limits=replace(QUICK, memory=100 * 1024**2)
    )
    assert result.reason == f"The run needed more than {100 * 1024**2} bytes of memory and was ended."


def test_a_full_disk_fails_the_command_and_nothing_else(tmp_path):
    result, log = finish(tmp_path / "run", "head -c 200M /dev/zero > big")
    assert (result.code, result.reason, "[1 of 1] ended" in log) == (153, "", True)


def test_secrets_are_masked_also_in_pieces_and_in_other_clothes(tmp_path):
    secret = "correct-horse/battery"
    result, log = finish(
        tmp_path / "run",
        'echo "$SECRET"; for i in $(seq ${#SECRET}); do printf %s "${SECRET:i-1:1}"; sleep 0.005; done; echo',
        'printf %s "$SECRET" | base64; printf %s "x$SECRET" | base64; printf %s "xx$SECRET" | base64',
        'printf %s "$SECRET" | od -An -tx1 | tr -d " \\n"; echo',
        environment={"SECRET": secret},
        secrets=(secret,),
    )
    assert result.code == 0
    hexed = secret.encode().hex()
    assert [
        part for part in (secret, hexed, "Y29ycmVjdC1ob3JzZS9iYXR0ZX", "NvcnJlY3QtaG9yc2UvYmF0dGVy") if part in log
    ] == []
    assert log.count("****") >= 6


def test_a_run_without_a_sandbox_is_a_folder_of_its_own_that_is_gone_afterwards(tmp_path):
    result, log = finish(tmp_path / "run", "pwd", "cat in.txt", files={"in.txt": b"given\n"}, sandbox=False)
    place = next(line for line in log.splitlines() if line.startswith("/"))
    assert (result.code, "given" in log, os.path.exists(place)) == (0, True, False)


def test_what_a_killed_supervisor_left_is_removed_by_the_next_run(tmp_path):
    runs.start(tmp_path / "one", Request(("sleep 60",), {"secret": b"x"}, limits=QUICK))
    pid = int((tmp_path / "one" / "pid").read_text())
    places = Path(tempfile.gettempdir())
    until = time.monotonic() + 10
    while not list(places.glob(f"deuteron-run-{pid}-*")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    while Path("/proc", str(pid)).exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert len(list(places.glob(f"deuteron-run-{pid}-*"))) == 1
    finish(tmp_path / "two", "true")
    assert list(places.glob(f"deuteron-run-{pid}-*")) == []
