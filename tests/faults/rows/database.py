"""A PostgreSQL that crashes, is cut off at the worst moment, or has no room left."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from tests.faults.arena import Arena
from tests.faults.aws_liar import MUTATING
from tests.faults.callers import Callers, Watch, forget_connection, outside
from tests.faults.database import Database, may_not_mount
from tests.faults.liar_wire import Call
from tests.faults.referee import harm
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
GRACE = 1.0  # seconds after the server is there again in which a request may still fail

RECOVERY = 15.0  # seconds after there is room again


def _database(arena: Arena) -> Database:
    assert arena.database is not None
    return arena.database


def _harm(arena: Arena, work: Work, callers: Callers) -> dict[str, float]:
    forget_connection()  # the server that it led to may have ended since
    return {
        **harm(arena, work),
        "lost_acknowledgements": callers.missing(),
        "done_twice": callers.twice(),
        "given_up": callers.given_up,
    }


def restarts(arena: Arena, work: Work, size: Size) -> Result:
    """The server crashes: every other time while AWS executes a call of a worker, whose result cannot be written."""
    database = _database(arena)
    watch = Watch(arena.serve(), ("/healthz/ready", "/sign-in/"))
    callers = Callers(work, size["seconds"])
    windows: list[tuple[float, float]] = []
    called = threading.Event()
    go_on = threading.Event()
    stopping = threading.Event()

    def in_the_middle(action: str, stack: str, call: Call) -> None:
        if action in MUTATING and called.is_set():
            called.clear()
            go_on.clear()
            go_on.wait(5)  # the call was executed; its answer comes when the database is down

    def torment() -> None:
        while len(windows) < size["restarts"] and not stopping.wait(arena.random.uniform(0.5, 1.5) * size["pause"]):
            go_on.set()
            if len(windows) % 2 == 0:
                called.set()
                while called.is_set() and not stopping.wait(0.02):
                    pass
            began = time.time()
            database.crash()
            go_on.set()
            time.sleep(arena.random.uniform(0.1, 0.6))
            assert database.start()
            windows.append((began - GRACE, time.time() + GRACE))

    arena.liar.after = in_the_middle
    tormentor = threading.Thread(target=torment, daemon=True)
    tormentor.start()
    callers.lives(int(size["environments"]), updates=int(size["updates"]), pause=size["pause"] / 4)
    tormentor.join(size["seconds"] / 3)
    stopping.set()
    go_on.set()
    tormentor.join(30)
    callers.settle()
    watch.close()
    bad = [*watch.bad(), *callers.unanswered]
    return Result(
        faults={"restarts": len(windows), "requests_failed": len(bad)},
        harm={**_harm(arena, work, callers), "failed_outside_the_window": outside(bad, windows)},
        figures={
            "requests_seen": len(watch.seen) + len(work.accepted),
            "not_answered_and_done": callers.done_anyway,
            "steps": _fences(),
            "calls": len(arena.liar.entries),
            "down_seconds": round(sum(end - start - 2 * GRACE for start, end in windows), 1),
        },
    )


def _fences() -> int:
    """How many steps were begun."""
    from portal.models import Deployment

    return sum(Deployment.objects.values_list("fence", flat=True))


def cut(arena: Arena, work: Work, size: Size) -> Result:
    """Connections end at a commit: before the server hears of it, or after it did it and before it could say so."""
    network = _database(arena).liar
    assert network is not None
    each = int(size["cuts"]) // 4
    callers = Callers(work, size["seconds"])
    faults = {
        f"{who}s_{when}": network.fault(kind, clients=who, share=share, times=each)
        for who, share in (("caller", 0.3), ("worker", 0.02))
        for kind, when in (("lose", "before"), ("drop", "after"))
    }
    armed = threading.Event()

    def after_a_call(action: str, stack: str, call: Call) -> None:
        if action in MUTATING:
            armed.set()

    def worst(client: str) -> None:
        """What a worker commits first after something was changed in AWS is what it made there."""
        if client == "worker":
            share = 0.7 if armed.is_set() else 0.02
            armed.clear()
            faults["workers_before"].share = faults["workers_after"].share = share

    arena.liar.after, network.at_commit = after_a_call, worst
    callers.lives(int(size["environments"]), updates=int(size["updates"]))
    number = int(size["environments"])
    while sum(f.hits for f in faults.values()) < 4 * each and time.monotonic() < callers.until - size["seconds"] / 3:
        callers.create(f"env-{number}")
        number += 1
    network.faults.clear()
    callers.settle()
    return Result(
        faults={name: fault.hits for name, fault in faults.items()},
        harm=_harm(arena, work, callers),
        figures={
            "accepted": len(work.accepted),
            "commits": network.commits,
            "callers_not_answered": len(callers.unanswered),
            "not_answered_and_done": callers.done_anyway,
        },
    )


def full(arena: Arena, work: Work, size: Size) -> Result:
    """The disk of the database and of the workers' log fills up, again and again. A supervisor starts the server.

    Every other time the archiver stands still, the log of the server piles up, and somebody writes so much that the
    server cannot go on, and not only those who need new pages.
    """
    database = _database(arena)
    disk = database.disk
    assert disk is not None
    watch = Watch(arena.serve(), ("/healthz/ready",))
    callers = Callers(work, size["seconds"])
    stopping = threading.Event()
    windows: list[tuple[float, float]] = []
    crashes = piled_up = 0
    filled: list[float] = []
    lifted: list[float] = []

    def fill() -> None:
        with (disk / "ballast").open("ab", buffering=0) as ballast:
            for bite in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        ballast.write(b"x" * bite)

    def write_on() -> None:
        """Others write as well, until the log of the server needs room: then it gives up."""
        nonlocal crashes
        try:
            for _ in range(50):
                database.server.sql("SELECT pg_logical_emit_message(true, 'faults', repeat('x', 900000))")
        except RuntimeError:
            crashes += 1

    def supervise() -> None:
        while not stopping.wait(0.2):
            if not database.runs:
                database.start()

    def torment() -> None:
        nonlocal piled_up
        while len(windows) < size["times"] and not stopping.wait(size["pause"]):
            began = time.time()
            if len(windows) % 2 == 0:
                database.stopped.touch()
                write_on()
                piled_up = max(piled_up, database.not_archived())
                fill()
                write_on()
            fill()
            filled.append(time.time())
            until = filled[-1] + size["full"]
            asking = threading.Thread(target=callers.create, args=(f"full-{len(windows)}",), daemon=True)
            asking.start()
            while time.time() < until:  # also what somebody else gives back
                fill()
                time.sleep(0.05)
            (disk / "ballast").unlink()
            database.stopped.unlink(missing_ok=True)
            lifted.append(time.time())
            windows.append((began - GRACE, lifted[-1] + RECOVERY + GRACE))
            asking.join(size["seconds"])

    threads = [threading.Thread(target=target, daemon=True) for target in (supervise, torment)]
    for thread in threads:
        thread.start()
    callers.lives(int(size["environments"]), updates=int(size["updates"]), pause=size["pause"] / 3)
    threads[1].join(size["seconds"] / 3)
    callers.settle()
    wanted = time.monotonic() + 4 * RECOVERY
    while not database.answers() and time.monotonic() < wanted:
        time.sleep(0.1)
    wanted = time.monotonic() + RECOVERY
    while lifted and time.monotonic() < wanted and watch.good("/healthz/ready")[-1:] <= [(lifted[-1], 0.0)]:
        time.sleep(0.1)
    while (left := database.not_archived()) and time.monotonic() < wanted:
        time.sleep(0.1)
    watch.close()
    stopping.set()
    for thread in threads:
        thread.join(30)
    red = watch.bad("/healthz/ready")
    green = watch.good("/healthz/ready")
    settled = [(start + 1, end - 0.3) for start, end in zip(filled, lifted, strict=False)]  # full for a second
    recoveries = [min((since - end for since, _ in green if since > end), default=999.0) for end in lifted]
    return Result(
        faults={
            "times_full": len(windows),
            "not_ready": len(red),
            "database_gave_up": crashes,
            "segments_piled_up": piled_up,
            "requests_failed": len(callers.unanswered),
        },
        harm={
            **_harm(arena, work, callers),
            "ready_while_full": sum(
                start <= since and until <= end for since, until in green for start, end in settled
            ),
            "failed_outside_the_window": outside([*red, *callers.unanswered], windows),
            "not_recovered": sum(seconds > RECOVERY for seconds in recoveries),
            "not_archived": left,
        },
        figures={
            "accepted": len(work.accepted),
            "slowest_recovery_seconds": round(max(recoveries, default=0.0), 1),
        },
    )


ROWS = [
    Row(
        11,
        "PostgreSQL crashes again and again",
        restarts,
        ("names",),
        small={"environments": 4, "updates": 1, "restarts": 3, "pause": 0.6, "seconds": 90},
        full={"environments": 200, "updates": 4, "restarts": 50, "pause": 8.0, "seconds": 1200},
        patience=10,
        arena={"lease": 1.0, "database": {}},
    ),
    Row(
        12,
        "connections to PostgreSQL cut at a commit",
        cut,
        ("names",),
        small={"environments": 6, "updates": 1, "cuts": 12, "seconds": 90},
        full={"environments": 150, "updates": 3, "cuts": 500, "seconds": 900},
        patience=8,
        arena={"lease": 1.0, "database": {"behind": True}},
    ),
    Row(
        33,
        "the disk of database and logs is full, the archiver stands still",
        full,
        ("room",),
        small={"environments": 3, "updates": 1, "times": 2, "full": 2.0, "pause": 0.5, "seconds": 90},
        full={"environments": 60, "updates": 3, "times": 30, "full": 5.0, "pause": 4.0, "seconds": 600},
        patience=12,
        arena={"lease": 1.5, "database": {"disk": 160}},
        needs=may_not_mount,
    ),
]
