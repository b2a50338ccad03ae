"""Comparing what the rows say with what AWS has, above all after a backup was restored. Changes nothing in AWS."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, When
from django.db.models.functions import Now

from portal import engines
from portal.actions import audit, places
from portal.enums import RUNNING, DeploymentPhase, DeploymentTargetType
from portal.models import Deployment
from portal.queries.deployments import TARGETS
from provisioning.engines.base import EngineUnavailable
from provisioning.engines.base import Target as Place
from provisioning.engines.inventory import FoundStack, tagged_stacks

CLOCKS_DIFFER = 60.0  # seconds between AWS's clock and the database's that mean nothing
HELD = (
    "The portal's data was restored from a backup while this was under way. Compare with the stack in AWS, then decide."
)


@dataclass(frozen=True)
class Difference:
    """``kind``: "under way" (in the rows; it may have ended since), "missing" (deployed, and its stack is gone),
    "changed" (its stack was changed after the last deployment that the rows know), "unknown" (a stack of this portal
    that no row knows), "unreadable" (an account that did not answer)."""

    kind: str
    subject: str  # ARN of the target or of the stack, or an account's number and region
    detail: str

    def __str__(self) -> str:
        return f"{self.kind:<11} {self.subject}\n            {self.detail}"


def differences(*, clock_skew: float = CLOCKS_DIFFER) -> list[Difference]:
    """Everything that differs, sorted. Reads each account and region that was ever deployed to, and writes nothing.

    Where AWS does not say which change set a stack was changed by, times are compared: ``clock_skew`` in seconds.
    """
    deployed = _deployed()
    running = list(Deployment.objects.filter(status__in=RUNNING).order_by("target_arn"))
    found = [
        Difference("under way", row.target_arn, f"{row.kind} {row.pk}, {DeploymentPhase(row.phase).label.lower()}")
        for row in running
    ]
    reached, shut = _places()
    found += [Difference("unreadable", " ".join(where), "its account connection is not in force") for where in shut]
    for place in reached:
        try:
            stacks = tagged_stacks(engines.sessions(), place, settings.PORTAL_ACCOUNT_ID)
        except EngineUnavailable as trouble:
            found.append(Difference("unreadable", f"{place.account_id} {place.region}", str(trouble)))
            continue
        here = {stack.arn: stack for stack in stacks}
        expected = {
            arn: row
            for arn, row in deployed.items()
            if (row.account_id, row.region) == (place.account_id, place.region)
        }
        found += _compare(expected, here, timedelta(seconds=clock_skew))
        found += _unknown(here.values(), set(expected), running)
    return sorted(found, key=lambda difference: (difference.kind, difference.subject))


def _deployed() -> dict[str, Deployment]:
    """The deployment that each target runs on now, by its stack's ARN."""
    ids: set[object] = set()
    for model in TARGETS:
        ids |= set(model.objects.filter(deployed__isnull=False).values_list("deployed_id", flat=True))
    rows = Deployment.objects.filter(pk__in=ids, engine="cloudformation").exclude(identifier="")
    return {row.identifier: row for row in rows}


def _places() -> tuple[list[Place], list[tuple[str, str]]]:
    """Each account and region once, as its latest deployment that still has a way in goes there; and those without.

    A component's role is taken only where there is no other, since it may see less.
    """
    last = Case(When(target_type=DeploymentTargetType.COMPONENT, then=0), default=1)
    rows = list(
        Deployment.objects.filter(engine="cloudformation")
        .order_by(last, "created_at")
        .only("account_id", "region", "role_arn", "external_id", "environment_name", "target_type")
    )
    known = places.of_deployments(rows)
    found = {(row.account_id, row.region): known[row.pk] for row in rows if row.pk in known}
    shut = {(row.account_id, row.region) for row in rows} - set(found)
    return [found[key] for key in sorted(found)], sorted(shut)


def _compare(expected: dict[str, Deployment], here: dict[str, FoundStack], skew: timedelta) -> Iterable[Difference]:
    for arn, row in expected.items():
        stack = here.get(arn)
        if stack is None:
            yield Difference("missing", row.target_arn, f"its stack is gone: {arn}")
        elif stack.deployment:
            if stack.deployment != str(row.pk):
                yield Difference("changed", row.target_arn, f"by deployment {stack.deployment}: {arn}, {stack.status}")
        elif row.completed_at and stack.changed_at > row.completed_at + skew:
            yield Difference("changed", row.target_arn, f"at {stack.changed_at:%Y-%m-%d %H:%M}: {arn}, {stack.status}")


def _unknown(stacks: Iterable[FoundStack], known: set[str], running: list[Deployment]) -> Iterable[Difference]:
    known = known | {row.identifier for row in running}
    names = {row.external_name for row in running}
    for stack in stacks:
        if stack.arn not in known and stack.name not in names:
            tags = stack.tags
            kinds = ("component", "service-instance", "service", "environment")
            whose = next((tags[f"proton:{kind}"] for kind in kinds if tags.get(f"proton:{kind}")), None)
            yield Difference("unknown", stack.arn, f"of {whose or 'nobody'}, {stack.status}")


def hold_running() -> int:
    """Park every deployment that is under way, so that a worker does not go on from where an old backup left it.

    A person decides about each in its page. How many were parked.
    """
    with transaction.atomic():
        count = (
            Deployment.objects.filter(status__in=RUNNING)
            .exclude(phase=DeploymentPhase.ATTENTION)
            .update(
                phase=DeploymentPhase.ATTENTION,
                status_message=HELD,
                doing="Waiting for somebody to decide",
                due_at=None,
                lease_until=None,
                lease_owner="",
                fence=F("fence") + 1,
                last_modified_at=Now(),
            )
        )
        if count:
            audit.record(by=None, action="deployments.hold", target="settings", count=int(count))
    return int(count)
