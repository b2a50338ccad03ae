"""The database restarts and the broker is gone: web and worker connect anew, and the work is done all the same."""

import subprocess
import sys

import pytest
import requests

from tests.aws import ROOT, stop
from tests.servers.person import Person
from tests.servers.stack import Stack, wait_until

pytestmark = pytest.mark.fault


def test_the_same_processes_go_on_after_a_restart_of_the_database_without_a_broker(
    stack: Stack, aws_account: str
) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.servers.moving_on", "prepare"],
        cwd=ROOT,
        env=stack.environment("migrate"),
        check=False,
        timeout=60,
    )
    assert made.returncode == 0
    stack.up(workers=1)
    ada = Person(stack.address)
    ada.sign_in("ada", "correct horse")
    ada.create_environment("queue", "first", cluster_name="first")
    deployed = "SELECT count(*) FROM portal_deployment WHERE status = 'SUCCEEDED'"
    wait_until(lambda: stack.sql(deployed) == "1", 40, "the first deployment", stack.log("worker"))

    before = [process.pid for process in [*stack.workers, *stack.others]]
    stack.postgres.stop()
    assert stack.status("/healthz/live") == 200
    assert stack.status("/healthz/ready") == 503
    stack.postgres.start()
    stop(stack.others.pop(0))  # the broker, for good

    assert list(requests.get(f"{stack.address}/healthz/ready", timeout=10).json()["degraded"]) == ["broker"]
    ada.create_environment("queue", "second", cluster_name="second")
    wait_until(lambda: stack.sql(deployed) == "2", 40, "the second deployment", stack.log("worker"))
    assert [process.pid for process in [*stack.workers, *stack.others] if process.poll() is None] == [
        pid for pid in before if pid != before[1]
    ]
