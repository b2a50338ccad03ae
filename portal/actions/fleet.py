"""What people do with pull requests that deployments opened: render again, close, open again."""

from collections.abc import Callable

from django.db import transaction

from portal import forges
from portal.actions import audit, deployments, pull_requests
from portal.actions.targets import target_of
from portal.errors import Conflict, Invalid, PortalError, Unavailable
from portal.models import Deployment, PullRequest, User
from portal.queries.rights import require_change
from provisioning.engines.base import EngineUnavailable
from provisioning.forges.errors import ForgeRefused


def render_again(*, by: User, row: PullRequest) -> Deployment:
    """A new deployment with the same version and inputs: what it renders differently reaches the next pull request.

    Raises Conflict while its own deployment still waits for it, and when its target was deployed again since.
    """
    _require(by, row)
    if row.deployment.is_running:
        raise Conflict(f"A deployment waits for {row}: close it first, and then open it again.")
    if row.state == PullRequest.State.MERGED:
        raise Conflict(f"{row} is merged: deploy its target from its page.")
    return _again(by, row, "render_again")


def open_again(*, by: User, row: PullRequest) -> Deployment:
    """A new pull request for one that was closed. Raises Conflict for one that was not, or that was replaced."""
    _require(by, row)
    if row.state != PullRequest.State.CLOSED:
        raise Conflict(f"{row} is not closed.")
    return _again(by, row, "open_again")


def _again(by: User, row: PullRequest, action: str) -> Deployment:
    with transaction.atomic():
        last = last_deployment(row)
        if last is None:
            raise Conflict(f"{row} was replaced, or its target is gone.")
        again = action == "open_again"
        made = deployments.retry(by=by, deployment=last, delivered=True, again=again)
        _record(by, row, action)
    return made


def last_deployment(row: PullRequest) -> Deployment | None:
    """What is deployed again: the target's last deployment. None when the target is gone, or has a later one there."""
    target = target_of(row.deployment)
    later = PullRequest.objects.filter(
        deployment__target_arn=row.deployment.target_arn, repository=row.repository, pk__gt=row.pk
    )
    return None if target is None or later.exists() else target.latest


def close(*, by: User, row: PullRequest) -> PullRequest:
    """Close it at its forge, as a person would there: a deployment that waits for it ends as cancelled.

    Raises Conflict for one that is not open any more, Invalid when the forge refuses, and Unavailable when it does not
    answer. Asks the forge, so never in a transaction.
    """
    _require(by, row)
    if row.state != PullRequest.State.OPEN:
        raise Conflict(f"{row} is not open any more.")
    try:
        forge, repository = forges.forge(row.provider, row.repository, row.base)
        forge.close(repository, row.number, f"Closed by {by.username}.")
    except ForgeRefused as refused:
        raise Invalid(str(refused)) from None
    except EngineUnavailable as silent:
        raise Unavailable(str(silent)) from None
    with transaction.atomic():
        _record(by, row, "close")
        pull_requests.hint(row.provider, row.repository, row.number)
    pull_requests.look_if_due(row.pk)
    row.refresh_from_db()
    return row


ACTIONS: dict[str, Callable[..., object]] = {
    "render_again": render_again,
    "close": close,
    "open_again": open_again,
}
MOST = 50  # at once


def all_of(
    *, by: User, rows: list[PullRequest], action: str
) -> tuple[list[PullRequest], list[tuple[PullRequest, str]]]:
    """One action on each of them, one after the other: those that it was done to, and the others with the reason.

    Raises Invalid for an action that there is none of, and for more than ``MOST``.
    """
    if action not in ACTIONS:
        raise Invalid("There is no such action.")
    if len(rows) > MOST:
        raise Invalid(f"At most {MOST} pull requests can be chosen at once.")
    done, refused = [], []
    for row in rows:
        try:
            ACTIONS[action](by=by, row=row)
        except PortalError as refusal:
            refused.append((row, refusal.message))
        else:
            done.append(row)
    return done, refused


def _require(by: User, row: PullRequest) -> None:
    require_change(by, target_of(row.deployment) or row.deployment)


def _record(by: User, row: PullRequest, action: str) -> None:
    said = {"repository": row.repository, "number": row.number}
    audit.record(by=by, action=f"pull_request.{action}", target=row.deployment.arn, **said)
