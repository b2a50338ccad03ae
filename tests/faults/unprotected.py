"""The negative controls: each takes one protection off, so that the harness must find fault with the product.

They reach into the product from outside: nothing in it can be switched off.

    python -m tests.faults.unprotected NAMES MODULE ARGUMENTS...     runs a program without them
"""

import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

NEVER = 10**9


def take_off(names: Iterable[str]) -> None:
    """In this process, before it works. Raises KeyError for a protection that is not known."""
    for name in names:
        PROTECTIONS[name]()


def _names() -> None:
    """Stacks are called something new, and that is kept in the process's memory: nothing is found again."""
    from portal.actions import runs

    real = runs._job
    known: dict[uuid.UUID, uuid.UUID] = {}

    def job(deployment: Any, *, begins: bool = True) -> Any:
        if not deployment.handle:
            known.pop(deployment.pk, None)
        made_up = known.setdefault(deployment.pk, uuid.uuid4())
        return dataclasses.replace(
            real(deployment, begins=begins), name=f"AWSProton-{made_up.hex}", deployment=str(made_up)
        )

    runs._job = job


def _lease() -> None:
    """Whoever hears of a row works on it."""
    from portal.actions import claims

    def claim(model: Any, pk: Any) -> Any:
        return model.objects.filter(pk=pk, due_at__isnull=False).first()

    claims.claim = claim
    _fence()


def _fence() -> None:
    """Whatever a worker found is written, however late."""
    from portal.actions import claims
    from portal.models.fields import at_rest

    def record(row: Any, **fields: Any) -> None:
        type(row).objects.filter(pk=row.pk).update(**at_rest(row, **fields))

    claims.record = record


def _once() -> None:
    """An end that was written before is written again: without outputs, nothing but the fence is in its way."""
    from functools import partialmethod

    from django.db.models import QuerySet

    real = QuerySet.bulk_create
    QuerySet.bulk_create = partialmethod(real, ignore_conflicts=True)  # type: ignore[assignment]


def _poller() -> None:
    """Only messages make workers work, and they are gone once delivered."""
    from portal import poller, tasks
    from portal.celery import app

    poller.start = threading.Event  # type: ignore[assignment]  # nothing is started
    app.conf.update(task_acks_late=False, task_reject_on_worker_lost=False)
    tasks.drive_deployment.acks_late = False


def _throttling() -> None:
    """Being told to slow down counts as a failure."""
    from provisioning.engines import aws_errors

    real = aws_errors.kind

    def kind(error: Any) -> Any:
        found = real(error)
        return "unavailable" if found == "throttled" else found

    aws_errors.kind = kind


def _careful() -> None:
    """A stack that failed is deleted without being asked for."""
    from provisioning.engines.cfn_step import Step

    real = Step.broken

    def broken(self: Any, stack: Any, next_action: str) -> Any:
        self.stacks.delete(stack.id, token="tidy")
        return real(self, stack, next_action)

    Step.broken = broken  # type: ignore[method-assign]


def _parking() -> None:
    """A step that kills workers is tried for ever."""
    from portal.actions import runs

    runs.MAX_ATTEMPTS = NEVER


def _renewals() -> None:
    """A session that expired is renewed for ever."""
    from provisioning.engines import cloudformation

    cloudformation.MAX_RENEWALS = NEVER


def _cancelling() -> None:
    """A cancelled deployment is called so at once, whatever AWS does."""
    from portal.actions import deployments, runs
    from portal.enums import DeploymentStatus
    from provisioning.engines.base import Outcome

    real = runs._step

    def step(deployment: Any) -> None:
        if deployment.status == DeploymentStatus.CANCELLING:
            return deployments.finish(deployment, Outcome("cancelled"))
        return real(deployment)

    runs._step = step


def _clock() -> None:
    """Leases are compared with the worker's own clock."""
    from django.db.models import DateTimeField, Value
    from django.utils import timezone

    from portal.actions import claims

    claims.Now = lambda: Value(timezone.now(), output_field=DateTimeField())  # type: ignore[assignment,misc]


def _reconciler() -> None:
    """After a restore nobody compares, and nothing is held."""
    from portal.actions import reconciliation

    reconciliation.hold_running = lambda: 0
    reconciliation.differences = lambda **options: []


def _additive() -> None:
    """The migration adds what old code does not know how to fill in."""
    _sql("ALTER TABLE portal_deployment ADD COLUMN needed integer NOT NULL DEFAULT 0")
    _sql("ALTER TABLE portal_deployment ALTER COLUMN needed DROP DEFAULT")


def _lock() -> None:
    """Two deployments of one target may run at once."""
    _sql("DROP INDEX IF EXISTS deployment_one_running_per_target")


def _sql(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _external_ids() -> None:
    """Roles of any account are taken, and nobody looks whether they ask for the external id."""
    from portal.actions import connections, places, roles
    from provisioning.engines.trust import Finding

    roles.problems_of = lambda roles, account_id: []
    places.account_of = lambda role_arn: "123456789012"
    connections.connect_test = lambda *args, **more: Finding("safe", ())  # type: ignore[assignment]


def _room() -> None:
    """Whether the database has room is not looked at."""
    from portal.queries import health

    health._has_room = lambda: True


def _target() -> None:
    """The operation that a caller signed is not looked at."""
    from portal.wire import sigv4

    real = sigv4._canonical_value
    signed: dict[str, str] = {}

    def first(name: str, value: str | None) -> str:
        return real(name, signed.setdefault(name, value or "") if name == "x-amz-target" else value)

    sigv4._canonical_value = first


def _shape() -> None:
    """Values of a wrong type get to the operations, and errors repeat what is sensitive."""
    from portal.wire import shapes

    real, must = shapes.problems, shapes._must

    def problems(shape: Any, members: Any) -> list[str]:
        try:
            return real(shape, members)
        except shapes.WrongType:
            return []

    shapes.problems = problems
    shapes.known = lambda shape, members: {name: members[name] for name in shape.members if name in members}
    shapes._must = lambda value, path, constraint, *, sensitive: must(value, path, constraint, sensitive=False)


def _heads() -> None:
    """Nobody asks what the ends of the audit chain were earlier."""
    from portal.queries import audit_chain

    audit_chain._wrong_heads = lambda heads, verdict: None


def _rights() -> None:
    """Everybody who is known may do everything; nobody is asked for a role."""
    from portal.models import User
    from portal.queries import rights

    rights.may_change.__code__ = (lambda user, thing: True).__code__  # whoever imported it has this one too
    User.at_least = lambda self, role: True  # type: ignore[method-assign]


def _recheck() -> None:
    """Whoever had the right once has it for ever."""
    from portal.actions import registrations, runs, service_changes

    runs.lost_right = lambda deployment: ""
    registrations._lost_right = lambda version: []
    service_changes.may_change = lambda user, thing: True


def _discretion() -> None:
    """AWS's client tells the log what it sends, and texts are kept as they come."""
    import logging

    from portal.actions import finishing, runs

    logging.getLogger("botocore").setLevel(logging.DEBUG)
    finishing.mask = runs.mask = lambda text, hidden: text


def _hmac() -> None:
    """Whoever says to be GitHub is believed."""
    from portal.webhooks import github

    github.signed = lambda body, signature, secrets: True


def _inbox() -> None:
    """What was taken before is taken again."""
    from django.db import transaction

    from portal.actions import deliveries, pull_requests

    def take(*, provider: str, repository: str, number: int | None, **rest: Any) -> int:
        with transaction.atomic():
            return pull_requests.hint(provider, repository, number)

    deliveries.take = take


def _names_of_forges() -> None:
    """Whatever somebody calls a server, a repository or a branch is one."""
    from provisioning.forges import names

    for rule in ("base_url", "repository_name", "branch_name", "commit_id", "file_path", "folder_path"):
        setattr(names, rule, str)


def _by_the_row() -> None:
    """What the row itself leaves off: runs of commands are started without it."""


PROTECTIONS: dict[str, Callable[[], None]] = {
    "names": _names,
    "lease": _lease,
    "fence": _fence,
    "once": _once,
    "poller": _poller,
    "throttling": _throttling,
    "careful": _careful,
    "parking": _parking,
    "renewals": _renewals,
    "cancelling": _cancelling,
    "lock": _lock,
    "external_ids": _external_ids,
    "room": _room,
    "clock": _clock,
    "reconciler": _reconciler,
    "additive": _additive,
    "target": _target,
    "shape": _shape,
    "heads": _heads,
    "rights": _rights,
    "recheck": _recheck,
    "discretion": _discretion,
    "hmac": _hmac,
    "inbox": _inbox,
    "names_of_forges": _names_of_forges,
    "sandbox": _by_the_row,
    "masking": _by_the_row,
}
ONCE = {"lock", "additive"}  # taken off in the database, not in every worker
HERE = {"lock", "reconciler", "external_ids"}  # taken off in the process that plays the web server


def main() -> None:
    import runpy
    import sys

    import django

    django.setup()
    _, names, module, *arguments = sys.argv
    take_off(names.split(","))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
