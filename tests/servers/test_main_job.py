"""The compose file's commands serve the main job, while workers are killed all the time."""

import subprocess
import time
from collections import Counter

import pytest

from portal.embedded.samples import pack_sample
from tests.servers.person import Person
from tests.servers.stack import Stack, cloudformation, wait_until

ENVIRONMENTS = 8  # at least
START_EVERY = 0.8  # seconds
KILL_EVERY = 2.0
KILLS = 4  # a worker that is at work; more than MAX_ATTEMPTS in a row would be taken for the deployment's fault
pytestmark = pytest.mark.fault


def publish_sample(person: Person, stack: Stack) -> None:
    """A template "network" with its version 1.0, uploaded and published in the pages."""
    person.post("/templates/new/", {"kind": "ENVIRONMENT", "name": "network"})
    bundle = {"file": ("network.tar.gz", pack_sample("vpc-ecs-environment", 1, 0))}
    fields = {"source": "upload", "major": "new", "description": ""}
    version = person.post("/templates/environment/network/versions/new/", fields, bundle)
    wait_until(
        lambda: stack.sql("SELECT status FROM portal_templateversion") == "DRAFT",
        60,
        "registration",
        stack.log("worker"),
    )
    person.post(f"{version}publish/", {"reason": "tried"})


def live_stacks(stack: Stack) -> Counter[str]:
    """How many live stacks there are for each environment, by the tag that names it."""
    found: Counter[str] = Counter()
    for page in cloudformation(stack).get_paginator("describe_stacks").paginate():
        for row in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", [])}
            if "proton:environment" in tags and row["StackStatus"] != "DELETE_COMPLETE":
                found[tags["proton:environment"].rpartition("/")[2]] += 1
    return found


def test_an_admin_deploys_while_one_of_three_workers_is_killed_every_few_seconds(
    stack: Stack, aws_account: str
) -> None:
    stack.up(workers=3)
    stack.manage("create_admin", "ada", ADMIN_PASSWORD="a long enough password")
    ada = Person(stack.address)
    ada.sign_in("ada", "a long enough password")
    publish_sample(ada, stack)

    names: list[str] = []
    killed_at_work = 0
    next_start = next_kill = time.monotonic()
    until = time.monotonic() + 90
    running = "SELECT count(*) FROM portal_deployment WHERE status = 'IN_PROGRESS'"
    while len(names) < ENVIRONMENTS or killed_at_work < KILLS or stack.sql(running) != "0":
        now = time.monotonic()
        assert now < until, stack.sql("SELECT status, phase, doing, status_message, attempts FROM portal_deployment")
        if now > next_start and (len(names) < ENVIRONMENTS or killed_at_work < KILLS):
            names.append(f"env-{len(names)}")
            ada.create_environment("network", names[-1])
            next_start = now + START_EVERY
        if killed_at_work < KILLS and now > next_kill and (busy := stack.busy_workers()):
            stack.kill_worker(busy[0])
            killed_at_work, next_kill = killed_at_work + 1, now + KILL_EVERY

    assert killed_at_work == KILLS
    assert stack.sql("SELECT DISTINCT status FROM portal_deployment") == "SUCCEEDED"
    assert {name: live_stacks(stack)[name] for name in names} == dict.fromkeys(names, 1)
    assert "VpcId" in ada.get("/environments/env-0/")

    health = subprocess.run(
        ["python", "-m", "portal.healthcheck"], cwd=stack.image, env=stack.environment("web"), check=False
    )
    assert health.returncode == 0
    metrics = ada.get("/metrics")
    assert f'deuteron_deployments{{phase="finished",status="SUCCEEDED"}} {len(names)}.0' in metrics
    assert ada.session.get(f"{stack.address}/healthz/ready", timeout=5).json() == {
        "status": "ready",
        "blockers": {},
        "degraded": {},
    }
