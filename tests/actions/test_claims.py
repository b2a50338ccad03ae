"""Who works on a row: one at a time, and never with a stale hand."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from portal.actions import claims, environments, runs
from portal.enums import DeploymentPhase, DeploymentStatus
from portal.models import Deployment
from provisioning.engines.base import Outcome
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(simulated) -> Deployment:
    """A deployment that nobody has taken yet."""
    of = rows.version(rows.template())
    made = environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    return made.latest


def test_a_row_that_is_due_is_claimed_once(waiting):
    first = claims.claim(Deployment, waiting.pk)
    assert (first.pk, first.fence, first.attempts) == (waiting.pk, 1, 1)
    assert claims.claim(Deployment, waiting.pk) is None


def test_a_row_that_is_not_due_is_not_claimed(waiting):
    claims.release(claims.claim(Deployment, waiting.pk), wait=60)
    assert claims.claim(Deployment, waiting.pk) is None
    assert claims.due(Deployment, 10) == []


def test_a_row_whose_lease_ended_is_claimed_again_with_a_newer_fence(waiting):
    stale = claims.claim(Deployment, waiting.pk)
    Deployment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claims.claim(Deployment, waiting.pk).fence == stale.fence + 1


def test_the_one_who_lost_the_row_cannot_write_any_more(waiting):
    stale = claims.claim(Deployment, waiting.pk)
    Deployment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.claim(Deployment, waiting.pk)
    with pytest.raises(claims.LostClaim):
        claims.record(stale, doing="too late")
    assert Deployment.objects.get().doing == "Waiting for a worker"


def test_a_stale_worker_finishes_nothing(waiting):
    from portal.actions.finishing import finish

    stale = claims.claim(Deployment, waiting.pk)
    Deployment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.claim(Deployment, waiting.pk)
    with pytest.raises(claims.LostClaim):
        finish(stale, Outcome("succeeded"))
    assert Deployment.objects.get().status == DeploymentStatus.IN_PROGRESS


def test_a_renewed_lease_is_counted_from_now(waiting, settings):
    settings.LEASE_SECONDS = 100
    mine = claims.claim(Deployment, waiting.pk)
    Deployment.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
    claims.still_ours(mine)
    left = Deployment.objects.get().lease_until - timezone.now()
    assert 90 < left.total_seconds() <= 101


def test_rows_that_wait_longest_are_driven_first(waiting, simulated):
    of = waiting.version
    other = environments.create(
        by=rows.person(), name="second", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1
    )
    Deployment.objects.filter(pk=other.latest.pk).update(due_at=timezone.now() - timedelta(hours=1))
    assert claims.due(Deployment, 10) == [other.latest.pk, waiting.pk]


def test_what_a_dead_worker_left_comes_before_what_waits_longer(waiting):
    other = environments.create(
        by=rows.person(), name="other", template=waiting.version.template, spec=rows.ENVIRONMENT_SPEC, major=1
    )
    assert claims.claim(Deployment, other.latest.pk)
    Deployment.objects.filter(pk=other.latest.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claims.due(Deployment, 10) == [other.latest.pk, waiting.pk]


def test_a_step_that_kills_every_worker_is_parked_and_asks_for_a_person(waiting):
    Deployment.objects.update(attempts=runs.MAX_ATTEMPTS)
    runs.drive(waiting.pk)
    parked = Deployment.objects.get()
    assert (parked.status, parked.phase, parked.due_at) == (
        DeploymentStatus.IN_PROGRESS,
        DeploymentPhase.ATTENTION,
        None,
    )
    assert parked.status_message == "8 workers in a row did not survive this step."


def test_a_process_works_on_one_row_at_a_time_that_may_be_what_kills_workers(waiting):
    other = environments.create(
        by=rows.person(),
        name="other",
        template=waiting.version.template,
        spec=rows.ENVIRONMENT_SPEC,
        major=1,
    )
    Deployment.objects.update(attempts=claims.SUSPICIOUS - 1)
    suspect = claims.claim(Deployment, waiting.pk)
    with claims.apart(suspect) as may_go:
        assert may_go
        runs.drive(other.latest.pk)
    put_back = Deployment.objects.get(pk=other.latest.pk)
    assert (put_back.phase, put_back.attempts, put_back.lease_owner) == ("queued", claims.SUSPICIOUS - 1, "")
    assert put_back.due_at > timezone.now()
    Deployment.objects.filter(pk=other.latest.pk).update(due_at=timezone.now())
    runs.drive(other.latest.pk)
    assert Deployment.objects.get(pk=other.latest.pk).status == DeploymentStatus.SUCCEEDED


def drive_in_a_thread(pk) -> None:
    try:
        runs.drive(pk)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_many_threads_drive_one_deployment_and_it_ends_once(simulated, settings):
    of = rows.version(rows.template())
    made = environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    threads = [threading.Thread(target=drive_in_a_thread, args=(made.latest.pk,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(Deployment.objects.values_list("status", flat=True)) == [DeploymentStatus.SUCCEEDED]
