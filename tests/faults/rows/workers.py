"""Workers that die, are paused, lose replies, or meet work that kills them."""

import os
import random
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.arena import LEASE_SECONDS, Arena
from tests.faults.aws_liar import MUTATING
from tests.faults.liar_wire import Call
from tests.faults.referee import harm, verdict
from tests.faults.rows.base import Result, Row, percentile
from tests.faults.work import Work

Size = Mapping[str, float]


def lives(work: Work, count: int, seconds: float, *, cancels: bool = False) -> None:
    """``count`` environments are made; then two of three are updated, and one of six is deleted after that.

    With ``cancels`` every other update is cancelled soon after it began.
    """
    until = time.monotonic() + seconds
    stages = {f"env-{number}": 0 for number in range(count)}
    for name in stages:
        work.create(name)
        time.sleep(0.02)
    while stages and time.monotonic() < until:
        for name, stage in list(stages.items()):
            number = int(name.split("-")[1])
            if work._running_of({name}):
                continue
            if stage == 0 and number % 3:
                work.tried(work.update, name, 2)
                if cancels and number % 2:
                    work.tried(work.cancel, name)
                stages[name] = 1
            elif stage == 1 and number % 6 == 1:
                work.tried(work.delete, name)
                del stages[name]
            else:
                del stages[name]
        time.sleep(0.3)
    work.wait(max(0.1, until - time.monotonic()))


class Recoveries:
    """How long rows of a worker that was killed waited until another one had them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._waiting: dict[UUID, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def killed(self, pid: int) -> None:
        from portal.models import Deployment

        held = Deployment.objects.filter(lease_owner__startswith=f"{socket.gethostname()}:{pid}:")
        with self._lock:
            for pk, fence in held.values_list("pk", "fence"):
                self._waiting.setdefault(pk, (time.monotonic(), fence))

    def look(self) -> None:
        from portal.models import Deployment

        with self._lock:
            for pk, fence, lease in Deployment.objects.filter(pk__in=self._waiting).values_list(
                "pk", "fence", "lease_until"
            ):
                since, before = self._waiting[pk]
                if fence > before or lease is None:
                    self.seconds.append(time.monotonic() - since)
                    del self._waiting[pk]


def kill(arena: Arena, work: Work, size: Size) -> Result:
    done = {"kills": 0, "flushes": 0}
    recoveries = Recoveries()
    stopping = threading.Event()
    wanted, flushes = int(size["kills"]), int(size["flushes"])
    chance = random.Random(arena.random.random())

    def mid_call(action: str, stack: str, call: Call) -> None:
        """A worker dies while its call is executed: after it took effect, before its answer is known."""
        if action in MUTATING and call.process and done["kills"] < wanted and chance.random() < 0.03:
            done["kills"] += 1
            recoveries.killed(arena.kill(call.process))

    def torment() -> None:
        while done["kills"] < wanted and not stopping.wait(chance.uniform(0.3, 1.4)):
            done["kills"] += 1
            recoveries.killed(arena.kill())
            recoveries.look()
            if done["flushes"] < flushes and done["kills"] * flushes >= done["flushes"] * wanted:
                done["flushes"] += 1
                arena.flush()
        while not stopping.wait(0.2):
            recoveries.look()

    arena.liar.after = mid_call
    tormentor = threading.Thread(target=torment, daemon=True)
    tormentor.start()
    lives(work, int(size["environments"]), size["seconds"])
    stopping.set()
    tormentor.join(5)
    recoveries.look()
    slow = sum(seconds > LEASE_SECONDS + 15 for seconds in recoveries.seconds)
    return Result(
        faults=dict(done),
        harm={**harm(arena, work), "recovered_too_late": slow if slow > 0.05 * len(recoveries.seconds) else 0},
        figures={
            "accepted": len(work.accepted),
            "calls": len(arena.liar.entries),
            "recoveries": len(recoveries.seconds),
            "recovery_p95_seconds": percentile(recoveries.seconds, 0.95),
            "lease_seconds": LEASE_SECONDS,
        },
    )


def lose_replies(arena: Arena, work: Work, size: Size) -> Result:
    dropped = arena.liar.fault("drop", share=0.3)
    lost = arena.liar.fault("lose", "|".join(sorted(MUTATING)), share=0.1)
    cut = arena.liar.fault("truncate", share=0.02)
    lives(work, int(size["environments"]), size["seconds"])
    return Result(
        faults={"replies_dropped": dropped.hits, "calls_lost": lost.hits, "replies_cut": cut.hits},
        harm=harm(arena, work),
        figures={"accepted": len(work.accepted), "calls": len(arena.liar.entries)},
    )


def pause(arena: Arena, work: Work, size: Size) -> Result:
    """Workers stop in the middle of their calls, for longer than their lease, while newer revisions are deployed.

    Most often where it hurts most: when a change is being made, and when its end was just seen.
    """
    done = {"pauses": 0}
    chance = random.Random(arena.random.random())
    wanted = int(size["pauses"])
    seconds = float(size["environments"] and 1.5 * float(_lease()))

    def stop_the_caller(action: str, stack: str, call: Call) -> None:
        share = 0.3 if action in MUTATING else 0.4 if arena.liar.stacks.over(stack) else 0.03
        if chance.random() < share and call.process and done["pauses"] < wanted and arena.pause(call.process, seconds):
            done["pauses"] += 1

    arena.liar.before = arena.liar.after = stop_the_caller
    until = time.monotonic() + size["seconds"]
    names = [f"env-{number}" for number in range(int(size["environments"]))]
    revisions = dict.fromkeys(names, 1)
    for name in names:
        work.create(name)
    while time.monotonic() < until - 8 and (done["pauses"] < wanted or min(revisions.values()) < 3):
        for name in names:
            if not work._running_of({name}) and work.tried(work.update, name, revisions[name] + 1):
                revisions[name] += 1
        time.sleep(0.2)
    work.wait(max(0.1, until - time.monotonic()))
    time.sleep(seconds)  # who is paused now wakes up late, and must not do harm either
    stale = arena.logged("stale write dropped")
    refused = sum(entry.status >= 400 for entry in arena.liar.entries)
    faults: dict[str, float] = dict(done)
    if arena.without == "-":
        faults["stale_writes_dropped"] = stale
    return Result(
        faults=faults,
        harm=harm(arena, work),
        figures={"accepted": len(work.accepted), "refused_by_aws": refused, "pause_seconds": seconds},
    )


def _lease() -> float:
    from django.conf import settings

    return float(settings.LEASE_SECONDS)


def crash(arena: Arena, work: Work, size: Size) -> Result:
    """Workers die at each named point of every kind of deployment, again and again."""
    from portal.actions.crashpoints import PASSED

    fired = dict.fromkeys(PASSED, 0)
    stopping = threading.Event()
    kinds = {name.split(".")[1] for name in PASSED}

    def arm() -> None:
        """One point of each kind at a time."""
        armed: dict[str, str] = {}
        while not stopping.wait(0.05):
            for kind in kinds:
                name = armed.get(kind)
                if name and not (arena.crashes / name).exists():
                    fired[armed.pop(kind)] += 1
                    name = None
                waiting = [one for one in PASSED if one.endswith(f".{kind}") and fired[one] < size["each"]]
                if waiting and name is None:
                    armed[kind] = min(waiting, key=lambda one: fired[one])
                    (arena.crashes / armed[kind]).touch()

    thread = threading.Thread(target=arm, daemon=True)
    thread.start()
    until = time.monotonic() + size["seconds"]
    with tempfile.TemporaryDirectory(prefix="ledger-") as open_to_all:
        os.chmod(open_to_all, 0o777)
        ledger = Path(open_to_all)
        _until_all_fired(work, size, fired, until - 10, ledger)
        stopping.set()
        thread.join()
        for name in PASSED:
            (arena.crashes / name).unlink(missing_ok=True)
        work.wait(max(0.1, until - time.monotonic()))
        found = verdict(arena, work)
        return Result(
            faults=dict(fired),
            harm={"doubled": found["doubled"], "stuck": found["stuck"], **_runs(ledger)},
            figures={
                "accepted": len(work.accepted),
                "calls": len(arena.liar.entries),
                "points": len(PASSED),
                "runs": len(_lines(ledger)),
                "why_runs_failed": _why(),
            },
        )


def _until_all_fired(work: Work, size: Size, fired: dict[str, int], until: float, ledger: Path) -> None:
    """Waves of whole lives, and of environments that commands provision."""
    number, count = 0, int(size["environments"])
    while min(fired.values()) < size["each"] and time.monotonic() < until:
        for offset in range(count // 2):
            work.run_commands(f"run-{number + offset}", ledger)
        _whole_lives(work, [f"env-{number + offset}" for offset in range(count)], until)
        number += count


def _whole_lives(work: Work, names: list[str], until: float) -> None:
    """Made, updated, updated and cancelled at another moment each, deleted: a wave at a time."""
    for name in names:
        work.create(name)
    work.wait(until - time.monotonic(), names)
    for name in names:
        work.tried(work.update, name, 2)
    work.wait(until - time.monotonic(), names)
    for number, name in enumerate(names):
        work.tried(work.update, name, 3)
        time.sleep(0.1 * (number % 4))
        work.tried(work.cancel, name)
    work.wait(until - time.monotonic(), names)
    for name in names:
        work.tried(work.delete, name)
    work.wait(until - time.monotonic(), names)


def _lines(ledger: Path) -> list[str]:
    return [path.name.partition(".")[0] for path in ledger.iterdir()]


def _failed() -> Any:
    from portal.models import Environment

    return Environment.objects.filter(name__startswith="run-", deployed__isnull=True, latest__status="FAILED")


def _why() -> list[str]:
    return [f"{name}: {why}" for name, why in _failed().values_list("name", "latest__status_message")[:8]]


def _runs(ledger: Path) -> dict[str, float]:
    """Commands that ran twice for one deployment, and deployments that are called a success without having run."""
    from portal.models import Environment

    ran = Counter(_lines(ledger))
    named = Environment.objects.filter(name__startswith="run-")
    succeeded = set(named.filter(deployed__isnull=False).values_list("name", flat=True))
    return {
        "runs_doubled": sum(count > 1 for count in ran.values()),
        "success_without_run": len(succeeded - set(ran)),
        "runs_failed": _failed().count(),
    }


def poison(arena: Arena, work: Work, size: Size) -> Result:
    """Whoever asks AWS for a poisoned stack dies. Others go on."""
    from portal.actions.runs import MAX_ATTEMPTS
    from portal.models import Deployment

    deaths: dict[str, int] = {}

    def die(action: str, stack: str, call: Call) -> None:
        if "poison" in stack and call.process:
            name = stack.split("-cloudformation-")[0]
            deaths[name] = deaths.get(name, 0) + 1
            arena.kill(call.process)

    arena.liar.before = die
    poisoned = [f"poison-{number}" for number in range(int(size["poisoned"]))]
    others = [f"env-{number}" for number in range(int(size["environments"]))]
    for name in poisoned:
        work.create(name)
    for name in others:
        work.create(name)
        time.sleep(0.1)
    left = work.wait(size["seconds"])
    parked = Deployment.objects.filter(environment_name__in=poisoned, phase="attention").exclude(status_message="")
    arena.liar.before = lambda action, stack, call: None
    spent: list[float] = [
        (row.completed_at - row.created_at).total_seconds()
        for row in Deployment.objects.filter(environment_name__in=others, completed_at__isnull=False)
        if row.completed_at
    ]
    succeeded = Deployment.objects.filter(environment_name__in=others, status="SUCCEEDED").count()
    return Result(
        faults={"deaths": sum(deaths.values())},
        harm={
            "not_parked": len(poisoned) - parked.count(),
            "others_not_deployed": len(others) - succeeded,
            "tried_too_often": sum(count > MAX_ATTEMPTS for count in deaths.values()),
            "stuck": left,
        },
        figures={"attempts": max(deaths.values(), default=0), "others_p95_seconds": percentile(spent, 0.95)},
    )


def _rows() -> list[Row]:
    options: dict[str, Any] = {"workers": 3}
    return [
        Row(
            1,
            "kill -9 of workers in the middle of deployments, and a broker that forgets everything",
            kill,
            ("names", "lease", "poller"),
            small={"environments": 60, "kills": 20, "flushes": 6, "seconds": 150},
            full={"environments": 550, "kills": 200, "flushes": 50, "seconds": 900},
            patience=10,
            arena=options,
        ),
        Row(
            2,
            "replies lost after success",
            lose_replies,
            ("names",),
            small={"environments": 12, "seconds": 60},
            full={"environments": 600, "seconds": 900},
            patience=10,
        ),
        Row(
            3,
            "workers die at each named point of every kind of deployment",
            crash,
            ("names", "lease", "poller"),
            small={"environments": 8, "each": 1, "seconds": 90},
            full={"environments": 12, "each": 20, "seconds": 900},
            patience=25,
            arena={"workers": 3, "lease": 1.5, "settings": {"COMMANDS_WITHOUT_SANDBOX": "true"}},
        ),
        Row(
            4,
            "workers paused beyond their lease",
            pause,
            ("fence", "once"),
            small={"environments": 6, "pauses": 10, "seconds": 45},
            full={"environments": 30, "pauses": 200, "seconds": 900},
            patience=30,
            arena={"workers": 4, "lease": 2.0},
        ),
        Row(
            35,
            "work that kills its worker",
            poison,
            ("parking",),
            small={"poisoned": 1, "environments": 8, "seconds": 45},
            full={"poisoned": 5, "environments": 100, "seconds": 400},
            patience=14,
            arena={"workers": 3, "lease": 1.0},
        ),
    ]


ROWS = _rows()
