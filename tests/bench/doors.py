"""The servers of the rows P-R, each started when a row asks for it: the portal with its fleet, and its peers."""

import sys
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from tests.aws import free_port
from tests.bench import driving, fleet, servers
from tests.bench.measuring import QUICK, Effort
from tests.bench.minimal import INSERT_TABLE, write_django
from tests.bench.site import Place, clean_environment, portal_environment
from tests.postgres import Postgres

ECS = driving.Caller("AKIAAAAAAAAAAAAAAAAA", "of nobody", "AmazonEC2ContainerServiceV20141113", "ecs")
MADE = "made-by-the-bench-"  # how names begin of what P-R5 creates


class Doors:
    """``key`` signs for the portal. All listens on the first core, but for PostgreSQL, which may be anywhere."""

    def __init__(self, place: Place, effort: Effort):
        self.place, self.instances, self.numbers = place, effort.few, count(1)
        self.postgres = place.open.enter_context(closing(Postgres(durable=effort != QUICK)))
        self.environment = portal_environment(place.folder / "wire", self.postgres.url()) | {
            "WIRE_RATE": "0",
            "LOG_LEVEL": "INFO",  # as in production: a line for each request
        }
        self.key = driving.Caller(**fleet.grow(self.environment, 0, self.instances))

    def grow(self, instances: int) -> None:
        """More of them."""
        fleet.grow(self.environment, self.instances, instances)
        self.instances = instances

    @cached_property
    def portal(self) -> int:
        return self._serving("portal.wsgi:application", self.environment, "/healthz/live")

    @cached_property
    def limit(self) -> int:
        environment = self._with_database() | {"ENCRYPTION_KEYS": self.environment["ENCRYPTION_KEYS"]}
        return self._serving("tests.bench.wire_limit:application", environment, "/")

    @cached_property
    def moto(self) -> int:
        return self._serving("tests.bench.moto_peer:application", clean_environment(), "/moto-api/data.json")

    @cached_property
    def django(self) -> int:
        """One INSERT by Django's ORM for each POST."""
        self.postgres.sql(INSERT_TABLE)
        folder = self.place.folder / "inserting"
        write_django(folder, insert=True)
        environment = self._with_database() | {"PYTHONPATH": str(folder)}
        return self._serving("minimal.wsgi:application", environment, "/")

    def raw(self, body: bytes) -> int:
        """A server that answers with ``body`` whatever it is asked."""
        file = self.place.folder / "raw.body"
        file.write_bytes(body)
        port = free_port()
        args = [sys.executable, "-m", "tests.bench.raw_server", str(port), str(file)]
        return self._started(servers.pinned(args), clean_environment(), port, "/")

    def names(self, how_many: int) -> list[str]:
        """Names that nothing has yet."""
        return [f"{MADE}{next(self.numbers)}" for _ in range(how_many)]

    def forget_templates(self) -> None:
        """There may be a thousand only."""
        self.postgres.sql(f"DELETE FROM portal_template WHERE name LIKE '{MADE}%'")

    def client(self, service: str, port: int) -> Any:
        """One of boto3's."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=self.key.key_id,
            aws_secret_access_key=self.key.secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _with_database(self) -> dict[str, str]:
        return clean_environment() | {"DATABASE_URL": self.postgres.url()}

    def _serving(self, application: str, environment: Mapping[str, str], path: str) -> int:
        port = free_port()
        return self._started(servers.gunicorn(application, port), environment, port, path)

    def _started(self, args: list[str], environment: Mapping[str, str], port: int, path: str) -> int:
        log: Path = self.place.folder / f"{port}.log"
        process = self.place.open.enter_context(servers.running(args, environment, log))
        servers.seconds_to_answer(process, time.perf_counter(), port, path, log)
        return port


def doors(place: Place, effort: Effort) -> Doors:
    """The same for every row of a run."""
    if Doors not in place.shared:
        place.shared[Doors] = Doors(place, effort)
    return place.shared[Doors]
