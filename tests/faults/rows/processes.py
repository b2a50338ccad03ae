"""Processes that are replaced, or whose clocks are wrong."""

import signal
import threading
import time
from collections.abc import Mapping

from tests.faults.arena import Arena
from tests.faults.callers import Callers
from tests.faults.fleet import STOP_SECONDS, Fleet
from tests.faults.referee import harm
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
SKEW = 600.0


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
        harmed = {**harm(arena, work), "given_up": callers.given_up, "never_stopped": fleet.never_stopped}
    finally:
        fleet.close()
    return Result(
        faults={**fleet.signalled, "at_a_commit": fleet.at_a_commit},
        harm=harmed,
        figures={
            "accepted": len(work.accepted),
            "slowest_stop_seconds": round(max(fleet.stops, default=0.0), 1),
            "allowed_seconds": STOP_SECONDS,
        },
    )


# The judge of leases is the database itself: it notes when a lease began, by its own clock, and who took what of whom.
JUDGE = """
CREATE TABLE faults_lease (deployment uuid PRIMARY KEY, began timestamptz);
CREATE TABLE faults_claim (owner text, early boolean);
CREATE FUNCTION faults_judge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.fence > OLD.fence THEN
    INSERT INTO faults_claim SELECT NEW.lease_owner, OLD.lease_owner <> '' AND EXISTS (
      SELECT 1 FROM faults_lease WHERE deployment = OLD.id
      AND began > clock_timestamp() - interval '{seconds} seconds');
  END IF;
  IF NEW.lease_owner <> '' AND NEW.lease_until IS DISTINCT FROM OLD.lease_until THEN
    INSERT INTO faults_lease VALUES (OLD.id, clock_timestamp())
    ON CONFLICT (deployment) DO UPDATE SET began = excluded.began;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER faults_judge BEFORE UPDATE ON portal_deployment FOR EACH ROW EXECUTE FUNCTION faults_judge();
"""


def skew(arena: Arena, work: Work, size: Size) -> Result:
    """One worker is ten minutes ahead and one ten minutes behind, and AWS is so slow that leases are held for long."""
    from django.conf import settings

    assert arena.database is not None
    sql = arena.database.server.sql
    sql(JUDGE.replace("{seconds}", str(settings.LEASE_SECONDS * 0.9)))
    arena.liar.delay = size["delay"]
    callers = Callers(work, size["seconds"])
    callers.lives(int(size["environments"]), updates=int(size["updates"]), threads=8)
    callers.settle()
    claims: dict[str, int] = {"ahead": 0, "behind": 0, "right": 0}
    for line in sql("SELECT owner, count(*) FROM faults_claim GROUP BY owner").splitlines():
        owner, count = line.split("|")
        seconds = arena.skew_of.get(int(owner.split(":")[1]), 0.0)
        claims["ahead" if seconds > 0 else "behind" if seconds < 0 else "right"] += int(count)
    return Result(
        faults={"claims_of_the_one_ahead": claims["ahead"], "claims_of_the_one_behind": claims["behind"]},
        harm={
            **harm(arena, work),
            "false_reclaims": int(sql("SELECT count(*) FROM faults_claim WHERE early")),
            "given_up": callers.given_up,
        },
        figures={"accepted": len(work.accepted), "claims": sum(claims.values()), "skew_seconds": SKEW},
    )


ROWS = [
    Row(
        14,
        "workers replaced by SIGTERM and SIGQUIT, in the middle of commits",
        deploy,
        ("poller",),
        small={"environments": 6, "updates": 1, "replaced": 3, "pause": 0.0, "seconds": 90},
        full={"environments": 200, "updates": 3, "replaced": 60, "pause": 8.0, "seconds": 1200},
        patience=12,
        arena={"lease": 1.5, "workers": 0, "database": {"behind": True}},
    ),
    Row(
        34,
        "workers whose clocks are ten minutes wrong",
        skew,
        ("clock",),
        small={"environments": 6, "updates": 1, "delay": 0.05, "seconds": 90},
        full={"environments": 200, "updates": 3, "delay": 0.1, "seconds": 900},
        patience=8,
        arena={"lease": 1.0, "workers": 3, "skews": (0.0, SKEW, -SKEW), "database": {}},
    ),
]
