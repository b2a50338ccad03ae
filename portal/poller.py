"""The path that needs no broker: a thread in every worker process that looks for rows that are due."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections

from portal import logs

log = logging.getLogger(__name__)
BATCH = 20


def _kinds() -> list[tuple[Any, Callable[[Any], None]]]:
    from portal import models
    from portal.actions import registrations, runs, service_changes

    return [
        (models.Deployment, runs.drive),
        (models.TemplateVersion, registrations.drive),
        (models.ServiceChange, service_changes.drive),
    ]


def look_once() -> int:
    """Drive what is due now, in this thread, and say how many rows that were."""
    found = 0
    for model, drive, pk in due():
        found += 1
        _safely(model, drive, pk)
    return found


def due() -> Iterator[tuple[Any, Callable[[Any], None], Any]]:
    """What is due now, one of each kind in turn: a thousand deployments under way keep no registration waiting."""
    from portal.actions import claims

    waiting = [[(model, drive, pk) for pk in claims.due(model, BATCH)] for model, drive in _kinds()]
    for one_of_each in zip_longest(*waiting):
        yield from filter(None, one_of_each)


def _safely(model: Any, drive: Callable[[Any], None], pk: Any) -> None:
    close_old_connections()
    with logs.bound(**{logs.ROWS[model.__name__]: pk}):
        try:
            drive(pk)
        except Exception:
            log.exception("a step failed; the row is taken again when its lease ends: %s", pk)
        finally:
            close_old_connections()


def _then_forget(under_way: set[Any], model: Any, drive: Callable[[Any], None], pk: Any) -> None:
    try:
        _safely(model, drive, pk)
    finally:
        under_way.discard((model, pk))


def _keep_house() -> None:
    from portal.actions import housekeeping

    close_old_connections()
    try:
        housekeeping.keep_house()
    finally:
        close_old_connections()


def _forever(stop: threading.Event, threads: int) -> None:
    from portal.actions.housekeeping import EVERY_SECONDS

    under_way: set[Any] = set()
    house_at = time.monotonic() + EVERY_SECONDS * random.random()  # noqa: S311 (jitter, not a secret)
    with ThreadPoolExecutor(threads, thread_name_prefix="drive") as pool:
        while not stop.wait(settings.POLL_SECONDS * random.uniform(0.7, 1.3)):  # noqa: S311 (jitter, not a secret)
            close_old_connections()
            try:
                if time.monotonic() >= house_at:
                    house_at = time.monotonic() + EVERY_SECONDS
                    pool.submit(_keep_house)
                for model, drive, pk in due():
                    if (model, pk) not in under_way and len(under_way) < 2 * threads:
                        under_way.add((model, pk))
                        pool.submit(_then_forget, under_way, model, drive, pk)
            except Exception:
                log.exception("looking for due rows failed; trying again")
        pool.shutdown(cancel_futures=True)
    connections.close_all()


def start(threads: int = 4) -> threading.Event:
    """Start polling in the background of this process. Setting the returned event ends it."""
    stop = threading.Event()
    threading.Thread(target=_forever, args=(stop, threads), name="poller", daemon=True).start()
    return stop
