"""Pull requests that are opened over a bad line, by several workers at once. GitHub's double counts what is there."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row
from tests.github.double import FaultKind, GitHubDouble

Size = Mapping[str, float]
INFRA, APPS = "acme/infra", "acme/apps"
LOST = 0.2  # of the replies to requests that change something
STOLEN = 0.5  # of the times that a worker has a row: another one takes it away and works on it as well
THREADS = 4
CHANGES = {"tree": r"/git/trees$", "commit": r"/git/commits$", "branch": r"/git/refs", "pull request": r"/pulls$"}


class _BadLine(GitHubDouble):
    """Does what it is asked, and now and then nobody hears of it."""

    def lose(self, bench: Bench) -> None:
        self.random, self.lost = bench.random, Counter[str]()

    def fault(self, method: str, path: str) -> FaultKind | None:
        kind = next((name for name, pattern in CHANGES.items() if re.search(pattern, path)), "")
        if method not in ("POST", "PATCH") or not kind:
            return None
        with self.lock:
            loses = not self.lost[kind] or self.random.random() < LOST  # the first of each kind in any case
            self.lost[kind] += loses
        return "lost" if loses else None


def wanted_once(bench: Bench, size: Size) -> Result:
    """Four of five are environments in Terraform, whose pull requests stay open; the fifth is a pipeline's workflow."""
    double = _BadLine(bench.directory)
    double.lose(bench)
    with double:
        for name in (INFRA, APPS):
            double.repository(name, {"README.md": "x\n"})
        open_portal(
            bench.directory,
            simulation={"seconds": 0, "outputs": {name: f"the-{name}" for name in _OUTPUTS}},
            GITHUB_API_URL=double.url,
            GITHUB_TOKEN=double.personal_token(INFRA, APPS),
        )
        unprotected.take_off(bench.without)
        return _play(bench, size, double)


_OUTPUTS = (
    *("VpcId", "SubnetIds", "ClusterArn", "ListenerArn", "LoadBalancerDnsName", "LoadBalancerSecurityGroupId"),
    *("ImagesUri", "DeployRoleArn"),
)


def _play(bench: Bench, size: Size, double: _BadLine) -> Result:
    from portal.models import Deployment, PullRequest

    count = max(5, round(size["pull_requests"]))
    workflows = count // 5
    began = time.monotonic()
    _asked(count - workflows, workflows)
    prepared = time.monotonic() - began
    stolen = _driven(bench, began + size["seconds"])
    pulls = {name: double.stores[name].pulls for name in (INFRA, APPS)}
    branches = {name: _branches(double, name) for name in (INFRA, APPS)}
    failed = Deployment.objects.filter(status="FAILED")
    rows = {(row.repository, row.number, row.branch) for row in PullRequest.objects.all()}
    there = {(name, pull.number, pull.head) for name in pulls for pull in pulls[name]}
    opened = sum(len(found) for found in pulls.values())
    targets = PullRequest.objects.values("deployment__target_arn").distinct().count()
    commits = sum(_commits(double, name) for name in pulls)
    wanted_branches = count + workflows  # a workflow's template has one of its own, for all versions
    return Result(
        faults={**{f"lost_replies_{name.replace(' ', '_')}": double.lost[name] for name in CHANGES}, "stolen": stolen},
        harm={
            "missing": max(0, count - targets),
            "doubled": max(0, opened - count),
            "branches_too_many": max(0, sum(map(len, branches.values())) - wanted_branches),
            "commits_too_many": max(0, commits - count),
            "closed": sum(pull.state != "open" for found in pulls.values() for pull in found),
            "rows_that_say_something_else": len(rows ^ there),
            "parked": Deployment.objects.filter(phase="ATTENTION").count(),
            "stuck": len(_waiting()),
        },
        figures={
            "wanted": count,
            "pull_requests": opened,
            "branches": sum(map(len, branches.values())),
            "bad_ends": sorted(set(failed.values_list("status_message", flat=True)))[:3],
            "seconds_of_asking": round(prepared, 1),
            "seconds_of_delivering": round(time.monotonic() - began - prepared, 1),
        },
    )


def _asked(environments: int, pipelines: int) -> None:
    """All of it is asked for; the environment of the services is there already."""
    from django.conf import settings

    from portal.actions import environments as actions
    from portal.actions import repositories, services
    from tests.factories import rows
    from tests.factories.pull_requests import TERRAFORM, sample

    platform = rows.person("pat", "platform")
    for name in (INFRA, APPS):
        repositories.link(by=platform, provider="GITHUB", name=name)
    home = rows.environment("home", by=platform)
    simulation, settings.SIMULATION = settings.SIMULATION, None
    of = rows.version(rows.template(), files=TERRAFORM)
    for number in range(environments):
        actions.create(
            by=platform,
            name=f"env-{number}",
            template=of.template,
            spec=rows.ENVIRONMENT_SPEC,
            major=1,
            provisioning_repository={"provider": "GITHUB", "name": INFRA, "branch": "main"},
        )
    settings.SIMULATION = simulation  # of what pipelines are made of; their workflows are real
    piped = sample(0, home=home.template)
    for number in range(pipelines):
        services.create(
            by=platform,
            name=f"app-{number}",
            template=piped.template,
            spec="proton: ServiceSpec\npipeline: {}\ninstances: [{name: dev, environment: home, spec: {}}]\n",
            major=1,
            minor=0,
            repository_id=APPS,
            branch_name="main",
            repository_connection_arn="arn:aws:codestar-connections:us-east-1:123456789012:connection/one",
        )


def _waiting() -> list[UUID]:
    """What is not done yet. A pull request of Terraform is: nobody here merges it."""
    from portal.models import Deployment, PullRequest

    delivered = PullRequest.objects.filter(deployment__engine="pull-request").values("deployment")
    return list(Deployment.objects.filter(due_at__isnull=False).exclude(pk__in=delivered).values_list("pk", flat=True))


def _driven(bench: Bench, until: float) -> int:
    """Every deployment by two workers, again and again, until all is done. How often a row was taken away from one
    that was at it, as from a worker that is taken for dead: it goes on all the same."""
    from portal.actions import service_changes
    from portal.models import Deployment, ServiceChange

    stolen = 0
    with ThreadPoolExecutor(THREADS) as pool:
        while time.monotonic() < until:
            changes = list(ServiceChange.objects.filter(finished_at__isnull=True).values_list("pk", flat=True))
            for pk in changes:
                service_changes.drive(pk)
            ids = _waiting()
            if not ids and not changes:
                break
            Deployment.objects.filter(pk__in=ids).update(due_at="2000-01-01T00:00Z")  # without the pauses
            steals = [bench.random.uniform(0, 0.1) if bench.random.random() < STOLEN else 0.0 for _ in ids]
            calls = [
                pool.submit(_work, pk, wait, until)
                for pk, steal in zip(ids, steals, strict=True)
                for wait in (0.0, steal)
            ]
            stolen += sum(call.result() for call in calls)
    return stolen


def _work(deployment: UUID, steal_after: float, until: float) -> int:
    """One worker's call. How many rows it took away from another worker."""
    from django.db import connection

    from portal.actions import claims, runs
    from portal.models import Deployment

    if time.monotonic() > until:
        return 0
    try:
        taken = 0
        if steal_after:
            time.sleep(steal_after)
            busy = Deployment.objects.filter(pk=deployment, lease_until__gt=claims.from_now(0))
            taken = busy.update(lease_until="2000-01-01T00:00Z")
        runs.drive(deployment)
        return taken
    finally:
        connection.close()


def _branches(double: GitHubDouble, name: str) -> list[str]:
    """All but the one that people work on."""
    found = str(double.stores[name].git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/")).split()
    return [branch for branch in found if branch != "main"]


def _commits(double: GitHubDouble, name: str) -> int:
    """On any branch, beside those that people made."""
    return int(double.stores[name].git("rev-list", "--count", "--branches", "^main"))


ROWS = [
    Row(
        24,
        "replies about branches, commits and pull requests are lost, and several workers are at one",
        wanted_once,
        ("names",),
        small={"pull_requests": 10, "seconds": 60},
        full={"pull_requests": 1000, "seconds": 1500},
        arena=None,
    )
]
