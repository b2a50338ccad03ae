"""Workers by the command of docker-compose.yml, which somebody replaces one by one, as a deployment of the product."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from tests.aws import ROOT
from tests.faults.arena import Arena
from tests.servers import compose

STOP_SECONDS = 60.0  # stop_grace_period of docker-compose.yml
START_SECONDS = 10.0
WAIT_FOR_COMMIT = 3.0


class Fleet:
    """``count`` workers. ``slowest_stop``: seconds that the slowest took to end after it was told to."""

    def __init__(self, arena: Arena, count: int) -> None:
        self.arena = arena
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0
        self.signalled: dict[str, int] = {}
        self.at_a_commit = 0
        self.stops: list[float] = []
        self.never_stopped = 0
        settings = dict.fromkeys(("SECRET_KEY", "ENCRYPTION_KEYS", "POSTGRES_PASSWORD"), "only-the-command-is-wanted")
        self._command = compose.services(settings)["worker"].command
        self._armed: tuple[str, signal.Signals] | None = None
        self._sent = threading.Event()
        self._seen: set[str] = set()  # who committed something
        assert arena.database is not None and arena.database.liar is not None
        arena.database.liar.at_commit = self._commits
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        self.started += 1
        name = f"worker-{self.started}"
        without = self.arena.without
        command = [sys.executable, "-m", *self._command]
        if without != "-":
            command = [sys.executable, "-m", "tests.faults.unprotected", without, *self._command]
        with self.arena.log.open("ab") as log:
            self.workers[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PGAPPNAME": name, "LOG_LEVEL": "INFO"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _commits(self, name: str) -> None:
        """Called while the commit of that worker is on its way."""
        self._seen.add(name)
        if self._armed is not None and self._armed[0] == name:
            self._send()
            self.at_a_commit += 1
            time.sleep(0.02)

    def _send(self) -> None:
        if self._armed is not None:
            (name, number), self._armed = self._armed, None
            with suppress(ProcessLookupError):
                os.kill(self.workers[name].pid, number)
            self.signalled[number.name] = self.signalled.get(number.name, 0) + 1
            self._sent.set()

    def replace(self, number: signal.Signals) -> None:
        """Start a new worker, and tell the oldest one to stop: in the middle of its next commit, if one comes soon."""
        oldest = next(iter(self.workers))
        self._start()
        until = time.monotonic() + START_SECONDS
        while oldest not in self._seen and time.monotonic() < until:
            time.sleep(0.05)
        self._sent.clear()
        self._armed = oldest, number
        if not self._sent.wait(WAIT_FOR_COMMIT):
            self._send()
        told = time.monotonic()
        process = self.workers.pop(oldest)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.never_stopped += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.stops.append(time.monotonic() - told)

    def close(self) -> None:
        for process in self.workers.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
