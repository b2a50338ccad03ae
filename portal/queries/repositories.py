"""Reading linked repositories, their pull requests, and what refers to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from portal.models import (
    AccountSettings,
    Deployment,
    Environment,
    PullRequest,
    Repository,
    Service,
    User,
    WebhookDelivery,
)

_HEAVY = tuple(f"deployment__{name}" for name in Deployment.HEAVY)


def visible_to(user: User) -> QuerySet[Repository]:
    """Everyone who is signed in may read; lists and single rows come from here alike."""
    rows = Repository.objects.select_related("created_by")
    return rows if user.is_authenticated and user.is_active else rows.none()


def branch_choices(user: User) -> dict[str, str]:
    """{"GITHUB:owner/repo": what to call it} of all linked repositories, for a picker."""
    rows = visible_to(user).order_by("provider", "name")
    return {f"{row.provider}:{row.name}": f"{row.name} ({row.get_provider_display()})" for row in rows}


def pull_requests_of(repository: Repository) -> QuerySet[PullRequest]:
    """Those that deployments opened in it, newest first."""
    rows = PullRequest.objects.select_related("deployment").defer(*_HEAVY)
    return rows.filter(provider=repository.provider, repository=repository.name)


def last_delivery(repository: Repository) -> WebhookDelivery | None:
    """The newest delivery that its forge signed."""
    return WebhookDelivery.objects.filter(repository=repository.name).first()


@dataclass(frozen=True)
class Uses:
    """What refers to a repository. ``of_pipelines``: the account's settings name it for pipelines."""

    environments: tuple[Environment, ...]
    services: tuple[Service, ...]
    of_pipelines: bool

    def __bool__(self) -> bool:
        return bool(self.environments or self.services or self.of_pipelines)


def uses_of(repository: Repository) -> Uses:
    wanted = {
        "provisioning_repository__provider": repository.provider,
        "provisioning_repository__name": repository.name,
    }
    kept = AccountSettings.objects.filter(pk=1).values_list("pipeline_provisioning_repository", flat=True).first()
    return Uses(
        environments=tuple(Environment.objects.filter(**wanted).order_by("name").only("name")),
        services=tuple(Service.objects.filter(repository_id=repository.name).order_by("name").only("name")),
        of_pipelines=is_of(kept, repository),
    )


def is_of(branch: Mapping[str, Any] | None, repository: Repository) -> bool:
    """Whether {provider, name, branch} is in this repository."""
    return branch is not None and (branch["provider"], branch["name"]) == (repository.provider, repository.name)


def blockers_of_unlinking(repository: Repository) -> list[str]:
    """Why it must stay linked, in sentences; [] when it need not."""
    uses = uses_of(repository)
    reasons = []
    if uses.environments:
        reasons.append(f"Environments deliver to it: {_names(uses.environments)}. Delete those first.")
    if uses.services:
        reasons.append(f"It is the repository of services: {_names(uses.services)}. Delete those first.")
    if uses.of_pipelines:
        reasons.append("Pipelines are delivered to it: choose another repository in the settings first.")
    return reasons


def _names(rows: tuple[Any, ...]) -> str:
    return ", ".join(row.name for row in rows[:5]) + (", …" if len(rows) > 5 else "")


def with_open_counts(rows: QuerySet[Repository]) -> list[Repository]:
    """The rows, each with ``open_count`` of its pull requests. Two queries for any number of them."""
    found = list(rows)
    counted = PullRequest.objects.filter(state=PullRequest.State.OPEN).order_by()
    counts = {
        (row["provider"], row["repository"]): row["count"]
        for row in counted.values("provider", "repository").annotate(count=Count("pk"))
    }
    for row in found:
        row.open_count = counts.get((row.provider, row.name), 0)  # type: ignore[attr-defined]
    return found


def search(rows: QuerySet[Repository], text: str) -> QuerySet[Repository]:
    return rows.filter(Q(name__icontains=text)) if text else rows
