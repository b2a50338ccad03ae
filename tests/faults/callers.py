"""People who ask the product for work and are not always answered, because its database was cut off.

Who gets no answer does not guess: they look whether it was done, and ask again when it was not.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.work import Accepted, Work

PAUSE = 0.2
Span = tuple[float, float]


class Callers:
    """``answered``: what they were told succeeded. ``unanswered``: from when to when they waited for nothing."""

    def __init__(self, work: Work, seconds: float) -> None:
        self.work = work
        self.until = time.monotonic() + seconds
        self.answered: list[Accepted] = []
        self.unanswered: list[Span] = []
        self.done_anyway = 0  # nothing was said, and it was done
        self.given_up = 0

    def create(self, name: str) -> None:
        self._insist(lambda: self.work.create(name), "create", name, 1)

    def update(self, name: str, revision: int) -> None:
        self._insist(lambda: self.work.update(name, revision), "update", name, revision)

    def lives(self, count: int, *, updates: int, threads: int = 4, pause: float = 0.0) -> None:
        """``count`` environments are made and then updated, by several people at once."""

        def one(number: int) -> None:
            try:
                self.create(f"env-{number}")
                for revision in range(2, 2 + updates):
                    self._wait_for(f"env-{number}")
                    self.update(f"env-{number}", revision)
                    time.sleep(pause)
            finally:
                forget_connection()

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(count)))

    def settle(self) -> None:
        """Until nothing runs any more, or the time is over."""
        while time.monotonic() < self.until:
            try:
                if not self.work.running():
                    return
            except _errors():
                forget_connection()
            time.sleep(PAUSE)

    def missing(self) -> int:
        """What they were told succeeded and is not there."""
        from portal.models import Deployment

        there = set(Deployment.objects.values_list("pk", flat=True))
        return sum(entry.deployment not in there for entry in self.answered)

    def twice(self) -> int:
        """Requests that are there more than once."""
        from collections import Counter

        from portal.models import Deployment

        rows = Deployment.objects.only("target_arn", "target_created_at", "kind", "inputs")
        found = Counter(
            (row.target_arn, row.target_created_at, row.kind, str(sorted(row.inputs.items()))) for row in rows
        )
        return sum(count > 1 for count in found.values())

    def _wait_for(self, name: str) -> None:
        while time.monotonic() < self.until:
            try:
                if not self.work._running_of({name}):
                    return
            except _errors():
                forget_connection()
            time.sleep(PAUSE)

    def _insist(self, ask: Callable[[], Any], kind: str, name: str, revision: int) -> None:
        """Ask until it is done. Every request begins and ends with its connection as one of the web server's does."""
        while time.monotonic() < self.until:
            forget_connection()
            began = time.time()
            try:
                entry = self.work.tried(ask)
                if entry is not None:
                    self.answered.append(entry)
                    return
            except _errors():
                self.unanswered.append((began, time.time()))
            found = self._look(kind, name, revision)
            if found is not None:
                self.done_anyway += 1
                return
        self.given_up += 1

    def _look(self, kind: str, name: str, revision: int) -> Accepted | None:
        """Whether it was done, asked until there is an answer."""
        from portal.models import Deployment, Environment

        while time.monotonic() < self.until:
            time.sleep(PAUSE)
            forget_connection()
            began = time.time()
            try:
                environment = Environment.objects.filter(name=name).first()
                if environment is None:
                    return None
                rows = Deployment.objects.filter(target_arn=environment.arn, kind=kind)
                done = [row for row in rows if int(row.inputs["revision"]) == revision]
            except _errors():
                self.unanswered.append((began, time.time()))
                continue
            if not done:
                return None
            entry = Accepted(time.time(), kind, name, environment.arn, revision, done[0].pk)
            self.work.accepted.append(entry)
            return entry
        return None


class Watch:
    """Somebody who looks at the web server several times a second: ``seen`` holds (from when to when, path, status; 0
    for none)."""

    def __init__(self, address: str, paths: tuple[str, ...], session: Any = None) -> None:
        import requests

        self.address, self.paths = address, paths
        self.session = session or requests.Session()
        self.seen: list[tuple[Span, str, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._forever, daemon=True)
        self._thread.start()

    def _forever(self) -> None:
        import requests

        while not self._stopping.wait(0.1):
            for path in self.paths:
                at = time.time()
                try:
                    answer = self.session.get(self.address + path, timeout=20, allow_redirects=False)
                    self.seen.append(((at, time.time()), path, answer.status_code))
                except requests.RequestException:
                    self.seen.append(((at, time.time()), path, 0))

    def bad(self, path: str = "") -> list[Span]:
        """When it answered with 5xx, or not at all."""
        return [span for span, seen, status in self.seen if path in ("", seen) and (status >= 500 or not status)]

    def good(self, path: str) -> list[Span]:
        return [span for span, seen, status in self.seen if seen == path and 200 <= status < 400]

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(25)


def outside(spans: list[Span], windows: list[Span]) -> int:
    """How many spans touch none of the windows."""
    return sum(not any(start <= until and since <= end for start, end in windows) for since, until in spans)


def _errors() -> type[Exception]:
    from django.db.utils import Error

    return Error


def forget_connection() -> None:
    """What a web server does between two requests: a connection that ended is made anew by whoever asks next."""
    from django.db import connection

    connection.close_if_unusable_or_obsolete()
