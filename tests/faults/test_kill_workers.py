"""Workers are killed at any moment and the broker forgets everything: each deployment still ends, once."""

import json
import subprocess
import sys

from tests.aws import ROOT


def run(*options: str) -> dict[str, int]:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.faults.kill_workers", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


def test_a_hundred_deployments_survive_thirty_kills_and_ten_flushes():
    found = run("--deployments=100", "--kills=30", "--flushes=10", "--seconds=240")
    wanted = {"accepted": 100, "lost": 0, "doubled": 0, "kills": 30, "flushes": 10}
    assert {name: found[name] for name in wanted} == wanted
    assert found["replies_dropped"] > 0


def test_the_same_without_protection_loses_or_doubles_deployments():
    found = run("--deployments=40", "--kills=12", "--flushes=5", "--seconds=45", "--unprotected")
    assert found["lost"] + found["doubled"] > 0
