"""GitHub when it fails: lost replies, limits, refusals, tokens that end. Each answer leads to one thing to do."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioning.engines.base import EngineUnavailable, Job, Outcome, Progress, Target, Unclear
from provisioning.engines.pull_request import PullRequestEngine
from provisioning.forges.base import Repository
from provisioning.forges.errors import NoAccess, Throttled
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import App, Token
from tests.github.double import APP_ID, RIGHTS, Fault, GitHubDouble
from tests.github.keys import PRIVATE, PUBLIC

INFRA = Repository("GITHUB", "acme/infra")
ARN = "arn:aws:proton:us-east-1:111111111111:environment/dev"
METADATA = {"isResourceDeleted": False, "resourceMetadata": {"arn": ARN}}
NOW = 1_800_000_000.0


@pytest.fixture
def double(tmp_path: Path) -> Iterator[GitHubDouble]:
    with GitHubDouble(tmp_path, app_key=PUBLIC) as double:
        double.repository("acme/infra", {"README.md": "one\n"})
        double.repository("acme/other", {"README.md": "other\n"})
        yield double


def forge_of(double: GitHubDouble, **more: Any) -> GitHubForge:
    return GitHubForge(App(str(APP_ID), PRIVATE), double.url, timeout=3, **more)


def job_of(number: int) -> Job:
    files = {"main.tf": "# main\n", ".proton/deployment-metadata.json": json.dumps(METADATA)}
    about = {
        "repository": {"provider": "GITHUB", "name": "acme/infra", "branch": "main"},
        "kind": "environment",
        "environment": f"dev{number}",
    }
    return Job(f"00000000-0000-4000-8000-{number:012}", "apply", "dev", Target("1" * 12, "us-east-1"), files=files,
               settings=about, resource_arn=ARN)  # fmt: skip


def until_waiting(engine: PullRequestEngine, job: Job) -> None:
    """Steps until the pull request waits; an answer that was lost is looked for again, and nothing is remembered."""
    for _ in range(30):
        try:
            result = engine.advance(job, None)
        except EngineUnavailable:
            continue
        assert isinstance(result, Progress), result
        if result.doing.startswith("Waiting for pull request") and result.wait > 1:
            return
    raise AssertionError("no end in sight")


@pytest.mark.parametrize("kind", ["lost", "dropped", "error", "html"])
@pytest.mark.parametrize("path", ["/git/trees", "/git/commits", "/git/refs", "/pulls"])
def test_an_answer_that_is_lost_at_any_change_makes_one_branch_and_one_pull_request(
    double: GitHubDouble, kind: Any, path: str
) -> None:
    fault = Fault(kind, "POST", f"{path}$", times=2)
    double.faults.append(fault)
    until_waiting(PullRequestEngine(lambda _: forge_of(double)), job_of(1))
    assert fault.times < 2
    assert [what.partition(" proton--")[0] for what in double.ledger] == ["create branch", "open pull request 1"]


def test_parallel_workers_that_lose_answers_open_one_pull_request_for_each_deployment(double: GitHubDouble) -> None:
    double.faults.append(Fault("lost", "POST", "/(refs|pulls)$", times=9))
    jobs = [job_of(number) for number in range(1, 5)]

    def work() -> None:
        engine = PullRequestEngine(lambda _: forge_of(double))
        for job in jobs:
            until_waiting(engine, job)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    opened = [what for what in double.ledger if what.startswith("open")]
    branches = [what for what in double.ledger if what.startswith("create")]
    assert (len(opened), len(branches), len(set(branches))) == (4, 4, 4)
    assert len(double.ledger) == 8


@pytest.mark.parametrize(("kind", "until"), [("rate", NOW + 120), ("slow down", NOW + 30)])
def test_a_limit_says_until_when_and_is_waited_for(double: GitHubDouble, kind: Any, until: float) -> None:
    double.clock = lambda: NOW
    forge = forge_of(double, clock=lambda: NOW)
    forge.head(INFRA, "main")
    double.faults.append(Fault(kind, times=2))
    with pytest.raises(Throttled) as limited:
        forge.head(INFRA, "main")
    assert limited.value.until == until
    waiting = PullRequestEngine(lambda _: forge, clock=lambda: NOW).advance(job_of(1), None)
    assert isinstance(waiting, Progress)
    assert (waiting.throttled, waiting.wait) == (True, until - NOW)


def test_a_token_that_was_revoked_is_replaced_once(double: GitHubDouble) -> None:
    forge = forge_of(double)
    head = forge.head(INFRA, "main")
    double.tokens.clear()
    assert forge.head(INFRA, "main") == head
    double.faults.append(Fault("revoked", times=9))
    with pytest.raises(NoAccess, match="install the App again"):
        forge.head(INFRA, "main")


def test_a_token_is_renewed_before_it_ends(double: GitHubDouble) -> None:
    now = [NOW]
    double.clock = lambda: now[0]
    forge = forge_of(double, clock=lambda: now[0])
    for passed, expected in ((0, 1), (2900, 1), (200, 2), (3500, 3)):
        now[0] += passed
        forge.head(INFRA, "main")
        assert len(double.tokens) == expected


def test_a_token_reaches_one_repository_with_the_rights_that_are_needed(double: GitHubDouble) -> None:
    forge_of(double).head(INFRA, "main")
    [grant] = double.tokens.values()
    assert grant.repositories == ("acme/infra",)
    assert grant.permissions == {
        "contents": "write",
        "pull_requests": "write",
        "metadata": "read",
        "checks": "read",
    }


def test_an_app_that_is_not_installed_says_what_to_do(double: GitHubDouble) -> None:
    double.installed = False
    with pytest.raises(NoAccess, match="install the App on it"):
        forge_of(double).access(INFRA)
    ended = PullRequestEngine(lambda _: forge_of(double)).advance(job_of(1), None)
    assert isinstance(ended, Outcome) and (ended.status, ended.next_action) == ("failed", "retry")


def test_a_right_that_is_missing_is_named(double: GitHubDouble) -> None:
    double.rights = {**RIGHTS, "workflows": "write"}
    forge = forge_of(double)
    base = forge.head(INFRA, "main") or ""
    with pytest.raises(NoAccess, match="workflows"):
        forge.commit(INFRA, "x", base, {".github/workflows/x.yml": "on: push\n"}, "Workflow")
    assert double.ledger == []
    allowed = GitHubForge(App(str(APP_ID), PRIVATE, workflows=True), double.url)
    allowed.commit(INFRA, "x", base, {".github/workflows/x.yml": "on: push\n"}, "Workflow")


def test_rights_that_are_taken_away_in_the_middle_are_for_a_person_to_decide(double: GitHubDouble) -> None:
    engine = PullRequestEngine(lambda _: forge_of(double))
    first = engine.advance(job_of(1), None)
    assert isinstance(first, Progress)
    double.installed = False
    stuck = engine.advance(job_of(1), first.handle)
    assert isinstance(stuck, Unclear) and "not installed" in stuck.reason
    double.installed = True
    assert isinstance(engine.advance(job_of(1), stuck.handle), Progress)


def test_a_persons_token_is_the_fallback(double: GitHubDouble) -> None:
    forge = GitHubForge(Token(double.personal_token("acme/infra")), double.url)
    assert forge.access(INFRA).problem == ""
    with pytest.raises(NoAccess, match="Renew the token"):
        GitHubForge(Token("ghp_wrong"), double.url).head(INFRA, "main")


def test_github_enterprise_is_reached_below_its_own_path(double: GitHubDouble) -> None:
    enterprise = replace(INFRA, provider="GITHUB_ENTERPRISE")
    assert forge_of(double).head(enterprise, "main") == double.stores["acme/infra"].head("main")


def test_secrets_do_not_show_when_credentials_are_printed() -> None:
    shown = repr((App("1", PRIVATE), Token("ghp_secret")))
    assert "PRIVATE KEY" not in shown and "ghp_secret" not in shown


def test_checks_are_told_together(double: GitHubDouble) -> None:
    forge = forge_of(double)
    head = forge.commit(INFRA, "x", forge.head(INFRA, "main") or "", {"a": "b"}, "X")
    forge.open_pull_request(INFRA, "x", "X", "")
    cases: list[tuple[list[tuple[str, str, str | None]], str]] = [
        ([], ""),
        ([("a", "completed", "success"), ("b", "completed", "skipped")], "success"),
        ([("a", "completed", "success"), ("b", "queued", None)], "pending"),
        ([("a", "completed", "failure"), ("b", "queued", None)], "failure"),
    ]
    for runs, expected in cases:
        double.stores["acme/infra"].checks[head] = runs
        assert forge.pull_request(INFRA, 1).checks == expected
