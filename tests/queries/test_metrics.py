"""What Prometheus reads, and what it costs."""

from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from portal.actions import audit, environments, sealing
from portal.models import AuditEvent, Deployment
from portal.queries import metrics
from tests.factories import rows

pytestmark = pytest.mark.django_db


def read() -> dict[str, dict[tuple[str, ...], float]]:
    """{name: {values of the labels, in the order of the labels' names: number}}"""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(metrics.text().decode())
    }


def waiting(name: str = "dev") -> Deployment:
    of = rows.version(rows.template())
    made = environments.create(by=rows.person(), name=name, template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    return made.latest


def test_a_portal_with_nothing_to_do_says_zero():
    found = read()
    assert found["deuteron_oldest_due_seconds"] == {
        ("deployment",): 0,
        ("template_version",): 0,
        ("service_change",): 0,
    }
    assert found["deuteron_failing_accounts"] == {("no_answer",): 0, ("failed",): 0}
    assert (found["deuteron_deployments"], found["deuteron_targets"]) == ({}, {})


def test_the_row_that_waits_longest_is_measured_from_when_it_was_due(simulated):
    due = waiting()
    waiting("second")
    Deployment.objects.filter(pk=due.pk).update(due_at=timezone.now() - timedelta(seconds=100))
    found = read()
    assert 100 <= found["deuteron_oldest_due_seconds"]["deployment",] < 110
    assert found["deuteron_due_rows"]["deployment",] == 2


def test_a_row_that_is_not_due_yet_does_not_wait(simulated):
    Deployment.objects.filter(pk=waiting().pk).update(due_at=timezone.now() + timedelta(seconds=100))
    found = read()
    assert found["deuteron_oldest_due_seconds"]["deployment",] == 0
    assert found["deuteron_due_rows"]["deployment",] == 0


@pytest.mark.parametrize(("ends_in", "claimed", "expired"), [(30, 1, 0), (-1, 0, 1)])
def test_leases_are_held_or_expired(simulated, ends_in, claimed, expired):
    lease = timezone.now() + timedelta(seconds=ends_in)
    Deployment.objects.filter(pk=waiting().pk).update(lease_until=lease, lease_owner="somebody")
    found = read()
    assert found["deuteron_claimed_rows"]["deployment",] == claimed
    assert found["deuteron_expired_leases"]["deployment",] == expired


def test_deployments_are_counted_by_status_and_phase(simulated):
    rows.environment()
    waiting()
    assert read()["deuteron_deployments"] == {("finished", "SUCCEEDED"): 1, ("queued", "IN_PROGRESS"): 1}


def test_accounts_that_do_not_answer_and_that_fail_are_counted_once_each(simulated):
    simulated["fail"] = "The name is taken"
    rows.environment("c")
    assert rows.environment("d").deployment_status == "FAILED"
    Deployment.objects.filter(pk__in=[waiting("a").pk, waiting("b").pk]).update(failures=2)
    assert read()["deuteron_failing_accounts"] == {("no_answer",): 1, ("failed",): 1}


def test_what_runs_is_counted_by_template_and_distance(simulated):
    of = rows.version(rows.template(name="vpc"))
    rows.environment(of=of)
    rows.environment(of=of)
    newer = rows.version(of.template, "1.1")
    rows.environment(of=newer)
    rows.version(of.template, "2.0")
    assert read()["deuteron_targets"] == {("behind_major", "vpc", "ENVIRONMENT"): 3}


@pytest.mark.parametrize("count", [1, 3])
def test_a_scrape_costs_the_same_for_any_number_of_rows(simulated, count, django_assert_num_queries):
    for _ in range(count):
        rows.environment()
    with django_assert_num_queries(14):
        metrics.text()


def test_audit_events_that_wait_to_be_sealed_are_measured():
    assert read()["deuteron_oldest_unsealed_audit_seconds"] == {(): 0}
    for _ in range(2):
        audit.record(by=None, action="test.change", target="thing/1")
    AuditEvent.objects.filter(pk=AuditEvent.objects.last().pk).update(at=timezone.now() - timedelta(seconds=100))
    assert 100 <= read()["deuteron_oldest_unsealed_audit_seconds"][()] < 110
    sealing.seal()
    assert read()["deuteron_oldest_unsealed_audit_seconds"] == {(): 0}
