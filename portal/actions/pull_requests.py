"""Looking at pull requests. The forge has the truth; a webhook only says that it is time to ask."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from portal import forges, nudges
from portal.actions import audit
from portal.actions.claims import from_now
from portal.enums import RUNNING, DeploymentTargetType, RepositoryProvider
from portal.errors import Conflict, Invalid, Unavailable
from portal.models import Deployment, PullRequest, Repository, Service, User
from portal.queries import destinations
from portal.queries.rights import require_change
from portal.tasks import drive_deployment, look_at_pull_request
from provisioning.engines.base import EngineUnavailable
from provisioning.forges import base
from provisioning.forges.errors import Conflicted, ForgeRefused, Moved

log = logging.getLogger(__name__)
EVERY_SECONDS = 50.0  # between two looks at an open one of which nothing is heard; housekeeping adds up to a minute
SECONDS_EACH = 3.0  # between two looks at any at GitHub: three requests each, of the 5,000 that it answers in an hour
CLOSED_EVERY_SECONDS = 900.0  # at a closed one, which may be opened again
CLOSED_FOR = timedelta(days=1)  # then it is looked at only when something is heard
BATCH = 50


def _due() -> Q:
    return Q(look_at__lte=Now()) | Q(look_at__isnull=True, state=PullRequest.State.OPEN)


def look(row: PullRequest) -> PullRequest:
    """Ask the forge now, write what it says, and wake the deployment that waits when that is news.

    What is merged stays merged, and a look that another one overtook writes nothing. Raises ForgeRefused and
    EngineUnavailable: then nothing is concluded. Asks the forge, so never in a transaction.
    """
    rows = PullRequest.objects.filter(pk=row.pk)
    unmerged = rows.exclude(state=PullRequest.State.MERGED)
    unmerged.update(look_at=from_now(_pause(row.provider)), looks=F("looks") + 1)
    row.refresh_from_db()
    if row.state == PullRequest.State.MERGED:
        return row
    forge, repository = forges.forge(row.provider, row.repository, row.base)
    found = forge.pull_request(repository, row.number)
    was = row.state
    with transaction.atomic():
        written = unmerged.filter(looks=row.looks).update(seen_at=Now(), **seen(found))
        if written and found.state != "open":
            later = rows.filter(look_at__gt=Now())  # a hint that came meanwhile is kept
            fresh = later.filter(state=PullRequest.State.CLOSED, closed_at__gt=Now() - CLOSED_FOR)
            fresh.update(look_at=from_now(CLOSED_EVERY_SECONDS)) or later.update(look_at=None)
        if written and found.state != was:
            wake(Deployment.objects.filter(pk=row.deployment_id))
    row.refresh_from_db()
    return row


def _pause(provider: str) -> float:
    """Seconds until the next look: longer where GitHub would not answer so many requests."""
    if forges.is_local(provider):
        return EVERY_SECONDS
    return max(EVERY_SECONDS, SECONDS_EACH * PullRequest.objects.filter(provider=provider, state="open").count())


def seen(found: base.PullRequest) -> dict[str, Any]:
    """What is written of a pull request as the forge shows it."""
    fields: dict[str, Any] = {
        "state": found.state,
        "head": found.head,
        "title": found.title[:400],
        "mergeable": found.mergeable,
        "checks": found.checks,
        "merged_at": datetime.fromtimestamp(found.merged_at, UTC) if found.merged_at else None,
    }
    if found.state == "merged" and not found.merged_at:
        fields["merged_at"] = Now()
    fields["closed_at"] = Coalesce("closed_at", Now()) if found.state == "closed" else None
    return fields


def wake(deployments: QuerySet[Deployment]) -> None:
    """Make those of them that wait for something due now. In a transaction."""
    waiting = deployments.filter(status__in=RUNNING, due_at__gt=Now())
    for pk in waiting.values_list("pk", flat=True):
        nudges.after_commit(drive_deployment, pk)
    waiting.update(due_at=from_now(0))


def hint(provider: str, repository: str, number: int | None) -> int:
    """Something happened in a repository: look at its open pull requests, and at this one unless it is merged, as soon
    as possible. How many that are. In a transaction."""
    rows = PullRequest.objects.filter(provider=provider, repository=repository)
    rows = rows.filter(Q(state=PullRequest.State.OPEN) | Q(number=number)).exclude(state=PullRequest.State.MERGED)
    found = list(rows.values_list("pk", "deployment_id"))
    rows.filter(pk__in=[pk for pk, _ in found]).update(look_at=from_now(0))
    for pk, _ in found:
        nudges.after_commit(look_at_pull_request, pk)
    wake(Deployment.objects.filter(pk__in=[deployment for _, deployment in found]))
    return len(found)


def look_if_due(pk: int) -> None:
    """One look at a row that is due. A forge that refuses or is silent is asked again later."""
    row = PullRequest.objects.filter(_due(), pk=pk).first()
    if row is None:
        return
    try:
        look(row)
    except (ForgeRefused, EngineUnavailable) as trouble:
        log.warning("pull request %s could not be looked at, trying again later: %s", row, trouble)


def look_at_due() -> int:
    """What is due now, the longest waiting first; how many that were. This is all that there is without webhooks."""
    due = list(PullRequest.objects.filter(_due()).order_by("look_at", "pk").values_list("pk", flat=True)[:BATCH])
    for pk in due:
        look_if_due(pk)
    return len(due)


def decided_by(repository: Repository, number: int) -> Repository | Service:
    """What somebody must have the right to change who decides a pull request: the service whose workflow it brings to a
    repository that nothing but this service uses, and the repository itself for every other."""
    rows = PullRequest.objects.filter(provider=repository.provider, repository=repository.name, number=number)
    row = rows.select_related("deployment").first()
    if row is None or row.deployment.target_type != DeploymentTargetType.SERVICE_PIPELINE:
        return repository
    users = list(Service.objects.select_related("team").filter(repository_id=repository.name)[:2])
    alone = [service.name for service in users] == [row.deployment.service_name]
    return users[0] if alone and not destinations.takes_terraform(repository.name) else repository


def merge(*, by: User, repository: Repository, number: int, head: str) -> base.PullRequest:
    """Merge a pull request of the forge of this machine as it was seen, at ``head``. Raises Conflict when that is not
    possible, and Invalid for a repository that is merged elsewhere."""
    return _decide(by, repository, number, "merge", head)


def close(*, by: User, repository: Repository, number: int) -> base.PullRequest:
    """Close a pull request of the forge of this machine without merging it."""
    return _decide(by, repository, number, "close", "")


def _decide(by: User, repository: Repository, number: int, verb: str, head: str) -> base.PullRequest:
    require_change(by, decided_by(repository, number))
    local = forges.local_forge() if repository.provider == RepositoryProvider.GITHUB else None
    if local is None:
        raise Invalid(f"Pull requests of {repository} are decided at {repository.get_provider_display()}.")
    try:
        _, there = forges.forge(repository.provider, repository.name, repository.default_branch)
        if verb == "merge":
            found = local.merge(there, number, head)
        else:
            local.close(there, number, f"Closed by {by.username}.")
            found = local.pull_request(there, number)
    except (Conflicted, Moved) as refused:
        raise Conflict(str(refused)) from None
    except ForgeRefused as refused:
        raise Invalid(str(refused)) from None
    except EngineUnavailable as silent:
        raise Unavailable(str(silent)) from None
    with transaction.atomic():
        audit.record(by=by, action=f"pull_request.{verb}", target=repository.arn, number=number)
        hint(repository.provider, repository.name, number)
    row = PullRequest.objects.filter(provider=repository.provider, repository=repository.name, number=number).first()
    if row is not None:
        look_if_due(row.pk)
    return found
