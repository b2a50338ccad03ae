"""Reading the audit log."""

from django.db.models import Q, QuerySet

from portal.models import AuditEvent


def recent(*, target: str = "", actor: str = "", limit: int | None = 100) -> QuerySet[AuditEvent]:
    """Newest first. ``target`` is part of an ARN or name, ``actor`` a user name."""
    rows = AuditEvent.objects.select_related("actor").order_by("-id")
    if target:
        rows = rows.filter(Q(target__icontains=target) | Q(action__icontains=target))
    if actor:
        rows = rows.filter(actor_name=actor)
    return rows[:limit] if limit else rows
