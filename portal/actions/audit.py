"""Recording who did what, in the transaction of the change."""

from typing import Any

from portal import logs
from portal.actions import inserts
from portal.models import AuditEvent, User


def record(*, by: User | None, action: str, target: str, **detail: Any) -> AuditEvent:
    """``detail`` holds names, numbers and reasons; never a secret, a spec or an output."""
    event = AuditEvent(
        actor=by,
        actor_name=by.username if by else "system",
        action=action,
        target=target,
        detail=detail,
        request_id=logs.request_id(),
    )
    inserts.insert(event)
    return event
