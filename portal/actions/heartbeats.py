"""Renewing leases while work is done: a step may take longer than a lease when AWS is slow.

One thread for the whole process, on its own connection, renews every claimed row each third of a lease, only while the
row is still claimed by us. A step that hangs is given up after ``LONGEST`` leases: another worker may then try.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from portal.actions import claims
from portal.models.due import DueWork

log = logging.getLogger(__name__)
LONGEST = 10  # leases
_BEATS_PER_LEASE = 3


class Heartbeat:
    """The rows that this process works on, with how many more times each is renewed."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[DueWork, int]] = {}  # by identity: a row may be claimed anew beside a stale hand
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, row: DueWork) -> None:
        with self._lock:
            self._rows[id(row)] = row, LONGEST * _BEATS_PER_LEASE
            if self._thread is None:
                self._thread = threading.Thread(target=self._forever, name="heartbeat", daemon=True)
                self._thread.start()

    def end(self, row: DueWork) -> None:
        with self._lock:
            self._rows.pop(id(row), None)

    def beat(self) -> None:
        """Renew every row once; those that are not ours any more, or have been worked on too long, are let go."""
        with self._lock:
            rows = list(self._rows.values())
        for row, left in rows:
            renewed = claims.renew(row)
            with self._lock:
                if id(row) in self._rows:
                    self._rows[id(row)] = row, left - 1
                    if not renewed or left <= 1:
                        del self._rows[id(row)]

    def _forever(self) -> None:
        pause = threading.Event()
        while not pause.wait(settings.LEASE_SECONDS / _BEATS_PER_LEASE):
            if not self._rows:
                continue
            try:
                self.beat()
            except Exception:
                log.exception("leases were not renewed; trying again")
            finally:
                connection.close()


_heartbeat = Heartbeat()


def _after_fork() -> None:
    global _heartbeat
    _heartbeat = Heartbeat()  # its thread stayed with the parent


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def kept(row: DueWork) -> Iterator[None]:
    """While the block runs, the row stays ours."""
    keeper = _heartbeat
    keeper.begin(row)
    try:
        yield
    finally:
        keeper.end(row)
