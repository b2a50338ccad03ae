"""What every engine promises, tried on each of them. CloudFormation runs against the embedded AWS, adapter included."""

import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest

from provisioning.engines.base import Engine, Event, Job, Outcome, PlannedChange, Progress, Target, Unclear
from provisioning.engines.cloudformation import CloudFormationEngine
from provisioning.engines.memory import MemoryEngine
from provisioning.engines.names import change_set_name, stack_name
from provisioning.engines.session import Sessions
from provisioning.outputs import Output
from tests.aws import EmbeddedAws

MOST_STEPS = 60


@dataclass
class Bench:
    """One engine with a target of its own, and what the other side says about the calls that it received."""

    engine: Engine
    target: Target
    template: Callable[[int], str]
    settings: Callable[[int], dict[str, Any]]
    broken: Callable[[Job], Job]
    sleep: Callable[[float], None]
    ledger: list[str] = field(default_factory=list)  # mutating calls, as they were sent
    stacks: Callable[[], int] = lambda: 0

    def job(self, version: int = 1, *, intent: Any = "apply", name: str = "web", identifier: str = "") -> Job:
        return Job(
            deployment=str(uuid.uuid4()),
            intent=intent,
            name=stack_name(name, "cloudformation", name),
            target=self.target,
            template=self.template(version) if intent == "apply" else "",
            tags={"proton:environment": f"arn:aws:proton:us-east-1:{self.target.account_id}:environment/{name}"},
            identifier=identifier,
            settings=self.settings(version),
        )

    def step(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        before = len(self.ledger)
        result = self.engine.advance(job, handle)
        assert len(self.ledger) - before <= 1, self.ledger[before:]
        return result

    def finish(self, job: Job, handle: str | None = None, *, twice: bool = False) -> Outcome:
        """Drives a job to its end. ``twice``: every answer is lost once, and asked for again with the old handle."""
        for _ in range(MOST_STEPS):
            result = self.step(job, handle)
            if twice:
                result = self.step(job, handle)
            if isinstance(result, Outcome):
                return result
            assert isinstance(result, Progress), result
            handle = result.handle
            self.sleep(result.wait)
        raise AssertionError(f"no end after {MOST_STEPS} steps: {result}")

    def began(self, handle: str) -> bool:
        """Whether the other side carries the deployment out already."""
        known = json.loads(handle or "{}")
        return "started" in known or known.get("phase") == "executing"

    def made(self, version: int = 1, name: str = "web") -> Outcome:
        outcome = self.finish(self.job(version, name=name))
        assert outcome.status == "succeeded", outcome
        return outcome


def template(version: int) -> str:
    return json.dumps(
        {
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": str(30 + version)}},
                "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
            },
            "Outputs": {
                "Version": {"Value": f"v{version}", "Description": "What runs"},
                "Arn": {"Value": {"Fn::GetAtt": "Queue.Arn"}},
            },
        }
    )


@pytest.fixture
def memory() -> Bench:
    now = itertools.count()
    clock = [float(next(now))]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    return Bench(
        engine=MemoryEngine(lambda: clock[0]),
        target=Target("111111111111", "us-east-1"),
        template=template,
        settings=lambda version: {"seconds": 2, "outputs": {"Version": f"v{version}", "Arn": "arn:memory"}},
        broken=lambda job: replace(job, settings={**job.settings, "fail": "Thing already exists"}),
        sleep=sleep,
    )


@pytest.fixture
def cloudformation(aws: EmbeddedAws, aws_account: str) -> Bench:
    sessions = Sessions(account_keys=True)
    target = Target(aws_account, "us-east-1")
    ledger: list[str] = []

    def note(model: Any, **_: Any) -> None:
        if not model.name.startswith(("Describe", "List", "Get")):
            ledger.append(model.name)

    for mutating in (True, False):
        client = sessions.client("cloudformation", target, mutating=mutating)
        client.meta.events.register("before-call.cloudformation", note)
    boto3.client("s3", **keys(aws_account)).create_bucket(Bucket=f"taken-{aws_account}")

    def broken(job: Job) -> Job:
        wanted = json.loads(job.template)
        wanted["Resources"]["Bucket"] = {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": f"taken-{aws_account}"},
            "DependsOn": "Queue",
        }
        return replace(job, template=json.dumps(wanted))

    return Bench(
        engine=CloudFormationEngine(sessions),
        target=target,
        template=template,
        settings=lambda version: {},
        broken=broken,
        sleep=lambda seconds: time.sleep(min(seconds, 0.03)),
        ledger=ledger,
        stacks=lambda: len(boto3.client("cloudformation", **keys(aws_account)).describe_stacks()["Stacks"]),
    )


@pytest.fixture
def own(aws_account: str) -> Callable[[str], Any]:
    """Clients of the account that the test has to itself."""
    make: Any = boto3.client
    return lambda service: make(service, **keys(aws_account))


def keys(account: str) -> dict[str, Any]:
    return {"region_name": "us-east-1", "aws_access_key_id": account, "aws_secret_access_key": "embedded"}


@pytest.fixture(params=["memory", "cloudformation"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


def values(outcome: Outcome) -> dict[str, str]:
    return {output.key: output.value for output in outcome.outputs}


def test_a_first_deployment_succeeds_with_outputs_and_one_resource(bench: Bench) -> None:
    job = bench.job(1)
    outcome = bench.finish(job)
    assert (outcome.status, outcome.reason, outcome.unchanged) == ("succeeded", "", False)
    assert values(outcome)["Version"] == "v1"
    assert set(values(outcome)) == {"Version", "Arn"}
    assert [(made.name, made.engine) for made in outcome.resources] == [(job.name, "CLOUDFORMATION")]


def test_events_tell_what_happened_once_each(bench: Bench) -> None:
    job, handle = bench.job(1), None
    events: list[Event] = []
    while isinstance(result := bench.step(job, handle), Progress):
        handle = result.handle
        events += result.events
        bench.sleep(result.wait)
    events += result.events
    assert len({event.id for event in events}) == len(events) > 0
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert [event for event in events if event.failed] == []


def test_a_lost_answer_is_found_again_and_nothing_is_made_twice(bench: Bench) -> None:
    outcome = bench.finish(bench.job(1), twice=True)
    assert outcome.status == "succeeded"
    assert values(outcome)["Version"] == "v1"


def test_an_update_changes_the_outputs_and_keeps_the_name(bench: Bench) -> None:
    first = bench.made(1)
    second = bench.finish(bench.job(2, identifier=first.resources[0].identifier), twice=True)
    assert (second.status, values(second)["Version"], second.unchanged) == ("succeeded", "v2", False)
    assert second.resources[0].name == first.resources[0].name


def test_an_update_that_changes_nothing_is_recognised(bench: Bench) -> None:
    first = bench.made(1)
    again = bench.finish(bench.job(1, identifier=first.resources[0].identifier))
    assert (again.status, again.unchanged) == ("succeeded", True)
    assert (again.outputs, again.resources) == (first.outputs, first.resources)


def test_a_first_deployment_that_fails_says_why_and_a_retry_succeeds(bench: Bench) -> None:
    failed = bench.finish(bench.broken(bench.job(1)))
    assert (failed.status, failed.next_action) == ("failed", "retry")
    assert "already exists" in failed.reason
    assert [event.failed for event in failed.events if "already exists" in event.message] == [True]
    retried = bench.finish(replace(bench.job(1), allow_replace_empty=True), twice=True)
    assert (retried.status, values(retried)["Version"]) == ("succeeded", "v1")


def test_an_update_that_fails_leaves_what_was_there(bench: Bench) -> None:
    first = bench.made(1)
    identifier = first.resources[0].identifier
    failed = bench.finish(bench.broken(bench.job(2, identifier=identifier)))
    assert (failed.status, failed.next_action) == ("failed", "retry")
    assert "already exists" in failed.reason
    again = bench.finish(bench.job(1, identifier=identifier))
    assert (again.status, values(again)["Version"]) == ("succeeded", "v1")


def test_what_was_made_is_removed(bench: Bench) -> None:
    identifier = bench.made(1).resources[0].identifier
    assert bench.finish(bench.job(intent="remove", identifier=identifier), twice=True).status == "succeeded"
    assert bench.stacks() == 0


def test_removing_what_is_not_there_succeeds(bench: Bench) -> None:
    assert bench.finish(bench.job(intent="remove")).status == "succeeded"
    assert bench.ledger == []


def test_cancelling_before_anything_began_changes_nothing(bench: Bench) -> None:
    assert bench.finish(bench.job(intent="cancel")).status == "cancelled"
    assert bench.ledger == []


def test_cancelling_a_deployment_that_has_begun_leaves_nothing(bench: Bench) -> None:
    job = bench.job(1)
    begun = bench.step(job, None)
    assert isinstance(begun, Progress)
    assert bench.finish(replace(job, intent="cancel"), begun.handle, twice=True).status == "cancelled"
    assert bench.stacks() == 0


def test_cancelling_after_the_end_tells_how_it_ended(bench: Bench) -> None:
    job, handle = bench.job(1), None
    while isinstance(result := bench.step(job, handle), Progress):
        handle = result.handle
        bench.sleep(result.wait)
    late = bench.finish(replace(job, intent="cancel"), handle)
    assert (late.status, values(late)["Version"]) == ("succeeded", "v1")


@pytest.mark.parametrize("intent", ["cancel", "remove"])
def test_a_job_that_may_begin_nothing_begins_nothing(bench: Bench, intent: Any) -> None:
    made = bench.made(1).resources[0].identifier
    before = bench.stacks()
    bench.ledger.clear()
    job = replace(bench.job(2, intent=intent, identifier=made), begins=False)
    assert bench.finish(job).status == "cancelled"
    assert (bench.ledger, bench.stacks()) == ([], before)


def test_a_job_that_may_begin_nothing_tidies_up_what_was_not_executed(bench: Bench) -> None:
    job = bench.job(1)
    begun = bench.step(job, None)
    assert isinstance(begun, Progress)
    ended = bench.finish(replace(job, intent="cancel", begins=False), begun.handle)
    executed = bench.began(begun.handle)
    assert (ended.status, bench.stacks()) == ("succeeded" if executed else "cancelled", 0)


def test_what_is_under_way_is_followed_to_its_end_by_a_job_that_may_begin_nothing(bench: Bench) -> None:
    made = bench.made(1).resources[0].identifier
    job, handle = bench.job(2, identifier=made), ""
    while not bench.began(handle):
        result = bench.step(job, handle)
        assert isinstance(result, Progress)
        handle = result.handle
        bench.sleep(result.wait)
    bench.ledger.clear()
    ended = bench.finish(replace(job, intent="cancel", begins=False), handle)
    assert (ended.status, values(ended)["Version"], bench.ledger) == ("succeeded", "v2", [])


def test_a_removal_under_way_is_followed_to_its_end_by_a_job_that_may_begin_nothing(bench: Bench) -> None:
    identifier = bench.made(1).resources[0].identifier
    job = bench.job(intent="remove", identifier=identifier)
    begun = bench.step(job, None)
    assert isinstance(begun, Progress)
    assert bench.finish(replace(job, begins=False), begun.handle).status == "succeeded"
    assert bench.stacks() == 0


def test_a_preview_shows_additions_then_changes_then_nothing(bench: Bench) -> None:
    first = bench.engine.preview(bench.job(1))
    assert {change.action for change in first.changes} == {"Add"}
    identifier = bench.made(1).resources[0].identifier
    bench.ledger.clear()
    changed = bench.engine.preview(bench.job(2, identifier=identifier))
    assert ([change.action for change in changed.changes], changed.error) == (["Modify"], "")
    same = bench.engine.preview(bench.job(1, identifier=identifier))
    assert (same.changes, same.error) == ((), "")


def test_a_preview_leaves_no_change_set(cloudformation: Bench) -> None:
    identifier = cloudformation.made(1).resources[0].identifier
    cloudformation.ledger.clear()
    plan = cloudformation.engine.preview(cloudformation.job(2, identifier=identifier))
    assert plan.changes == (
        PlannedChange("Queue", "AWS::SQS::Queue", "Modify", "False", "Properties.VisibilityTimeout"),
    )
    assert cloudformation.ledger == ["CreateChangeSet", "DeleteChangeSet"]


def test_every_answer_lost_still_ends_with_one_stack(cloudformation: Bench) -> None:
    for version in (1, 2):
        job = cloudformation.job(version)
        for _ in range(MOST_STEPS):
            result = cloudformation.step(job, None)
            if isinstance(result, Outcome):
                break
            time.sleep(0.02)
        assert isinstance(result, Outcome)
        assert (result.status, values(result)["Version"], cloudformation.stacks()) == ("succeeded", f"v{version}", 1)
    assert cloudformation.ledger == ["CreateChangeSet", "ExecuteChangeSet"] * 2


def test_outputs_carry_their_descriptions_and_the_resource_its_arn(cloudformation: Bench) -> None:
    outcome = cloudformation.made(1)
    assert Output("Version", "v1", "What runs") in outcome.outputs
    assert outcome.resources[0].identifier.startswith(
        f"arn:aws:cloudformation:us-east-1:{cloudformation.target.account_id}:stack/{outcome.resources[0].name}/"
    )


def test_a_stack_keeps_the_tag_of_the_deployment_that_made_it(cloudformation: Bench, own: Callable[[str], Any]) -> None:
    first = cloudformation.job(1)
    identifier = cloudformation.finish(first).resources[0].identifier
    cloudformation.finish(cloudformation.job(2, identifier=identifier))
    found = own("cloudformation").describe_stacks(StackName=identifier)["Stacks"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags == {**first.tags, "deuteron:deployment": first.deployment}


def test_a_stack_of_somebody_else_is_not_touched(cloudformation: Bench, own: Callable[[str], Any]) -> None:
    job = cloudformation.job(1)
    own("cloudformation").create_stack(StackName=job.name, TemplateBody=template(9))
    outcome = cloudformation.finish(job)
    assert (outcome.status, outcome.next_action) == ("failed", "retry")
    assert "was not made for this target" in outcome.reason
    removal = cloudformation.finish(cloudformation.job(intent="remove"))
    assert removal.status == "failed"
    assert "was not made for this target" in cloudformation.engine.preview(job).error
    assert cloudformation.ledger == []


def test_a_stack_that_aws_proton_made_for_the_same_target_is_adopted(
    cloudformation: Bench, own: Callable[[str], Any]
) -> None:
    job = cloudformation.job(2)
    tags = [{"Key": key, "Value": value} for key, value in job.tags.items()]
    own("cloudformation").create_stack(StackName=job.name, TemplateBody=template(1), Tags=tags)
    outcome = cloudformation.finish(job)
    assert (outcome.status, values(outcome)["Version"]) == ("succeeded", "v2")


def test_without_a_retry_the_stack_of_a_failed_first_deployment_stays(cloudformation: Bench) -> None:
    cloudformation.finish(cloudformation.broken(cloudformation.job(1)))
    cloudformation.ledger.clear()
    outcome = cloudformation.finish(cloudformation.job(1))
    assert (outcome.status, outcome.next_action) == ("failed", "retry")
    assert "Retry deletes this empty stack first" in outcome.reason
    assert cloudformation.ledger == []


def test_a_stack_that_was_deleted_by_hand_is_made_again(cloudformation: Bench) -> None:
    identifier = cloudformation.made(1).resources[0].identifier
    cloudformation.finish(cloudformation.job(intent="remove", identifier=identifier))
    outcome = cloudformation.finish(cloudformation.job(2, identifier=identifier))
    assert (outcome.status, values(outcome)["Version"]) == ("succeeded", "v2")
    assert outcome.resources[0].identifier != identifier


def test_removing_by_arn_spares_a_later_stack_of_the_same_name(cloudformation: Bench) -> None:
    first = cloudformation.made(1).resources[0].identifier
    cloudformation.finish(cloudformation.job(intent="remove", identifier=first))
    cloudformation.made(2)
    assert cloudformation.finish(cloudformation.job(intent="remove", identifier=first)).status == "succeeded"
    assert cloudformation.stacks() == 1


def test_a_template_that_cloudformation_refuses_fails_and_leaves_nothing(cloudformation: Bench) -> None:
    job = replace(cloudformation.job(1), template='{"Resources": {"X": {"Type": "AWS::Nothing::AtAll"}}}')
    outcome = cloudformation.finish(job)
    assert outcome.status == "failed"
    assert "AWS::Nothing::AtAll" in outcome.reason
    assert cloudformation.stacks() == 0


def test_a_change_set_is_named_after_its_deployment(cloudformation: Bench, own: Callable[[str], Any]) -> None:
    job = cloudformation.job(1)
    cloudformation.step(job, None)
    names = [
        found["ChangeSetName"] for found in own("cloudformation").list_change_sets(StackName=job.name)["Summaries"]
    ]
    assert names == [change_set_name(job.deployment)]


def test_a_long_template_goes_through_the_bucket(cloudformation: Bench, own: Callable[[str], Any]) -> None:
    wanted = json.loads(template(1))
    wanted["Metadata"] = {"Long": ["x" * 100 for _ in range(1000)]}
    job = replace(cloudformation.job(1), template=json.dumps(wanted))
    refused = cloudformation.finish(job)
    assert refused.status == "failed"
    assert "no bucket for templates is configured" in refused.reason
    portal = boto3.client("s3", region_name="us-east-1")
    bucket = f"templates-{cloudformation.target.account_id}"
    portal.create_bucket(Bucket=bucket)
    outcome = cloudformation.finish(replace(job, settings={"template_bucket": bucket}))
    assert (outcome.status, values(outcome)["Version"]) == ("succeeded", "v1")
