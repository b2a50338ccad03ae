"""Every pull request that the portal opened, and why it waits."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.timesince import timesince

from portal.enums import RUNNING, DeploymentKind, DeploymentStatus
from portal.models import Deployment, PullRequest, User
from portal.models.deployments import Deployable
from portal.queries.deployments import is_lost
from provisioning.engines.names import WORKFLOW_BRANCH

TERRAFORM, WORKFLOW = "terraform", "workflow"
_HEAVY = tuple(f"deployment__{name}" for name in Deployment.HEAVY)


@dataclass(frozen=True)
class FleetFilters:
    """ "" filters nothing, but ``state``: "" is what is not done, and "any" everything."""

    q: str = ""
    state: str = ""
    kind: str = ""
    repository: str = ""
    trouble: str = ""  # conflict, checks, merged

    @property
    def any(self) -> bool:
        return self != FleetFilters()


def visible_to(user: User) -> QuerySet[PullRequest]:
    """Everyone who is signed in may read them. Each has ``is_replaced``: its target has a later one there."""
    later = PullRequest.objects.filter(
        deployment__target_arn=OuterRef("deployment__target_arn"),
        repository=OuterRef("repository"),
        pk__gt=OuterRef("pk"),
    )
    rows = PullRequest.objects.select_related("deployment").defer(*_HEAVY).annotate(is_replaced=Exists(later))
    return rows if user.is_authenticated and user.is_active else rows.none()


def _unapplied() -> Q:
    """Merged Terraform of which nobody reported that it was applied."""
    waiting = Q(deployment__status__in=RUNNING) | Q(deployment__status=DeploymentStatus.FAILED, is_replaced=False)
    merged = Q(state=PullRequest.State.MERGED) & ~Q(branch__startswith=WORKFLOW_BRANCH)
    return merged & waiting & ~Q(deployment__kind=DeploymentKind.DELETE)


def filtered(user: User, filters: FleetFilters) -> QuerySet[PullRequest]:
    """The oldest first: that is who has waited longest."""
    rows = visible_to(user)
    if filters.state == "":
        rows = rows.filter(Q(state=PullRequest.State.OPEN) | _unapplied())
    elif filters.state in PullRequest.State.values:
        rows = rows.filter(state=filters.state)
    if filters.kind == WORKFLOW:
        rows = rows.filter(branch__startswith=WORKFLOW_BRANCH)
    elif filters.kind == TERRAFORM:
        rows = rows.exclude(branch__startswith=WORKFLOW_BRANCH)
    if filters.repository:
        rows = rows.filter(repository=filters.repository)
    troubles = {"conflict": Q(mergeable=False), "checks": Q(checks="failure"), "merged": _unapplied()}
    if filters.trouble in troubles:
        rows = rows.filter(troubles[filters.trouble])
    for word in filters.q.split():
        columns = ("repository", "title", "deployment__target_arn", "deployment__template_name")
        wanted = Q()
        for column in columns:
            wanted |= Q(**{f"{column}__icontains": word})
        rows = rows.filter(wanted)
    return rows.order_by("opened_at", "pk")


def repositories(user: User) -> list[str]:
    """Names of all repositories that have any, for a picker."""
    return list(visible_to(user).order_by("repository").values_list("repository", flat=True).distinct())


@dataclass(frozen=True)
class Counts:
    open: int = 0
    unapplied: int = 0


def counts(user: User) -> Counts:
    """How many are open, and how many were merged and never applied. One query."""
    is_open = Q(state=PullRequest.State.OPEN)
    rows = visible_to(user).filter(is_open | _unapplied())
    return Counts(**rows.aggregate(open=Count("pk", filter=is_open), unapplied=Count("pk", filter=~is_open)))


def of_deployment(deployment: Deployment) -> list[PullRequest]:
    """Those that this deployment opened, newest first."""
    return list(PullRequest.objects.filter(deployment=deployment))


def is_workflow(row: PullRequest) -> bool:
    """Whether it brings workflows, so that its deployment ended when it was opened."""
    return row.branch.startswith(WORKFLOW_BRANCH)


def ago(at: datetime) -> str:
    """ "3 days ago"."""
    said = timesince(at, timezone.now()).split(",")[0].replace("\xa0", " ")
    return "just now" if said == "0 minutes" else f"{said} ago"


def waits_for(row: PullRequest) -> str:
    """The one reason why a pull request of ``visible_to`` is not done, as a sentence; "" for one that is."""
    deployment = row.deployment
    if row.state == PullRequest.State.MERGED:
        if not _is_unapplied(row):
            return ""
        return f"Merged {ago(row.merged_at or row.seen_at)}, never applied: its automation has not reported success."
    if row.state == PullRequest.State.CLOSED:
        return "" if getattr(row, "is_replaced", False) else "Somebody closed it."
    if getattr(row, "is_replaced", False) and deployment.status not in RUNNING:
        return "A later one has replaced it."
    if row.mergeable is False:
        return f"It conflicts with {row.base}: somebody must resolve that."
    if row.checks == "failure":
        return "Its checks failed: somebody must mend that."
    if row.checks == "pending":
        return "Its checks are running."
    return "Somebody must look at it and merge it."


def _is_unapplied(row: PullRequest) -> bool:
    ended = row.deployment.status == DeploymentStatus.SUCCEEDED or row.deployment.kind == DeploymentKind.DELETE
    return row.state == PullRequest.State.MERGED and not is_workflow(row) and not ended


@dataclass(frozen=True)
class Versions:
    """What is asked for, what waits in a pull request, what was applied and what was seen out there, as numbers.

    "" for none. ``gap`` says in a sentence what lies between them; "" when nothing does.
    """

    desired: str = ""
    in_pull_request: str = ""
    applied: str = ""
    observed: str = ""
    gap: str = ""


_MOST = 20  # pull requests of one target that are looked through


def pull_requests_of(target: Deployable) -> list[PullRequest]:
    """The newest of this incarnation of a target, 20 at most."""
    rows = PullRequest.objects.select_related("deployment").defer(*_HEAVY)
    mine = rows.filter(deployment__target_arn=target.arn, deployment__target_created_at=target.created_at)
    return list(mine.order_by("-opened_at", "-pk")[:_MOST])


def versions_of(target: Deployable, pulls: list[PullRequest]) -> Versions:
    """The four versions of an environment, an instance or a pipeline, of which ``pulls`` are the pull requests.

    Desired is that of the last deployment that was not cancelled. Observed is what was seen outside the portal: for
    workflows the last that was merged, for Terraform the last of which the automation said anything, for stacks what
    was applied unless the stack is gone.
    """
    latest, deployed = target.latest, target.deployed
    applied = deployed.number if deployed else ""
    desired = applied
    if latest is not None and latest.status != DeploymentStatus.CANCELLED and latest.kind != DeploymentKind.DELETE:
        desired = latest.number
    waiting = next((row for row in pulls if row.state == PullRequest.State.OPEN), None)
    found = Versions(desired, waiting.deployment.number if waiting else "", applied, _observed(target, pulls, applied))
    return replace(found, gap=_gap(target, found, pulls, waiting))


def _observed(target: Deployable, pulls: list[PullRequest], applied: str) -> str:
    if any(is_workflow(row) for row in pulls):
        merged = next((row for row in pulls if is_workflow(row) and row.state == PullRequest.State.MERGED), None)
        return merged.deployment.number if merged else ""
    if pulls:
        told = Deployment.objects.filter(target_arn=target.arn, target_created_at=target.created_at)
        row = told.filter(notified_at__isnull=False).order_by("-notified_at").first()
        return row.number if row else ""
    return "" if is_lost(target) else applied


def _gap(target: Deployable, of: Versions, pulls: list[PullRequest], waiting: PullRequest | None) -> str:
    newest = pulls[0] if pulls else None
    if waiting is not None:
        return f"{waiting.deployment.number} waits in pull request {waiting.number}, opened {ago(waiting.opened_at)}."
    # What was rendered again and is the same has no pull request of its own.
    is_last = newest is not None and target.latest is not None and newest.deployment.number == target.latest.number
    if newest is not None and is_last and _is_unapplied(newest):
        return f"{newest.deployment.number} was merged {ago(newest.merged_at or newest.seen_at)}, never applied."
    if newest is not None and is_last and newest.state == PullRequest.State.CLOSED:
        has = f"the repository has {of.observed}" if of.observed else "the repository has none"
        return f"Pull request {newest.number} with {newest.deployment.number} was closed without being merged: {has}."
    if not pulls and of.applied and not of.observed:
        return f"{of.applied} was applied, but what it made is gone."
    if of.desired != of.applied and target.latest is not None and target.latest.status == DeploymentStatus.FAILED:
        return f"{of.desired} was asked for and failed: {of.applied or 'nothing'} runs."
    return ""
