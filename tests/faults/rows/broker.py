"""A broker that forgets, is away, dies, or says everything several times."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.faults.arena import Arena
from tests.faults.referee import harm
from tests.faults.rows.base import Result, Row, percentile
from tests.faults.work import Work

Size = Mapping[str, float]


def _durations() -> list[float]:
    from portal.models import Deployment

    return [
        (row.completed_at - row.created_at).total_seconds()
        for row in Deployment.objects.filter(completed_at__isnull=False)
        if row.completed_at
    ]


def _while(work: Work, size: Size, torment: Callable[[], None], pause: float) -> int:
    """Environments are made while ``torment`` is called again and again; how often it was."""
    done = 0
    stopping = threading.Event()

    def again() -> None:
        nonlocal done
        while done < size["times"] and not stopping.wait(pause):
            torment()
            done += 1

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    for number in range(int(size["environments"])):
        work.create(f"env-{number}")
        time.sleep(size["times"] * pause / size["environments"] / 2)
    thread.join(max(1.0, size["seconds"] / 2))
    stopping.set()
    thread.join()
    work.wait(size["seconds"])
    return done


def flush(arena: Arena, work: Work, size: Size) -> Result:
    done = _while(work, size, arena.flush, 0.3)
    spent = _durations()
    return Result(
        faults={"flushes": done},
        harm=harm(arena, work),
        figures={"deployment_p50_seconds": percentile(spent, 0.5), "deployment_p95_seconds": percentile(spent, 0.95)},
    )


def away(arena: Arena, work: Work, size: Size) -> Result:
    """There is no broker while requests come in and until they are done."""
    arena.kill_broker()
    times = []
    failed = 0
    began = time.monotonic()
    for number in range(int(size["environments"])):
        started = time.monotonic()
        try:
            work.create(f"env-{number}")
        except Exception:
            failed += 1
        times.append(time.monotonic() - started)
        time.sleep(size["minutes"] * 60 / size["environments"])
    work.wait(size["seconds"])
    harmed = harm(arena, work)
    down = time.monotonic() - began
    arena.start_broker()
    return Result(
        faults={"seconds_without_broker": round(down, 1)},
        harm={**harmed, "failed_requests": failed},
        figures={"slowest_request_seconds": round(max(times), 2)},
    )


def restart(arena: Arena, work: Work, size: Size) -> Result:
    """The broker dies with all that it knew, and comes back; the network to it is as bad as it can be meanwhile."""
    network = arena.network
    assert network is not None
    late, trickle = (network.fault(kind, share=0.2, seconds=0.05) for kind in ("late", "trickle"))
    reset = network.fault("reset", share=0.2)
    cut = refused = 0

    def die_and_return() -> None:
        nonlocal cut, refused
        arena.kill_broker()
        time.sleep(0.3)
        arena.start_broker()
        time.sleep(0.3)
        closed = network.fault("refuse")
        cut += network.cut_all()
        until = time.monotonic() + 3
        while not closed.hits and time.monotonic() < until:
            time.sleep(0.05)
        network.faults.remove(closed)
        refused += closed.hits

    done = _while(work, size, die_and_return, 0.6)
    moments = sorted(
        [entry.at for entry in work.accepted]
        + [operation.ended for operation in arena.liar.operations if operation.ended]
        + [entry.at for entry in arena.liar.entries]
    )
    stall = max((after - before for before, after in itertools.pairwise(moments)), default=0.0)
    return Result(
        faults={
            "restarts": done,
            "refused": refused,
            "disturbed": sum(fault.hits for fault in (reset, late, trickle)),
        },
        harm={**harm(arena, work), "stalled": int(stall > 30)},
        figures={"longest_stall_seconds": round(stall, 2), "cut": cut},
    )


def duplicate(arena: Arena, work: Work, size: Size) -> Result:
    """Each message comes five times, at the same time."""
    from portal import tasks

    sent = 0
    with ThreadPoolExecutor(5) as pool:
        for number in range(int(size["environments"])):
            made = work.create(f"env-{number}")
            list(pool.map(lambda _, pk=str(made.deployment): tasks.drive_deployment.delay(pk), range(5)))
            sent += 5
    deadline = time.monotonic() + size["seconds"]
    while time.monotonic() < deadline and work.running():  # and again whenever they are due
        for entry in work.accepted[:20]:
            for _ in range(5):
                tasks.drive_deployment.delay(str(entry.deployment))
                sent += 1
        time.sleep(0.5)
    work.wait(max(0.1, deadline - time.monotonic()))
    effects = Counter(operation.stack for operation in arena.liar.operations)
    return Result(
        faults={"deliveries": sent},
        harm=harm(arena, work),
        figures={"deployments": len(work.accepted), "effects": sum(effects.values())},
    )


ROWS = [
    Row(
        8,
        "the broker forgets everything",
        flush,
        ("poller",),
        small={"environments": 12, "times": 10, "seconds": 40},
        full={"environments": 1000, "times": 50, "seconds": 600},
        patience=5,
    ),
    Row(
        9,
        "no broker at all",
        away,
        ("poller",),
        small={"environments": 10, "minutes": 0.05, "seconds": 40},
        full={"environments": 300, "minutes": 10.0, "seconds": 300},
        patience=5,
    ),
    Row(
        10,
        "the broker dies and comes back empty, behind a network that cuts, refuses and delays",
        restart,
        ("poller",),
        small={"environments": 10, "times": 4, "seconds": 45},
        full={"environments": 300, "times": 50, "seconds": 600},
        patience=5,
        arena={"far": True},
    ),
    Row(
        13,
        "each message delivered five times",
        duplicate,
        ("names", "lease"),
        small={"environments": 12, "seconds": 40},
        full={"environments": 1000, "seconds": 600},
        patience=5,
    ),
]
