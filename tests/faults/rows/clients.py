"""People who do things at the same time: cancel while it ends, update what is being updated."""

import itertools
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.arena import Arena
from tests.faults.referee import stacks, verdict
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}


def cancel(arena: Arena, work: Work, size: Size) -> Result:
    """Each update is cancelled at any moment of its life, twice. Whatever its end: AWS must agree with it."""
    from django.db import connection

    from portal.models import Deployment

    names = [f"env-{number}" for number in range(int(size["environments"]))]
    for name in names:
        work.create(name)
    work.wait(size["seconds"])
    updates: list[Any] = []
    applied = dict.fromkeys(names, 1)
    contradictions = []
    ends: dict[str, int] = {}
    cancels = 0
    for turn in range(2, 2 + int(size["rounds"])):
        started = {name: work.tried(work.update, name, turn) for name in names}
        updates += [entry for entry in started.values() if entry]

        def later(name: str) -> int:
            done = 0
            try:
                for _ in range(2):
                    time.sleep(random.uniform(0, size["span"]))
                    done += work.tried(work.cancel, name) is not None
            finally:
                connection.close()
            return done

        with ThreadPoolExecutor(8) as pool:
            cancels += sum(pool.map(later, names))
        work.wait(size["seconds"])
        live = {stack.environment: stack.revision for stack in stacks(arena, work.accounts)}
        for name, entry in started.items():
            if entry is None:
                continue
            status = Deployment.objects.get(pk=entry.deployment).status
            ends[status] = ends.get(status, 0) + 1
            if status == "SUCCEEDED":
                applied[name] = turn
            if status not in TERMINAL or live.get(entry.arn) != applied[name]:
                contradictions.append(f"{name}: {status}, and the emulator has revision {live.get(entry.arn)}")
    found = verdict(arena, work)
    return Result(
        faults={"updates": len(updates), "cancels": cancels, "cancelled": ends.get("CANCELLED", 0)},
        harm={"contradictions": len(contradictions), "doubled": found["doubled"], "stuck": found["stuck"]},
        figures={"ends": ends, "contradicted": contradictions[:5]},
    )


def crowd(arena: Arena, work: Work, size: Size) -> Result:
    """Many people update one environment at the same moment: one of them does, and the others are told so.

    Who comes when that one has ended already may be the next.
    """
    from django.db import connection

    work.create("shared")
    work.wait(size["seconds"])
    overlaps = refused_by_aws = at_once = 0
    accepted = []
    clients = int(size["clients"])
    for turn in range(int(size["rounds"])):
        ready = threading.Barrier(clients)

        def one(number: int, turn: int = turn, ready: threading.Barrier = ready) -> Any:
            try:
                ready.wait(20)
                return work.tried(work.update, "shared", 2 + turn * clients + number)
            finally:
                connection.close()

        with ThreadPoolExecutor(clients) as pool:
            taken = [entry for entry in pool.map(one, range(clients)) if entry]
        accepted.append(len(taken))
        work.wait(size["seconds"])
        at_once += _at_once([entry.deployment for entry in taken])
    operations = sorted(arena.liar.operations, key=lambda operation: operation.started)
    overlaps = sum(after.started < before.ended for before, after in itertools.pairwise(operations) if before.ended)
    refused_by_aws = sum(entry.status >= 400 for entry in arena.liar.entries)
    found = verdict(arena, work)
    return Result(
        faults={"clients": clients * int(size["rounds"]), "refused": sum(work.refused.values())},
        harm={
            "nobody_accepted": sum(count == 0 for count in accepted),
            "accepted_while_one_ran": at_once,
            "overlaps": overlaps,
            "refused_by_aws": refused_by_aws,
            "lost": found["lost"],
            "doubled": found["doubled"],
            "stuck": found["stuck"],
        },
        figures={"accepted": accepted[:20], "refusals": work.refused},
    )


def _at_once(deployments: list[Any]) -> int:
    """Those that were accepted before the one before had ended."""
    from portal.models import Deployment

    rows = Deployment.objects.filter(pk__in=deployments).order_by("created_at")
    return sum(
        before.completed_at is None or after.created_at < before.completed_at
        for before, after in itertools.pairwise(rows)
    )


ROWS = [
    Row(
        25,
        "cancelled at any moment, twice",
        cancel,
        ("cancelling",),
        small={"environments": 8, "rounds": 2, "span": 2.2, "seconds": 40},
        full={"environments": 50, "rounds": 20, "span": 2.2, "seconds": 120},
        patience=12,
        arena={"seconds": 1.0},
    ),
    Row(
        26,
        "fifty people update one environment",
        crowd,
        ("lock",),
        small={"clients": 20, "rounds": 2, "seconds": 30},
        full={"clients": 50, "rounds": 20, "seconds": 60},
        patience=5,
    ),
]
