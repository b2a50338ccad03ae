"""Driving a deployment: what is written at each step, and what becomes of trouble."""

import pytest

from portal.actions import deployments, environments, runs
from portal.enums import DeploymentPhase, DeploymentStatus
from portal.errors import Conflict, Invalid
from portal.models import Deployment, Environment
from tests.factories import rows

pytestmark = pytest.mark.django_db


def begin(spec: str = rows.ENVIRONMENT_SPEC, code: str = rows.ENVIRONMENT_TEMPLATE) -> Deployment:
    of = rows.version(rows.template(), files=rows.environment_files(code=code))
    environments.create(by=rows.person(), name="dev", template=of.template, spec=spec, major=1)
    return Deployment.objects.get()


def ended(deployment: Deployment) -> Deployment:
    runs.drive(deployment.pk)
    return Deployment.objects.get(pk=deployment.pk)


def test_the_intent_is_written_before_the_first_call(simulated, monkeypatch):
    from portal import engines

    deployment = begin()
    seen = []

    class Looking:
        def advance(self, job, handle):
            row = Deployment.objects.get(pk=deployment.pk)
            seen.append((row.intent_at is not None, row.external_name == job.name, row.rendered != {}))
            raise SystemExit

    monkeypatch.setattr(engines, "engine", lambda name: Looking())
    with pytest.raises(SystemExit):
        runs.drive(deployment.pk)
    assert seen == [(True, True, True)]


def test_a_template_that_prints_an_unknown_name_fails_with_file_and_line(simulated):
    found = ended(begin(code="Resources:\n  A:\n    Type: '{{ nope }}'\n"))
    assert found.status == DeploymentStatus.FAILED
    assert found.status_message.splitlines()[1].startswith("infrastructure/cloudformation.yaml:3: ")


def test_an_input_that_would_change_the_structure_is_refused_and_named(simulated):
    code = (
        "Resources:\n  A:\n    Type: AWS::SQS::Queue\n"
        "    Properties: {QueueName: {{ environment.inputs.cluster_name }}}\n"
    )
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: 'a, Tags: [x'}\n"
    found = ended(begin(spec, code))
    assert found.status == DeploymentStatus.FAILED
    assert "cluster_name" in found.status_message


def test_an_engine_that_does_not_answer_is_asked_again_later_and_at_last_a_person(simulated, settings):
    settings.MAX_STEP_FAILURES = 2
    simulated["unavailable_until"] = 10**11
    found = ended(begin())
    assert (found.phase, found.failures) == (DeploymentPhase.APPLYING, 1)
    assert found.doing.startswith("AWS does not answer, trying again (1 of 2)")
    Deployment.objects.update(due_at="2000-01-01T00:00Z")
    found = ended(found)
    assert (found.phase, found.status) == (DeploymentPhase.ATTENTION, DeploymentStatus.IN_PROGRESS)


def test_an_unclear_outcome_holds_the_lock_until_a_person_decides(simulated):
    simulated["unclear"] = "the stack is not ours"
    found = ended(begin())
    assert (found.phase, found.status_message) == (DeploymentPhase.ATTENTION, "the stack is not ours")
    environment = Environment.objects.get()
    with pytest.raises(Conflict):
        environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION")
    with pytest.raises(Invalid):
        deployments.resolve_attention(by=rows.person(), deployment=found, decision="fail", reason=" ")
    deployments.resolve_attention(by=rows.person("ada"), deployment=found, decision="fail", reason="looked at it")
    found.refresh_from_db()
    assert (found.status, found.status_message) == (DeploymentStatus.FAILED, "Ended by ada: looked at it")


def test_a_person_can_let_an_unclear_deployment_go_on(simulated):
    simulated["unclear"] = "the stack is not ours"
    found = ended(begin())
    del simulated["unclear"]
    deployments.resolve_attention(by=rows.person(), deployment=found, decision="resume", reason="mended by hand")
    assert ended(found).status == DeploymentStatus.SUCCEEDED


def test_events_that_are_seen_twice_are_recorded_once(simulated):
    found = ended(begin())
    events = list(found.events.values_list("status", flat=True))
    assert events == ["APPLY_IN_PROGRESS", "APPLY_COMPLETE"]


def test_an_update_that_changes_nothing_says_so(simulated):
    found = ended(begin())
    environments.update(by=rows.person(), environment=Environment.objects.get(), deployment_type="CURRENT_VERSION")
    again = ended(Deployment.objects.latest("created_at"))
    assert (found.status, again.status, again.doing) == ("SUCCEEDED", "SUCCEEDED", "Nothing had to change")


def test_only_the_last_unsuccessful_deployment_can_be_retried(simulated):
    found = ended(begin())
    with pytest.raises(Conflict, match="there is nothing to retry"):
        deployments.retry(by=rows.person(), deployment=found)


def test_a_retry_is_a_new_row_with_the_same_spec_and_version(simulated):
    simulated["fail"] = "no capacity"
    failed = ended(begin())
    del simulated["fail"]
    again = deployments.retry(by=rows.person(), deployment=failed)
    assert (again.retry_of, again.spec, again.version, again.allow_replace_empty) == (
        failed,
        failed.spec,
        failed.version,
        True,
    )
    assert ended(again).status == DeploymentStatus.SUCCEEDED


def test_a_cancel_before_anything_was_called_ends_at_once(simulated):
    ended(begin())
    environment = Environment.objects.get()
    environments.update(by=rows.person(), environment=environment, deployment_type="CURRENT_VERSION")
    environment.refresh_from_db()
    deployment = deployments.cancel(by=rows.person(), target=environment)
    assert ended(deployment).status == DeploymentStatus.CANCELLED
