"""Reports about deployments: taken while one is in progress, refused where they are stale or not anybody's to make."""

import uuid

import pytest
from django.db.models.functions import Now

from portal import access
from portal.actions import notifications, runs
from portal.enums import Role
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import AuditEvent, Deployment, Environment
from provisioning.engines.base import Notified, Outcome
from provisioning.outputs import Output
from tests.factories import rows

pytestmark = pytest.mark.django_db
OUTPUTS = [Output("Id", "1"), Output("Url", "https://x")]


def changed(environment: Environment, **fields) -> Environment:
    Deployment.objects.filter(pk=environment.latest_id).update(**fields)
    return Environment.objects.get(pk=environment.pk)


@pytest.fixture
def running(simulated):
    """An environment whose commands run; nothing drives them here."""
    return changed(rows.environment("dev"), engine="command", status="IN_PROGRESS", phase="applying", due_at=None)


@pytest.fixture
def ended(simulated):
    return changed(rows.environment("dev"), engine="command")


def latest(target) -> Deployment:
    return Deployment.objects.get(pk=target.latest_id)


def test_a_report_is_kept_wakes_the_deployment_and_is_audited(running):
    notifications.notify(by=rows.person(), target=running, status="IN_PROGRESS", message="half", outputs=OUTPUTS)
    found = latest(running)
    assert notifications.of(found) == Notified("IN_PROGRESS", "half", tuple(OUTPUTS))
    assert Deployment.objects.filter(pk=found.pk, due_at__lte=Now()).exists()
    assert runs._job(found).notified == notifications.of(found)
    assert AuditEvent.objects.filter(action="deployment.notify", target=found.arn).count() == 1
    assert [(e.status, e.message) for e in found.events.filter(resource="notification")] == [
        ("NOTIFIED IN_PROGRESS", "half (2 outputs)")
    ]


def test_success_that_is_reported_ends_nothing(running):
    notifications.notify(by=rows.person(), target=running, status="SUCCEEDED")
    assert latest(running).status == "IN_PROGRESS"


def test_a_report_without_outputs_leaves_those_of_an_earlier_one(running):
    by = rows.person()
    notifications.notify(by=by, target=running, outputs=OUTPUTS)
    notifications.notify(by=by, target=running, status="SUCCEEDED")
    assert notifications.of(latest(running)) == Notified("SUCCEEDED", "", tuple(OUTPUTS))
    notifications.notify(by=by, target=running, outputs=OUTPUTS[:1])
    assert notifications.of(latest(running)).outputs == tuple(OUTPUTS[:1])


def test_a_report_does_not_wake_what_waits_for_a_person(running):
    changed(running, phase="attention")
    notifications.notify(by=rows.person(), target=running, outputs=OUTPUTS)
    assert (latest(running).due_at, latest(running).phase) == (None, "attention")


@pytest.mark.parametrize("state", ["running", "ended"])
def test_a_stale_id_is_a_conflict_and_changes_nothing(request, state):
    target = request.getfixturevalue(state)
    with pytest.raises(Conflict):
        notifications.notify(by=rows.person(), target=target, deployment_id=str(uuid.uuid4()), outputs=OUTPUTS)
    assert latest(target).notified_at is None


def test_the_right_id_is_taken(running):
    notifications.notify(by=rows.person(), target=running, deployment_id=str(running.latest_id), status="SUCCEEDED")
    assert latest(running).notified_status == "SUCCEEDED"


@pytest.mark.parametrize(("named", "status"), [(True, ""), (True, "SUCCEEDED"), (True, "IN_PROGRESS"), (False, "")])
def test_what_succeeded_takes_the_outputs_that_are_reported_later(ended, named, status):
    given = {"deployment_id": str(ended.latest_id)} if named else {}
    notifications.notify(by=rows.person(), target=ended, status=status, outputs=OUTPUTS, **given)
    assert {row.key: row.value for row in latest(ended).outputs.all()} == {"Url": "https://x", "Id": "1"}
    assert (latest(ended).status, latest(ended).notified_at) == ("SUCCEEDED", None)


@pytest.mark.parametrize(("named", "status"), [(False, "SUCCEEDED"), (False, "IN_PROGRESS"), (True, "FAILED")])
def test_what_succeeded_takes_no_outputs_that_may_be_of_something_else(ended, named, status):
    given = {"deployment_id": str(ended.latest_id)} if named else {}
    before = list(latest(ended).outputs.values_list("key", "value"))
    with pytest.raises(Conflict, match="ended as SUCCEEDED"):
        notifications.notify(by=rows.person(), target=ended, status=status, outputs=OUTPUTS, **given)
    assert list(latest(ended).outputs.values_list("key", "value")) == before


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_a_status_is_not_taken_after_the_end(ended, status):
    changed(ended, status=status)
    for said in ("IN_PROGRESS", "SUCCEEDED", "FAILED"):
        for given in ({}, {"deployment_id": str(ended.latest_id)}):
            with pytest.raises(Conflict, match=f"ended as {status}"):
                notifications.notify(by=rows.person(), target=ended, status=said, **given)
    assert latest(ended).status == status


def test_success_with_outputs_is_not_said_of_what_was_cancelled(ended):
    changed(ended, status="CANCELLED")
    for status in ("", "SUCCEEDED"):
        with pytest.raises(Conflict):
            notifications.notify(by=rows.person(), target=ended, status=status, outputs=OUTPUTS)
    with pytest.raises(Conflict):
        notifications.notify(by=rows.person(), target=ended, status="SUCCEEDED")


def test_what_failed_has_no_outputs_to_refresh(ended):
    changed(ended, status="FAILED")
    with pytest.raises(Conflict):
        notifications.notify(by=rows.person(), target=ended, deployment_id=str(ended.latest_id), outputs=OUTPUTS)


def test_what_cloudformation_deploys_is_not_reported(running):
    changed(running, engine="cloudformation")
    with pytest.raises(Conflict, match="CloudFormation, which says itself"):
        notifications.notify(by=rows.person(), target=running, status="SUCCEEDED")


@pytest.mark.parametrize(
    ("outputs", "status"),
    [
        ([Output(str(n), "x") for n in range(51)], ""),
        ([Output("", "x")], ""),
        ([Output("x", "")], ""),
        ([Output("x" * 1025, "x")], ""),
        ([Output("x", "x" * 1025)], ""),
        ([Output("x", "1"), Output("x", "2")], ""),
        ([], "DONE"),
    ],
)
def test_outputs_and_statuses_that_there_cannot_be_are_refused(running, outputs, status):
    with pytest.raises(Invalid):
        notifications.notify(by=rows.person(), target=running, outputs=outputs, status=status)
    assert latest(running).notified_at is None


def test_fifty_outputs_and_none_are_taken(running):
    by = rows.person()
    notifications.notify(by=by, target=running, outputs=[Output(str(n), "x" * 1024) for n in range(50)])
    assert len(latest(running).notified_outputs) == 50
    notifications.notify(by=by, target=running, outputs=[])
    assert latest(running).notified_outputs == {}


def test_a_stranger_reports_nothing(running):
    with pytest.raises(Forbidden):
        notifications.notify(by=rows.person(role=Role.DEVELOPER), target=running, status="SUCCEEDED")
    with pytest.raises(Forbidden):
        access.by_arn(rows.person(role=Role.DEVELOPER), running.arn, write=True)


def test_what_is_reported_while_the_end_is_seen_belongs_to_the_outcome(running, monkeypatch):
    """A build reports its outputs right before it ends: the worker that sees the end may have read the row before."""
    seen = []

    class Ends:
        def advance(self, job, handle):
            seen.append(job.notified)
            if len(seen) == 1:
                notifications.notify(by=rows.person(), target=running, outputs=OUTPUTS)
            return Outcome("succeeded", outputs=job.notified.outputs if job.notified else ())

    monkeypatch.setattr(runs.engines, "engine", lambda name: Ends())
    changed(running, due_at=Now())
    runs.drive(running.latest_id)
    assert (seen[0], seen[1].outputs) == (None, tuple(OUTPUTS))
    assert {row.key for row in latest(running).outputs.all()} >= {"Url", "Id"}
