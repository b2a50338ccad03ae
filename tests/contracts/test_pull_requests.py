"""The engines that work by pull request, on every forge: what they write, how they end, and what a kill leaves."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from provisioning.context import environment_context
from provisioning.engines.base import Job, Notified, Outcome, Progress, Target, Unclear
from provisioning.engines.names import pull_request_branch
from provisioning.engines.pull_request import PullRequestEngine
from provisioning.engines.workflow import WorkflowEngine
from provisioning.forges.base import Forge, Repository
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import App
from provisioning.forges.local import LocalForge
from provisioning.outputs import Output
from provisioning.render import terraform
from tests.forges.killing import Killed, KillingForge
from tests.github.double import APP_ID, RIGHTS, GitHubDouble
from tests.github.keys import PRIVATE, PUBLIC
from tests.github.store import Store

ARN = "arn:aws:proton:us-east-1:111111111111:environment/dev"
DONE = Notified("SUCCEEDED", outputs=(Output("VpcId", "vpc-1"),))
WORKFLOW = ".github/workflows/deploy.yml"
FILES = {"README.md": "# Mine\n", "src/app.py": "print()\n"}


def workflow(version: int) -> str:
    steps = "".join(f"      - run: echo {number}\n" for number in range(1, 9))
    return f"name: deploy {version}\non: push\njobs:\n  build:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}"


@dataclass
class Bench:
    """A forge that can be killed, a repository, a person with git, and a clock."""

    forge: KillingForge
    repository: Repository
    person: Store
    merge: Callable[[int], object]
    squash: Callable[[int], object] | None
    close: Callable[[int], None]
    now: list[float] = field(default_factory=lambda: [0.0])

    def __post_init__(self) -> None:
        self.terraform = PullRequestEngine(lambda _: self.forge, clock=lambda: self.now[0])
        self.workflow = WorkflowEngine(lambda _: self.forge, clock=lambda: self.now[0])

    @property
    def about(self) -> dict[str, str]:
        return {"provider": self.repository.provider, "name": self.repository.name, "branch": "main"}

    def job(self, version: int = 1, *, intent: Any = "apply", deployment: str = "", **settings: Any) -> Job:
        deployment = deployment or str(uuid.uuid4())
        resource = terraform.Resource("environment", ARN, deployment, "arn:template", "1", str(version))
        context = environment_context(name="dev", inputs={"size": version})
        files = terraform.files(resource, {"main.tf": f"# {version}\n"}, context, {"proton:environment": ARN})
        about = {"repository": self.about, "kind": "environment", "environment": "dev", **settings}
        target = Target("111111111111", "us-east-1")
        files = files if intent == "apply" else {}
        return Job(deployment, intent, "dev", target, files=files, settings=about, resource_arn=ARN)

    def workflow_job(self, version: int = 1, text: str | None = None, *, intent: Any = "apply") -> Job:
        about = {
            "repository": self.about,
            "service": "web",
            "template": "fargate",
            "version": f"1.{version}",
            "inputs": {"port": 80, "note": "```\nfence"},
        }
        files = {WORKFLOW: text or workflow(version)}
        target = Target("111111111111", "us-east-1")
        return Job(str(uuid.uuid4()), intent, "web", target, files=files, settings=about)

    def step(self, engine: Any, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        before = len(self.forge.changes)
        result: Progress | Outcome | Unclear = engine.advance(job, handle)
        assert len(self.forge.changes) - before <= 1, self.forge.changes[before:]
        return result

    def until_waiting(self, engine: Any, job: Job, handle: str | None = None) -> Progress | Outcome | Unclear:
        """Steps until nothing is left to change: the end, or a wait for somebody else. Comes back after a kill."""
        quiet = 0
        for _ in range(40):
            before = len(self.forge.changes)
            try:
                result = self.step(engine, job, handle)
            except Killed:
                continue
            if not isinstance(result, Progress):
                return result
            handle = result.handle
            quiet = quiet + 1 if len(self.forge.changes) == before else 0
            if quiet == 2:
                return result
        raise AssertionError("no end in sight")

    def text(self, path: str, branch: str = "main") -> str | None:
        head = self.forge.head(self.repository, branch)
        found = self.forge.read(self.repository, head, path)
        return None if found is None else found.decode()

    def delivered(self, job: Job) -> Outcome:
        outcome = self.until_waiting(self.workflow, job)
        assert isinstance(outcome, Outcome), outcome
        return outcome

    def said(self, number: int) -> list[str]:
        """The first lines of the comments below a pull request."""
        forge = self.forge._forge
        if isinstance(forge, LocalForge):
            return [text.partition("\n")[0] for text in forge.comments(self.repository, number)]
        return [comment["body"].partition("\n")[0] for comment in self.person.pulls[number - 1].comments]

    def pulls(self) -> list[Any]:
        found = []
        for number in range(1, 100):
            try:
                found.append(self.forge.pull_request(self.repository, number))
            except Exception:
                return found
        return found


@pytest.fixture
def local(tmp_path: Path) -> Bench:
    forge = LocalForge(tmp_path)
    repository = Repository("LOCAL", "acme/web")
    forge.create(repository, FILES)
    return Bench(
        KillingForge(forge),
        repository,
        Store(tmp_path / "acme" / "web.git", "acme", "web", 1, "main"),
        lambda number: forge.merge(repository, number, forge.pull_request(repository, number).head),
        None,
        lambda number: forge.close(repository, number),
    )


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Bench]:
    with GitHubDouble(tmp_path, app_key=PUBLIC, rights={**RIGHTS, "workflows": "write"}) as double:
        person = double.repository("acme/web", FILES)
        forge: Forge = GitHubForge(App(str(APP_ID), PRIVATE, workflows=True), double.url)
        yield Bench(
            KillingForge(forge),
            Repository("GITHUB", "acme/web"),
            person,
            lambda number: double.press_merge("acme/web", number),
            lambda number: double.press_merge("acme/web", number, "squash"),
            lambda number: double.press_close("acme/web", number),
        )


@pytest.fixture(params=["local", "github"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


# Self-managed provisioning


def test_an_apply_opens_one_pull_request_with_one_commit_and_protons_words(bench: Bench) -> None:
    job = bench.job()
    waiting = bench.until_waiting(bench.terraform, job)
    assert isinstance(waiting, Progress) and waiting.doing == "Waiting for pull request 1 to be merged"
    [pull] = bench.pulls()
    branch = pull_request_branch("environment", job.deployment)
    assert (pull.branch, pull.base, pull.title) == (branch, "main", "Update requested for Proton - environment/dev")
    assert branch.startswith("proton--proton-environment-") and job.deployment not in branch
    assert set(pull.files) == {
        "dev/.proton/deployment-metadata.json",
        "dev/main.tf",
        "dev/proton.auto.tfvars.json",
        "dev/proton.environment.variables.tf",
    }
    commit = bench.forge.commit_at(bench.repository, pull.head)
    assert commit.message == "Update requested for Proton - environment/dev"
    assert commit.parents == (bench.forge.head(bench.repository, "main"),)
    assert bench.forge.changes == ["commit", "open_pull_request"]


def test_it_succeeds_when_it_is_merged_and_reported(bench: Bench) -> None:
    job = bench.job()
    bench.until_waiting(bench.terraform, job)
    bench.merge(1)
    waiting = bench.step(bench.terraform, job, None)
    assert isinstance(waiting, Progress) and "waiting for the automation's report" in waiting.doing
    underway = replace(job, notified=Notified("IN_PROGRESS", "Planning"))
    told = bench.step(bench.terraform, underway, None)
    assert isinstance(told, Progress) and told.doing == "Planning"
    done = bench.step(bench.terraform, replace(job, notified=DONE), waiting.handle)
    assert isinstance(done, Outcome)
    assert (done.status, done.outputs) == ("succeeded", (Output("VpcId", "vpc-1"),))
    [made] = done.resources
    assert (made.name, made.engine, made.identifier) == ("environment/dev", "TERRAFORM", bench.pulls()[0].url)
    assert [event.status for event in done.events] == ["PULL_REQUEST_OPENED", "PULL_REQUEST_MERGED"]


def test_a_failure_that_the_automation_reports_is_told_in_its_words(bench: Bench) -> None:
    job = bench.job()
    bench.until_waiting(bench.terraform, job)
    bench.merge(1)
    failed = bench.step(bench.terraform, replace(job, notified=Notified("FAILED", "No such subnet")), None)
    assert isinstance(failed, Outcome)
    assert (failed.status, failed.reason, failed.next_action) == ("failed", "No such subnet", "retry")


def test_an_update_changes_only_the_files_that_differ_and_takes_away_what_is_gone(bench: Bench) -> None:
    bench.until_waiting(bench.terraform, bench.job(1))
    bench.merge(1)
    bench.person.put("main", {"dev/mine.tf": "# mine\n"})
    job = bench.job(1)
    files = {**job.files, "other.tf": terraform._MANAGED.format(arn=ARN) + "# other\n"}
    bench.until_waiting(bench.terraform, replace(job, files=files))
    assert set(bench.pulls()[1].files) == {"dev/.proton/deployment-metadata.json", "dev/other.tf"}
    bench.merge(2)
    bench.until_waiting(bench.terraform, bench.job(2))
    assert set(bench.pulls()[2].files) == {
        "dev/.proton/deployment-metadata.json",
        "dev/main.tf",
        "dev/other.tf",
        "dev/proton.auto.tfvars.json",
    }
    bench.merge(3)
    assert (bench.text("dev/other.tf"), bench.text("dev/mine.tf")) == (None, "# mine\n")


def test_closing_the_pull_request_cancels(bench: Bench) -> None:
    job = bench.job()
    bench.until_waiting(bench.terraform, job)
    bench.close(1)
    ended = bench.step(bench.terraform, job, None)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert ended.reason == "Pull request 1 was closed without being merged."


def test_cancelling_closes_the_pull_request(bench: Bench) -> None:
    job = bench.job()
    waiting = bench.until_waiting(bench.terraform, job)
    assert isinstance(waiting, Progress)
    ended = bench.until_waiting(bench.terraform, replace(job, intent="cancel"), waiting.handle)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert [pull.state for pull in bench.pulls()] == ["closed"]


def test_cancelling_before_there_is_a_pull_request_leaves_nothing(bench: Bench) -> None:
    job = bench.job()
    bench.step(bench.terraform, job, None)
    ended = bench.until_waiting(bench.terraform, replace(job, intent="cancel"))
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert bench.forge.head(bench.repository, pull_request_branch("environment", job.deployment)) is None
    assert bench.pulls() == []


def test_what_may_not_begin_leaves_nothing_and_what_began_is_followed(bench: Bench) -> None:
    job = bench.job()
    ended = bench.step(bench.terraform, replace(job, begins=False), None)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert bench.forge.changes == []
    bench.until_waiting(bench.terraform, job)
    bench.merge(1)
    ended = bench.step(bench.terraform, replace(job, begins=False, notified=DONE), None)
    assert isinstance(ended, Outcome) and ended.status == "succeeded"
    ended = bench.step(bench.workflow, replace(bench.workflow_job(), begins=False), None)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"


def test_cancelling_a_workflow_before_its_pull_request_can_be_made_good(bench: Bench) -> None:
    job = bench.workflow_job()
    bench.step(bench.workflow, job, None)
    ended = bench.step(bench.workflow, replace(job, intent="cancel"), None)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert bench.pulls() == []
    assert bench.delivered(bench.workflow_job()).outputs[0].value == bench.pulls()[0].url


def test_cancelling_after_the_merge_is_too_late(bench: Bench) -> None:
    job = bench.job()
    bench.until_waiting(bench.terraform, job)
    bench.merge(1)
    assert isinstance(bench.step(bench.terraform, replace(job, intent="cancel"), None), Progress)
    ended = bench.step(bench.terraform, replace(job, intent="cancel", notified=DONE), None)
    assert isinstance(ended, Outcome) and ended.status == "succeeded"


def test_a_pull_request_that_nobody_merges_in_time_is_closed_and_fails(bench: Bench) -> None:
    job = bench.job(timeout=3600)
    bench.until_waiting(bench.terraform, job)
    bench.now[0] = bench.pulls()[0].opened_at + 3599
    assert isinstance(bench.step(bench.terraform, job, None), Progress)
    bench.now[0] += 2
    ended = bench.until_waiting(bench.terraform, job)
    assert isinstance(ended, Outcome)
    assert (ended.status, ended.reason) == ("failed", "Pull request 1 was not merged in time and was closed.")
    assert [pull.state for pull in bench.pulls()] == ["closed"]


def test_an_automation_that_never_reports_is_not_waited_for_for_ever(bench: Bench) -> None:
    job = bench.job(timeout=3600)
    bench.until_waiting(bench.terraform, job)
    bench.merge(1)
    bench.now[0] = bench.pulls()[0].merged_at + 3601
    ended = bench.step(bench.terraform, job, None)
    assert isinstance(ended, Outcome) and ended.status == "failed"
    assert "did not report" in ended.reason


def test_a_deletion_lets_go_of_the_files_and_ends_with_the_merge(bench: Bench) -> None:
    bench.until_waiting(bench.terraform, bench.job())
    bench.merge(1)
    bench.person.put("main", {"dev/web-one/main.tf": terraform._MANAGED.format(arn=ARN) + "# an instance\n"})
    job = bench.job(intent="remove")
    assert isinstance(bench.until_waiting(bench.terraform, job), Progress)
    assert set(bench.pulls()[1].files) == {
        "dev/.proton/deployment-metadata.json",
        "dev/main.tf",
        "dev/proton.environment.variables.tf",
    }
    bench.merge(2)
    ended = bench.step(bench.terraform, job, None)
    assert isinstance(ended, Outcome) and ended.status == "succeeded"
    metadata = json.loads(bench.text("dev/.proton/deployment-metadata.json") or "")
    assert (metadata["deploymentId"], metadata["isResourceDeleted"]) == ("<proton-resource-deleted>", True)
    again = bench.until_waiting(bench.terraform, bench.job(intent="remove"))
    assert isinstance(again, Outcome) and (again.status, again.unchanged) == ("succeeded", True)


def test_closing_the_pull_request_of_a_deletion_keeps_the_resource(bench: Bench) -> None:
    bench.until_waiting(bench.terraform, bench.job())
    bench.merge(1)
    job = bench.job(intent="remove")
    bench.until_waiting(bench.terraform, job)
    bench.close(2)
    ended = bench.step(bench.terraform, job, None)
    assert isinstance(ended, Outcome) and (ended.status, ended.next_action) == ("failed", "retry")


def test_a_folder_of_another_resource_is_not_touched(bench: Bench) -> None:
    theirs = {"resourceMetadata": {"arn": ARN.replace("dev", "other")}, "isResourceDeleted": False}
    bench.person.put("main", {"dev/.proton/deployment-metadata.json": json.dumps(theirs)})
    for intent in ("apply", "remove"):
        ended = bench.step(bench.terraform, bench.job(intent=intent), None)
        assert isinstance(ended, Outcome) and ended.status == "failed"
        assert "belongs to" in ended.reason
    assert bench.forge.changes == []


def test_a_preview_shows_files_and_changes_nothing(bench: Bench) -> None:
    first = bench.terraform.preview(bench.job(1))
    assert [(change.resource, change.action) for change in first.changes] == [
        ("dev/.proton/deployment-metadata.json", "Add"),
        ("dev/main.tf", "Add"),
        ("dev/proton.auto.tfvars.json", "Add"),
        ("dev/proton.environment.variables.tf", "Add"),
    ]
    bench.until_waiting(bench.terraform, bench.job(1))
    bench.merge(1)
    changes = len(bench.forge.changes)
    second = bench.terraform.preview(bench.job(2))
    found = {change.resource: change for change in second.changes}
    assert {change.action for change in second.changes} == {"Modify"}
    assert found["dev/main.tf"].detail.endswith("-# 1\n+# 2")
    assert len(bench.forge.changes) == changes


KILLS = [(turn, when) for turn in (1, 2, 3) for when in ("before", "after")]


@pytest.mark.parametrize(("turn", "when"), KILLS)
def test_a_kill_at_any_change_of_an_apply_leaves_one_branch_and_one_pull_request(
    local: Bench, turn: int, when: Any
) -> None:
    bench = local
    job = bench.job()
    bench.forge.turn, bench.forge.when = turn, when
    assert isinstance(bench.until_waiting(bench.terraform, job), Progress)
    assert len(bench.pulls()) == 1
    base = bench.forge.head(bench.repository, "main")
    branch = pull_request_branch("environment", job.deployment)
    assert bench.person.git("rev-list", "--count", f"{base}..{branch}") == "1"
    branches = bench.person.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")
    assert sorted(branches) == sorted(["main", branch])
    bench.merge(1)
    ended = bench.step(bench.terraform, replace(job, notified=DONE), None)
    assert isinstance(ended, Outcome) and ended.status == "succeeded"


def test_names_that_do_not_derive_from_the_deployment_make_things_twice(
    local: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The referee can fail: with a new name at each look, a kill leaves a branch behind."""
    monkeypatch.setattr("provisioning.engines.pull_request.pull_request_branch", lambda *_: f"proton--{uuid.uuid4()}")
    local.forge.turn, local.forge.when = 1, "after"
    for _ in range(2):
        with contextlib.suppress(Killed):
            local.step(local.terraform, local.job(), None)
    branches = local.person.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")
    assert len(branches) == 3


@pytest.mark.parametrize(("turn", "when"), [(1, "before"), (1, "after"), (2, "before"), (2, "after")])
@pytest.mark.parametrize("begun", [1, 2])
def test_a_kill_at_any_change_of_a_cancellation_ends_cancelled(local: Bench, turn: int, when: Any, begun: int) -> None:
    bench = local
    job = bench.job()
    handle = None
    for _ in range(begun):
        result = bench.step(bench.terraform, job, handle)
        assert isinstance(result, Progress)
        handle = result.handle
    bench.forge.turn, bench.forge.when = len(bench.forge.changes) + turn, when
    ended = bench.until_waiting(bench.terraform, replace(job, intent="cancel"), handle)
    assert isinstance(ended, Outcome) and ended.status == "cancelled"
    assert [pull.state for pull in bench.pulls()] in ([], ["closed"])


# Workflows


def test_a_workflow_reaches_the_repository_as_a_pull_request(bench: Bench) -> None:
    outcome = bench.delivered(bench.workflow_job())
    [pull] = bench.pulls()
    assert (outcome.status, [(out.key, out.value) for out in outcome.outputs]) == (
        "succeeded",
        [("PullRequestUrl", pull.url)],
    )
    assert (pull.state, pull.title, pull.files) == ("open", "Add the workflow of web (fargate 1.1)", (WORKFLOW,))
    for said in ("`web`", "`fargate 1.1`", WORKFLOW, '"port": 80'):
        assert said in pull.body
    assert "````json" in pull.body
    assert bench.text(WORKFLOW) is None
    bench.merge(1)
    assert bench.text(WORKFLOW) == workflow(1)


def test_the_next_version_keeps_what_developers_changed(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.merge(1)
    bench.person.put("main", {WORKFLOW: workflow(1).replace("echo 8", "make deploy"), "src/app.py": "print(1)\n"})
    bench.delivered(bench.workflow_job(2))
    pull = bench.pulls()[1]
    assert (pull.state, pull.mergeable, pull.files) == ("open", True, (WORKFLOW,))
    assert pull.title == "Update the workflow of web (fargate 1.2)"
    assert "-name: deploy 1\n+name: deploy 2" in pull.body
    bench.merge(2)
    assert bench.text(WORKFLOW) == workflow(2).replace("echo 8", "make deploy")
    assert bench.text("src/app.py") == "print(1)\n"


def test_after_a_squash_the_next_version_still_keeps_what_developers_changed(github: Bench) -> None:
    bench = github
    assert bench.squash is not None
    bench.delivered(bench.workflow_job(1))
    bench.person.put("main", {"src/app.py": "print(1)\n"})
    bench.squash(1)
    bench.person.put("main", {WORKFLOW: workflow(1).replace("echo 8", "make deploy")})
    bench.delivered(bench.workflow_job(2))
    assert (bench.pulls()[1].mergeable, bench.pulls()[1].files) == (True, (WORKFLOW,))
    bench.merge(2)
    assert bench.text(WORKFLOW) == workflow(2).replace("echo 8", "make deploy")


def test_a_change_of_the_same_lines_is_a_conflict_that_people_see(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.merge(1)
    bench.person.put("main", {WORKFLOW: workflow(1).replace("deploy 1", "mine")})
    outcome = bench.delivered(bench.workflow_job(2))
    assert (outcome.status, bench.pulls()[1].mergeable) == ("succeeded", False)
    assert "mine" in (bench.text(WORKFLOW) or "")


def test_what_a_person_closed_is_not_opened_again_until_the_next_version(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.close(1)
    again = bench.delivered(bench.workflow_job(1))
    assert (again.status, again.unchanged) == ("succeeded", True)
    assert [pull.state for pull in bench.pulls()] == ["closed"]
    bench.delivered(bench.workflow_job(2, workflow(1)))
    assert [pull.state for pull in bench.pulls()] == ["closed", "open"]


def test_what_a_person_closed_is_opened_again_when_somebody_asks(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.close(1)
    job = bench.workflow_job(1)
    again = bench.delivered(replace(job, settings={**job.settings, "again": True}))
    assert [out.value for out in again.outputs] == [bench.pulls()[1].url]
    assert [pull.state for pull in bench.pulls()] == ["closed", "open"]
    bench.merge(2)
    assert bench.text(WORKFLOW) == workflow(1)


def test_every_answer_brings_the_pull_request_that_it_has_seen(bench: Bench) -> None:
    waiting = bench.until_waiting(bench.terraform, bench.job())
    assert isinstance(waiting, Progress)
    assert [(seen.repository, seen.pull.number) for seen in waiting.pull_requests] == [(bench.repository, 1)]
    bench.close(1)
    ended = bench.until_waiting(bench.terraform, bench.job(), waiting.handle)
    assert [seen.pull.state for seen in ended.pull_requests] == ["closed"]
    delivered = bench.delivered(bench.workflow_job())
    assert [(seen.pull.number, seen.pull.state) for seen in delivered.pull_requests] == [(2, "open")]


def test_nothing_to_change_opens_nothing(bench: Bench) -> None:
    bench.person.put("main", {WORKFLOW: workflow(1)})
    first = bench.delivered(bench.workflow_job(1))
    assert (first.status, first.unchanged, first.outputs) == ("succeeded", True, ())
    bench.delivered(bench.workflow_job(2))
    bench.merge(1)
    for again in (bench.workflow_job(2), bench.workflow_job(3, workflow(2))):
        outcome = bench.delivered(again)
        assert (outcome.status, outcome.unchanged) == ("succeeded", True)
        assert [out.value for out in outcome.outputs] == [bench.pulls()[0].url]
    bench.person.put("main", {WORKFLOW: workflow(2).replace("echo 8", "make deploy")})
    assert bench.delivered(bench.workflow_job(4, workflow(2))).unchanged is True
    assert len(bench.pulls()) == 1


def test_the_next_version_replaces_a_pull_request_that_is_still_open(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.delivered(bench.workflow_job(2))
    assert [pull.state for pull in bench.pulls()] == ["closed", "open"]
    assert bench.said(1) == [f"Replaced by {bench.pulls()[1].url}, which holds these changes as well."]
    bench.merge(2)
    assert bench.text(WORKFLOW) == workflow(2)


def test_going_back_to_an_earlier_version_is_a_pull_request_too(bench: Bench) -> None:
    for number, version in enumerate((1, 2, 1), start=1):
        bench.delivered(bench.workflow_job(version))
        bench.merge(number)
    assert bench.text(WORKFLOW) == workflow(1)


def test_a_file_that_the_template_drops_is_taken_away(bench: Bench) -> None:
    old = bench.workflow_job(1)
    bench.delivered(replace(old, files={**old.files, ".github/workflows/old.yml": workflow(9)}))
    bench.merge(1)
    bench.delivered(bench.workflow_job(2))
    bench.merge(2)
    assert (bench.text(".github/workflows/old.yml"), bench.text(WORKFLOW)) == (None, workflow(2))


def test_a_removed_service_takes_its_workflow_away_by_pull_request(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    bench.merge(1)
    outcome = bench.delivered(bench.workflow_job(1, intent="remove"))
    assert (outcome.status, bench.pulls()[1].title) == ("succeeded", "Remove the workflow of web")
    bench.merge(2)
    assert (bench.text(WORKFLOW), bench.text("README.md")) == (None, "# Mine\n")


def test_a_removed_service_closes_a_pull_request_that_was_never_merged(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    assert bench.delivered(bench.workflow_job(1, intent="remove")).status == "succeeded"
    assert [pull.state for pull in bench.pulls()] == ["closed"]


def test_a_commit_of_other_hands_on_the_templates_branch_is_kept(bench: Bench) -> None:
    bench.delivered(bench.workflow_job(1))
    theirs = bench.person.put("deuteron/template/web", {"notes.md": "theirs\n"})
    bench.delivered(bench.workflow_job(2))
    tip = bench.forge.head(bench.repository, "deuteron/template/web")
    assert bench.forge.commit_at(bench.repository, tip).parents == (theirs,)
    assert bench.pulls()[1].state == "open"


def test_a_preview_of_a_workflow_shows_its_difference(bench: Bench) -> None:
    [first] = bench.workflow.preview(bench.workflow_job(1)).changes
    assert (first.resource, first.action) == (WORKFLOW, "Add")
    bench.delivered(bench.workflow_job(1))
    bench.merge(1)
    [second] = bench.workflow.preview(bench.workflow_job(2)).changes
    assert (second.action, "-name: deploy 1\n+name: deploy 2" in second.detail) == ("Modify", True)
    assert bench.workflow.preview(bench.workflow_job(1)).changes == ()


@pytest.mark.parametrize("path", ["deploy.yml", ".github/dependabot.yml", ".github/workflows/a/b.yml", "../x.yml"])
def test_only_workflow_files_are_delivered(bench: Bench, path: str) -> None:
    ended = bench.step(bench.workflow, replace(bench.workflow_job(), files={path: "x"}), None)
    assert isinstance(ended, Outcome) and ended.status == "failed"
    assert bench.forge.changes == []


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize(("turn", "when"), [(turn, when) for turn in range(1, 6) for when in ("before", "after")])
def test_a_kill_at_any_change_of_a_delivery_leaves_one_open_pull_request(
    local: Bench, turn: int, when: Any, remembers: bool
) -> None:
    bench = local
    bench.delivered(bench.workflow_job(1))
    job = bench.workflow_job(2)
    bench.forge.changes.clear()
    bench.forge.turn, bench.forge.when = turn, when
    handle = None
    for _ in range(30):
        try:
            result = bench.step(bench.workflow, job, handle if remembers else None)
        except Killed:
            continue
        if isinstance(result, Outcome):
            break
        assert isinstance(result, Progress)
        handle = result.handle
    else:
        raise AssertionError("no end in sight")
    assert (result.status, result.outputs[0].value) == ("succeeded", bench.pulls()[1].url)
    assert [pull.state for pull in bench.pulls()] == ["closed", "open"]
    assert bench.person.git("rev-list", "--count", "main..deuteron/template/web") == "2"
