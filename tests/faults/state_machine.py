"""Every order in which requests, steps, faults and other workers can come, drawn by Hypothesis, in one process.

The product's own actions and steps, a real database, and an AWS of dictionaries. A worker is a claimed row in a hand:
it may go on, be paused while its lease ends and others work, or be killed. After each run everything is mended and
driven to its end; then the invariants I1 to I6 must hold.
"""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.faults.invariants import violations
from tests.faults.small_aws import SmallAws, SmallSessions
from tests.faults.work import Work

NAMES = st.sampled_from(["one", "two"])
POINTS = (
    "after_intent",
    "before_call",
    "after_call_before_commit",
    "before_commit_of_progress",
    "before_commit_of_end",
)
MOST_ROUNDS = 150  # until everything is quiet


class Killed(BaseException):
    """The worker is gone, with all that it had in its memory."""


class World:
    """What outlives single runs in this process; ``fresh`` begins one."""

    def __init__(self) -> None:
        from portal import engines, nudges
        from portal.actions import crashpoints, finishing, runs
        from provisioning.engines.registry import Engines

        self.work = Work()
        self.aws = SmallAws()
        self.point = ""
        self.made: Callable[[], Engines] = lambda: Engines(SmallSessions(self.aws))  # type: ignore[arg-type]
        self.engines = self.made()
        engines._engines = lambda: self.engines  # type: ignore[assignment]
        nudges._quiet_until = float("inf")  # there is nobody to be told
        for module in (crashpoints, finishing, runs):
            module.crashpoint = self._crashpoint  # type: ignore[attr-defined]

    def _crashpoint(self, name: str, *_: Any) -> None:
        if self.point == name:
            self.point = ""
            raise Killed

    def fresh(self) -> None:
        """Empty tables, but for people and templates."""
        from django.apps import apps
        from django.db import connection

        kept = ("user", "team", "template", "bundle", "compatible")
        models = apps.get_app_config("portal").get_models(include_auto_created=True)
        tables = [one._meta.db_table for one in models if not one._meta.model_name.startswith(kept)]
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA foreign_keys=OFF")
                for table in tables:
                    cursor.execute(f"DELETE FROM {table}")
                cursor.execute("PRAGMA foreign_keys=ON")
            else:
                cursor.execute(f"TRUNCATE {', '.join(tables)}")
        self.aws, self.point = SmallAws(), ""
        self.engines = self.made()
        self.work.accepted.clear()

    def judged(self) -> SimpleNamespace:
        """In the place of an Arena."""
        return SimpleNamespace(liar=self.aws, seen=self.aws.seen)


_world: list[World] = []


def the_world() -> World:
    if not _world:
        _world.append(World())
    return _world[0]


class Machine(RuleBasedStateMachine):
    steps = 0  # of all runs

    def __init__(self) -> None:
        super().__init__()
        self.world = the_world()
        self.world.fresh()
        self.hands: list[Any] = []
        self.revision = 1
        for name in ("one", "two"):  # so that there is something to do from the beginning
            self.create(name)

    # People

    def _tried(self, act: Callable[..., Any], *arguments: Any) -> None:
        Machine.steps += 1
        self.world.work.tried(act, *arguments)

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        from portal.models import Environment

        if not Environment.objects.filter(name=name).exists():
            self.revision += 1
            self._tried(self.world.work.create, name, self.revision)

    @rule(name=NAMES)
    def update(self, name: str) -> None:
        self.revision += 1
        self._on(name, lambda: self.world.work.update(name, self.revision))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self._on(name, lambda: self.world.work.delete(name))

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        self._on(name, lambda: self.world.work.cancel(name))

    @rule(name=NAMES)
    def retry(self, name: str) -> None:
        self._on(name, lambda: self.world.work.retry(name))

    def _on(self, name: str, act: Callable[[], Any]) -> None:
        from portal.models import Environment

        if Environment.objects.filter(name=name).exists():
            self._tried(act)

    @rule(decision=st.sampled_from(["resume", "fail"]))
    def decide(self, decision: str) -> None:
        from portal.actions import deployments
        from portal.models import Deployment

        waiting = Deployment.objects.filter(phase="attention").order_by("created_at").first()
        if waiting is not None:
            admin = self.world.work.admin
            self._tried(
                lambda: deployments.resolve_attention(by=admin, deployment=waiting, decision=decision, reason="looked")
            )

    # Workers

    def _due(self) -> None:
        from django.db.models.functions import Now

        from portal.models import Deployment

        Deployment.objects.filter(due_at__gt=Now()).update(due_at=Now() - timedelta(seconds=1))

    def _claimed(self, name: str) -> Any:
        from portal.actions import claims
        from portal.models import Deployment

        self._due()
        row = Deployment.objects.filter(environment_name=name, due_at__isnull=False).order_by("-created_at").first()
        return claims.claim(Deployment, row.pk) if row is not None else None

    def _do(self, row: Any) -> None:
        """One step of a claimed row, as far as it goes."""
        from portal.actions import claims, runs

        Machine.steps += 1
        try:
            runs._step(row)
        except (claims.LostClaim, Killed):
            return

    @rule(name=NAMES)
    def goes_well(self, name: str) -> None:
        """Until it waits no more for anything but people."""
        for _ in range(6):
            self.step(name, 1)
            self.world.aws.tick()

    @rule(name=NAMES, times=st.integers(1, 6))
    def step(self, name: str, times: int) -> None:
        for _ in range(times):
            row = self._claimed(name)
            if row is not None:
                self._do(row)

    @rule(name=NAMES)
    def claim(self, name: str) -> None:
        """A worker has it, and is paused before it does anything."""
        row = self._claimed(name)
        if row is not None:
            self.hands.append(row)

    @rule()
    def lease_ends(self) -> None:
        from django.db.models.functions import Now

        from portal.models import Deployment

        Deployment.objects.filter(lease_until__isnull=False).update(lease_until=Now() - timedelta(seconds=1))

    @rule(which=st.integers(0, 3))
    def wakes_up(self, which: int) -> None:
        if which < len(self.hands):
            self._do(self.hands.pop(which))

    @rule(which=st.integers(0, 3))
    def is_killed(self, which: int) -> None:
        if which < len(self.hands):
            self.hands.pop(which)

    @rule(name=NAMES, first=st.integers(1, 6))
    def overtaken(self, name: str, first: int) -> None:
        """Paused before a step, beyond its lease, until another worker has brought the deployment to its end."""
        self.revision += 1
        self._on(name, lambda: self.world.work.update(name, self.revision))
        self.step(name, first)
        row = self._claimed(name)
        self.lease_ends()
        self.goes_well(name)
        if row is not None:
            self._do(row)

    @rule(name=NAMES, when=st.sampled_from(["before", "after"]), others=st.integers(1, 4))
    def step_while_others_work(self, name: str, when: str, others: int) -> None:
        """Paused in the middle of a call, beyond its lease, while another worker takes steps of the same row."""

        def meanwhile() -> None:
            self.lease_ends()
            for _ in range(others):
                self.world.aws.tick()
                row = self._claimed(name)
                if row is not None:
                    self._do(row)

        setattr(self.world.aws, when, meanwhile)
        self.step(name, 1)
        setattr(self.world.aws, when, lambda: None)

    # Faults

    @rule(name=NAMES, fate=st.sampled_from(["drop", "lose", "throttle"]))
    def step_with_a_fault(self, name: str, fate: str) -> None:
        self.world.aws.fate = fate
        self.step(name, 1)
        self.world.aws.fate = ""

    @rule(name=NAMES, point=st.sampled_from(POINTS))
    def step_and_die(self, name: str, point: str) -> None:
        self.world.point = point
        self.step(name, 1)
        self.world.point = ""
        self.lease_ends()

    @rule(kind=st.sampled_from(["create", "update", "delete"]))
    def will_fail(self, kind: str) -> None:
        self.world.aws.fails = kind

    @rule()
    def time_passes(self) -> None:
        self.world.aws.tick()

    # The end

    def teardown(self) -> None:
        from portal.models import Deployment

        for row in self.hands:  # those who were paused wake up last of all, or are dead
            self.lease_ends()
            for name in ("one", "two"):
                self.step(name, 1)
            self._do(row)
        for _ in range(MOST_ROUNDS):
            if not Deployment.objects.filter(due_at__isnull=False).exists():
                break
            self.lease_ends()
            self.world.aws.tick()
            for name in ("one", "two"):
                self.step(name, 1)
        found = violations(self.world.judged(), self.world.work)
        assert found == [], "\n".join(found)
