"""Tags that people put on what Deuteron manages. Tags that AWS Proton itself kept are derived, never stored."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from portal.actions import audit
from portal.errors import Invalid, NotFound
from portal.models import User
from portal.queries.rights import require_change

MOST = 50  # for one resource


def tag(*, by: User, resource: Any, tags: Mapping[str, str]) -> None:
    """Add tags, and give new values to keys that are there. Raises Invalid past 50."""
    require_change(by, resource)
    with transaction.atomic():
        locked = _locked(resource)
        locked.tags = checked({**locked.tags, **tags})
        locked.save(update_fields=["tags"])
        audit.record(by=by, action="tags.set", target=resource.arn, keys=sorted(tags))


def untag(*, by: User, resource: Any, keys: Iterable[str]) -> None:
    """Remove tags. A key that is not there is no mistake."""
    require_change(by, resource)
    gone = set(keys)
    with transaction.atomic():
        locked = _locked(resource)
        locked.tags = {key: value for key, value in locked.tags.items() if key not in gone}
        locked.save(update_fields=["tags"])
        audit.record(by=by, action="tags.remove", target=resource.arn, keys=sorted(gone))


def checked(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of something new. Raises Invalid past 50."""
    if len(tags) > MOST:
        raise Invalid(f"A resource has at most {MOST} tags, and this one would have {len(tags)}.")
    return dict(tags)


def _locked(resource: Any) -> Any:
    """The row of now, locked until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    locked = type(resource).objects.select_for_update().filter(pk=resource.pk).first()
    if locked is None:
        raise NotFound(f"{resource} does not exist any more")
    return locked
