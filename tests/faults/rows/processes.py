"""Processes that are replaced, whose clocks are wrong, whose versions differ, or whose data is of yesterday."""

import signal
import threading
import time
from collections.abc import Mapping

from tests.faults.arena import Arena
from tests.faults.callers import Callers
from tests.faults.fleet import STOP_SECONDS, Fleet
from tests.faults.referee import verdict
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]


def _harm(arena: Arena, work: Work) -> dict[str, float]:
    found = verdict(arena, work)
    return {name: found[name] for name in ("lost", "doubled", "stuck")}


def deploy(arena: Arena, work: Work, size: Size) -> Result:
    """Workers are replaced one by one, again and again, by SIGTERM and by SIGQUIT in turn."""
    fleet = Fleet(arena, 2)
    callers = Callers(work, size["seconds"])

    def roll() -> None:
        for turn in range(int(size["replaced"])):
            fleet.replace((signal.SIGTERM, signal.SIGQUIT)[turn % 2])
            time.sleep(size["pause"])

    try:
        roller = threading.Thread(target=roll, daemon=True)
        roller.start()
        callers.lives(int(size["environments"]), updates=int(size["updates"]), threads=6)
        roller.join(size["seconds"])
        callers.settle()
        harm = {**_harm(arena, work), "given_up": callers.given_up, "never_stopped": fleet.never_stopped}
    finally:
        fleet.close()
    return Result(
        faults={**fleet.signalled, "at_a_commit": fleet.at_a_commit},
        harm=harm,
        figures={
            "accepted": len(work.accepted),
            "slowest_stop_seconds": round(max(fleet.stops, default=0.0), 1),
            "allowed_seconds": STOP_SECONDS,
        },
    )


ROWS = [
    Row(
        14,
        "workers replaced by SIGTERM and SIGQUIT, in the middle of commits",
        deploy,
        ("poller",),
        small={"environments": 8, "updates": 1, "replaced": 4, "pause": 0.0, "seconds": 60},
        full={"environments": 200, "updates": 3, "replaced": 60, "pause": 8.0, "seconds": 1200},
        patience=12,
        arena={"lease": 1.5, "workers": 0, "database": {"behind": True}},
    ),
]
