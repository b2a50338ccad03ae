"""A database that is of yesterday, while AWS is of today."""

import time
from collections.abc import Mapping

from tests.faults.arena import Arena
from tests.faults.referee import Stack, stacks
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
KINDS = ("changed", "missing", "under-way", "unknown")


def restore(arena: Arena, work: Work, size: Size) -> Result:
    """As docs/operations.md says: restore an old dump, hold what was under way, list what differs, start workers."""
    from django.db import connection

    from portal.actions import deployments, reconciliation
    from portal.models import Deployment

    assert arena.database is not None
    server, (here, closed) = arena.database.server, work.accounts
    dump = server.directory / "portal.dump"  # which the server's user may write
    each = range(int(size["each"]))
    names = {kind: [f"{kind}-{number}" for number in each] for kind in (*KINDS, "same")}

    for name in [*names["same"], *names["changed"], *names["missing"]]:
        work.create(name, account_id=here)
    work.create("closed", account_id=closed)
    work.wait(size["seconds"])
    for name in names["under-way"][::2]:
        work.create(name, account_id=here)
    time.sleep(size["begun"])  # these are in the middle
    arena.stop_workers()
    for name in names["under-way"][1::2]:
        work.create(name, account_id=here)
    under_way = work.running()
    server.run("pg_dump", "--format=custom", "--schema=public", f"--file={dump}")
    before = len(work.accepted)

    arena.start_workers()
    work.wait(size["seconds"])
    time.sleep(1.1)  # the emulator's clock has seconds
    for name in names["changed"]:
        work.update(name, 2)
    for name in names["missing"]:
        work.delete(name)
    for name in names["unknown"]:
        work.create(name, account_id=here)
    left_over = work.wait(size["seconds"])

    arena.stop_workers()
    connection.close()
    server.sql("DROP SCHEMA public CASCADE")
    server.run("pg_restore", "--no-owner", "--dbname=postgres", str(dump))
    expected = {(kind.replace("-", " "), name) for kind in KINDS for name in names[kind]} | {("unreadable", closed)}
    expected -= {("under way", name) for name in names["under-way"] if not _runs(name)}
    aws, calls = _state(arena, work), len(arena.liar.entries)
    denied = arena.liar.fault("denied", keys=closed)
    held = reconciliation.hold_running()
    found = {(difference.kind, _name(difference)) for difference in reconciliation.differences(clock_skew=0)}
    listed = len(expected & found)

    arena.start_workers()
    time.sleep(size["watched"])
    entries = arena.liar.entries[calls:]
    destroyed = sum(entry.action == "DeleteStack" for entry in entries)
    moved = _state(arena, work) != aws

    arena.liar.faults.clear()
    for row in Deployment.objects.filter(phase="attention"):
        deployments.resolve_attention(by=work.admin, deployment=row, decision="resume", reason="Its stack is looked at")
    stuck = work.wait(size["seconds"])
    begun = [row for row in work.accepted[:before] if row.name in names["under-way"]]
    taken_up = Deployment.objects.filter(pk__in=[row.deployment for row in begun], status="SUCCEEDED").count()
    per_environment = [stack.environment for stack in stacks(arena, work.accounts) if stack.environment]
    return Result(
        faults={"drifts": len(expected), "under_way": under_way, "denied": denied.hits},
        harm={
            "not_listed": len(expected) - listed,
            "listed_wrongly": len(found - expected),
            "deletes": destroyed,
            "calls_before_anybody_decided": len(entries),
            "aws_changed_before_anybody_decided": int(moved),
            "not_taken_up": len(begun) - taken_up,
            "doubled": len(per_environment) - len(set(per_environment)),
            "stuck": stuck + left_over,
        },
        figures={"listed_percent": round(100 * listed / len(expected)), "held": held, "stacks": len(aws)},
    )


def _runs(name: str) -> bool:
    from portal.enums import RUNNING
    from portal.models import Deployment

    return bool(Deployment.objects.filter(environment_name=name, status__in=RUNNING).exists())


def _name(difference: object) -> str:
    """The environment's, also where only its stack is known; an account's number."""
    subject = str(getattr(difference, "subject", ""))
    if ":environment/" in subject:
        return subject.rpartition("/")[2]
    if "AWSProton-" in subject:
        return subject.partition("AWSProton-")[2].partition("-cloudformation")[0]
    return subject.split()[0]


def _state(arena: Arena, work: Work) -> list[Stack]:
    return sorted(stacks(arena, work.accounts), key=lambda stack: stack.arn)


ROWS = [
    Row(
        38,
        "an old backup is restored while AWS moved on",
        restore,
        ("reconciler",),
        small={"each": 2, "begun": 0.5, "watched": 1.0, "seconds": 60},
        full={"each": 50, "begun": 3.0, "watched": 20.0, "seconds": 300},
        patience=15,
        accounts=2,
        arena={"lease": 1.0, "database": {}, "seconds": 0.5},
        judged=False,
    ),
]
