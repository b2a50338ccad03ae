"""A row stays ours while we work on it, and no longer."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.actions import claims, environments
from portal.actions.heartbeats import LONGEST, Heartbeat
from portal.models import Deployment
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def claimed(simulated) -> Deployment:
    of = rows.version(rows.template())
    made = environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    row = claims.claim(Deployment, made.latest.pk)
    assert row is not None
    Deployment.objects.filter(pk=row.pk).update(lease_until=timezone.now() + timedelta(seconds=1))
    return row


@pytest.fixture
def heartbeat(claimed, monkeypatch) -> Heartbeat:
    made = Heartbeat()
    monkeypatch.setattr(made, "_forever", lambda: None)
    made.begin(claimed)
    return made


def lease_left(row: Deployment) -> float:
    until = Deployment.objects.get(pk=row.pk).lease_until
    return (until - timezone.now()).total_seconds() if until else 0.0


def test_a_beat_renews_the_lease_of_what_is_worked_on(claimed, heartbeat, settings):
    heartbeat.beat()
    assert lease_left(claimed) > settings.LEASE_SECONDS / 2


def test_a_row_that_is_done_with_is_not_renewed(claimed, heartbeat):
    heartbeat.end(claimed)
    heartbeat.beat()
    assert lease_left(claimed) <= 1


def test_a_late_beat_leaves_a_released_row_free_for_the_next_step(claimed, heartbeat):
    claims.release(Deployment.objects.get(pk=claimed.pk), wait=0)
    heartbeat.beat()
    assert Deployment.objects.get(pk=claimed.pk).lease_until is None


def test_a_row_that_somebody_else_claimed_is_let_go(claimed, heartbeat):
    Deployment.objects.filter(pk=claimed.pk).update(fence=claimed.fence + 1, lease_owner="another")
    before = Deployment.objects.get(pk=claimed.pk).lease_until
    heartbeat.beat()
    assert Deployment.objects.get(pk=claimed.pk).lease_until == before
    assert heartbeat._rows == {}


def test_a_step_that_hangs_is_given_up(claimed, heartbeat):
    for _ in range(LONGEST * 3):
        heartbeat.beat()
    assert heartbeat._rows == {}


def test_only_a_process_told_so_has_crash_points():
    from portal.actions import crashpoints

    assert [crashpoints.crashpoint(name, Deployment()) for name in crashpoints.POINTS] == [None] * len(
        crashpoints.POINTS
    )
    assert crashpoints.crashpoint.__name__ == "crashpoint"
