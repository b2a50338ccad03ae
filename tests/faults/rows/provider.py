"""An AWS that throttles, fails half-way, or lets nobody in."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from tests.faults.arena import Arena
from tests.faults.liar_stacks import CAUSE
from tests.faults.referee import verdict
from tests.faults.rows.base import Result, Row, percentile
from tests.faults.work import Work

Size = Mapping[str, float]
MOST_CALLS = 60  # for one deployment that cannot get in: more is a loop


def _stack(name: str) -> str:
    """A pattern for the stack of an environment, which the first 15 characters of its name are part of."""
    return f"^AWSProton-{name[:15].rstrip('-')}-cloudformation-"


def _latest(name: str) -> Any:
    from portal.models import Deployment

    return Deployment.objects.filter(environment_name=name).order_by("-created_at").first()


def throttle(arena: Arena, work: Work, size: Size) -> Result:
    from portal.models import Deployment

    fault = arena.liar.fault("throttle", share=0.5)
    burnt: set[Any] = set()
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.1):
            burnt.update(Deployment.objects.filter(failures__gt=0).values_list("pk", flat=True))

    threading.Thread(target=watch, daemon=True).start()
    for number in range(int(size["environments"])):
        work.create(f"env-{number}")
    work.wait(size["storm"])
    arena.liar.faults.clear()  # who was told to wait for a minute has a minute left
    work.wait(size["seconds"])
    stopping.set()
    found = verdict(arena, work)
    rows = list(Deployment.objects.all())
    spent: dict[str, list[float]] = {}
    for row in rows:
        if row.completed_at:
            spent.setdefault(row.account_id, []).append((row.completed_at - row.created_at).total_seconds())
    means = [sum(times) / len(times) for times in spent.values()]
    busiest = Counter(int(at) for at, *_ in arena.liar.asked)
    return Result(
        faults={"throttled": fault.hits},
        harm={
            **{name: found[name] for name in ("lost", "doubled", "stuck")},
            "failed": sum(row.status == "FAILED" or row.phase == "attention" for row in rows),
            "attempts_burnt": len(burnt),
        },
        figures={
            "accounts": len(work.accounts),
            "calls": len(arena.liar.asked),
            "busiest_second_calls": max(busiest.values(), default=0),
            "account_mean_seconds": [percentile(means, 0.0), percentile(means, 0.99)],
        },
    )


# scripted end: (operation, status, next action, how a person goes on, status afterwards)
ENDS = {
    "CREATE_FAILED": ("create", "FAILED", "delete", "delete", "DELETE_COMPLETE"),
    "ROLLBACK_COMPLETE": ("create", "FAILED", "retry", "retry", "SUCCEEDED"),
    "ROLLBACK_FAILED": ("create", "FAILED", "delete", "delete", "DELETE_COMPLETE"),
    "UPDATE_FAILED": ("update", "FAILED", "retry", "retry", "SUCCEEDED"),
    "UPDATE_ROLLBACK_COMPLETE": ("update", "FAILED", "retry", "retry", "SUCCEEDED"),
    "UPDATE_ROLLBACK_FAILED": ("update", "FAILED", "continue-rollback", "continue", "SUCCEEDED"),
    "DELETE_FAILED": ("delete", "DELETE_FAILED", "retry", "retry", "DELETE_COMPLETE"),
}


def fail_partly(arena: Arena, work: Work, size: Size) -> Result:
    """Every end that CloudFormation has but the good ones; then a person does what the product says."""
    names = {f"e{number}-{turn}": end for number, end in enumerate(ENDS) for turn in range(int(size["each"]))}
    by_kind = {
        kind: [name for name, end in names.items() if ENDS[end][0] == kind] for kind in ("create", "update", "delete")
    }
    seconds = size["seconds"] / 4
    for name, end in names.items():
        arena.liar.script(_stack(name), ENDS[end][0], end, times=1)
        work.create(name)
    work.wait(seconds)
    for name in by_kind["update"]:
        work.tried(work.update, name, 2)
    before = len(work.accepted)
    asked_for = 0
    for name in by_kind["delete"]:
        asked_for += work.tried(work.delete, name) is not None
    work.wait(seconds)
    wrong = []
    for name, end in names.items():
        _, status, action, _, _ = ENDS[end]
        row = _latest(name)
        if (row.status, row.next_action) != (status, action) or CAUSE not in row.status_message:
            wrong.append(f"{end}: {row.status} {row.next_action} {row.status_message[:80]}")
    deletions = [entry for entry in arena.liar.entries if entry.action == "DeleteStack"]
    destructive = len(deletions) - asked_for
    for name, end in names.items():
        how = ENDS[end][3]
        if how == "continue":
            _continue(arena, _latest(name))
        if how == "delete":
            work.tried(work.delete, name)
        else:
            work.tried(work.retry, name)
    work.wait(seconds)
    unrepaired = [
        f"{end}: {_latest(name).status}" for name, end in names.items() if _latest(name).status != ENDS[end][4]
    ]
    found = verdict(arena, work)
    return Result(
        faults={"failures": len(names), "deletions_asked_for": asked_for},
        harm={
            "wrongly_mapped": len(wrong),
            "destructive_calls": max(0, destructive),
            "not_repaired": len(unrepaired),
            "doubled": found["doubled"],
            "stuck": found["stuck"],
        },
        figures={"wrong": wrong[:8], "unrepaired": unrepaired[:8], "accepted_first": before},
    )


def _continue(arena: Arena, row: Any) -> None:
    """As somebody does in the AWS console, after the cause was mended there."""
    import boto3

    client = boto3.client(
        "cloudformation",
        endpoint_url=arena.liar.endpoint,
        aws_access_key_id=row.account_id,
        aws_secret_access_key="embedded",
        region_name=row.region,
    )
    token = f"{row.pk}-by-hand"
    with suppress(ClientError):  # the product went on by itself, which is found out below
        client.continue_update_rollback(StackName=row.external_name, ClientRequestToken=token)
    until = time.monotonic() + 10
    while time.monotonic() < until and arena.liar.operations[-1].end == "":
        time.sleep(0.1)


def _sessions(liar: Any, seconds: float) -> int:
    """How many sessions were handed out, as soon as there is one."""
    until = time.monotonic() + seconds
    found = 0
    while not found and time.monotonic() < until:
        time.sleep(0.1)
        found = sum(action == "AssumeRole" for _, action, *_ in liar.asked)
    return found


def deny(arena: Arena, work: Work, size: Size) -> Result:
    """Sessions that expire once and for ever, and permissions that are missing at each point."""
    role = "arn:aws:iam::123456789012:role/deploy"
    arena.liar.trust(role, {"123456789012"})
    liar = arena.liar
    count = int(size["each"])
    expired_once = [liar.fault("expired", stacks=f"-once{n}-", times=2) for n in range(count)]
    for_ever = [liar.fault("expired", stacks=f"-ever{n}-") for n in range(count)]
    at_start = [liar.fault("denied", stacks=f"-start{n}-") for n in range(count)]
    at_execution = [liar.fault("denied", "ExecuteChangeSet", stacks="-execute") for n in range(1)]
    expected = {}
    for n in range(count):
        expected[work.create(f"once{n}").name] = ("SUCCEEDED", "")
        expected[work.create(f"ever{n}").name] = ("FAILED", "ExpiredToken")
        expected[work.create(f"start{n}").name] = ("FAILED", "AccessDenied")
        expected[work.create(f"execute{n}").name] = ("FAILED", "AccessDenied")
        made = work.create(f"role{n}", account_id="123456789012", proton_service_role_arn=role)
        expected[made.name] = ("SUCCEEDED", "")
        foreign = "arn:aws:iam::123456789012:role/unknown"
        made = work.create(f"foreign{n}", account_id="123456789012", proton_service_role_arn=foreign)
        expected[made.name] = ("FAILED", "cannot be assumed")
    sessions = _sessions(liar, size["seconds"])
    liar.expire_sessions()
    work.wait(size["seconds"])
    wrong = []
    for name, (status, cause) in expected.items():
        row = _latest(name)
        asked_a_person = row.phase == "attention" and status == "FAILED"
        if (row.status != status and not asked_a_person) or cause not in row.status_message:
            wrong.append(f"{name}: {row.status} {row.phase} {row.status_message[:100]}")
    calls = Counter(stack.split("/")[1] if "/" in stack else stack for _, _, stack, _ in liar.asked if stack)
    hits = {"expired": expired_once + for_ever, "denied": at_start + at_execution}
    return Result(
        faults={**{name: sum(f.hits for f in faults) for name, faults in hits.items()}, "sessions_expired": sessions},
        harm={
            "wrong_ends": len(wrong),
            "loops": sum(count > MOST_CALLS for count in calls.values()),
            "stuck": work.running(),
        },
        figures={"most_calls_for_one": max(calls.values(), default=0), "wrong": wrong[:8]},
    )


ROWS = [
    Row(
        20,
        "AWS throttles half of all calls",
        throttle,
        ("throttling",),
        small={"environments": 20, "storm": 6.0, "seconds": 60},
        full={"environments": 400, "storm": 300.0, "seconds": 400},
        patience=15,
        accounts=20,
        arena={"settings": {"MAX_STEP_FAILURES": "3"}},
    ),
    Row(
        21,
        "stacks that fail half-way",
        fail_partly,
        ("careful",),
        small={"each": 1, "seconds": 160},
        full={"each": 30, "seconds": 600},
        patience=40,
        arena={"settings": {}},
    ),
    Row(
        39,
        "credentials that expire or are denied",
        deny,
        ("renewals",),
        small={"each": 1, "seconds": 40},
        full={"each": 30, "seconds": 300},
        patience=12,
    ),
]
