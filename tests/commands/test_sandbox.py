"""What commands try in order to get out of their sandbox. None of it works, and nothing is left behind."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from provisioning.commands import runs
from provisioning.commands.request import Request
from tests.commands.probes import PROBES, Outside, got_out
from tests.commands.running import QUICK, finish, wait

pytestmark = pytest.mark.bubblewrap


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    return Outside(tmp_path_factory.mktemp("portal"), os.getpid())


def test_no_probe_gets_out(tmp_path, outside, monkeypatch):
    monkeypatch.setenv("CANARY_OF_THE_PORTAL", "x")
    commands, files = outside.commands()
    result, log = finish(tmp_path / "run", *commands, files=files, hosts=("allowed.test:1",))
    assert len(PROBES) >= 40
    assert (result.code, [name for name, out in got_out(log).items() if out], outside.reached) == (0, [], [])


def test_no_secret_is_on_a_command_line_of_this_machine(tmp_path):
    """Everybody on a machine may read those."""
    folder = tmp_path / "run"
    request = Request(("sleep 1",), {}, environment={"TOKEN": "canary-of-the-run"}, limits=QUICK)
    runs.start(folder, request)
    seen = set()
    while runs.look(folder).state == "running":
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = place.read_bytes()
                seen |= {"sleep"} if line == b"sleep\x001\x00" else set()
                assert b"canary-of-the-run" not in line
        time.sleep(0.02)
    assert (seen, wait(folder)[0].code) == ({"sleep"}, 0)


def test_a_port_that_is_on_the_list_is_reached_directly_too(tmp_path, outside):
    """Programs in Go ask no proxy for an address of the loopback."""
    probe = f"exec 5<>/dev/tcp/127.0.0.1/{outside.port} && cat <&5"
    result, log = finish(tmp_path / "run", probe, hosts=(f"127.0.0.1:{outside.port}",))
    outside.reached.clear()
    assert (result.code, "OUT" in log) == (0, True)


def test_killing_everything_reaches_nothing_beyond_the_run(tmp_path):
    result, log = finish(tmp_path / "run", f"(kill -9 {os.getpid()} || echo nobody) 2>/dev/null", "kill -9 -1; sleep 1")
    assert (result.code, "nobody\n" in log) == (0, True)


def test_a_fork_bomb_ends_with_its_run_and_the_machine_goes_on(tmp_path):
    result, _ = finish(tmp_path / "run", "timeout 2 bash -c ':(){ :|:& };:' 2>/dev/null; true", "sleep 0.2; true")
    assert result.code in (0, 1, 254, 125)


def test_what_a_run_leaves_behind_ends_with_it(tmp_path):
    mark = f"1{os.getpid():07d}.5"
    result, _ = finish(tmp_path / "run", f"setsid sleep {mark} & disown", f"nohup sleep {mark} >/dev/null 2>&1 &")
    assert (result.code, _sleeping(mark)) == (0, [])


def _sleeping(mark: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(pid)
    return found


def test_two_runs_do_not_see_each_other(tmp_path):
    finish(tmp_path / "one", "echo mine > /work/mine; echo mine > /tmp/mine")
    result, log = finish(tmp_path / "two", "ls /work /tmp")
    assert (result.code, "mine" in log) == (0, False)
