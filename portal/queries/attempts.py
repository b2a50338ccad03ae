"""What is shown of a target's attempts, as columns of one query: no row is built, nothing heavy is read."""

from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from portal.enums import Staleness, TemplateVersionStatus
from portal.models import ServiceChange, TemplateVersion


def columns(prefix: str = "") -> dict[str, Any]:
    """Expressions for ``values()``, of the target itself or of the one behind ``prefix`` (such as ``pipeline__``).

    AWS Proton: a target that was never deployed shows the version that was attempted, and a success has the time at
    which its attempt started. None where there was no attempt, or no success.
    """
    return {
        "status": F(f"{prefix}latest__status"),
        "status_message": F(f"{prefix}latest__status_message"),
        "attempted_id": F(f"{prefix}latest_id"),
        "attempted_at": F(f"{prefix}latest__created_at"),
        "succeeded_id": F(f"{prefix}deployed_id"),
        "succeeded_at": F(f"{prefix}deployed__created_at"),
        "major": Coalesce(F(f"{prefix}version__major"), F(f"{prefix}latest__template_major")),
        "minor": Coalesce(F(f"{prefix}version__minor"), F(f"{prefix}latest__template_minor")),
    }


def planned(service: str, part: str) -> Any:
    """``major`` or ``minor`` of what the last edit of the service deploys: for a pipeline before its turn."""
    changes = ServiceChange.objects.filter(service=OuterRef(service), version__isnull=False).order_by("-created_at")
    return changes.values(f"version__{part}")[:1]


def with_staleness(rows: QuerySet[Any], template: str) -> QuerySet[Any]:
    """Adds ``staleness``: a value of ``Staleness`` for the version that each row runs.

    ``template`` is the path to the row's template. AWS Proton compares with the template's recommended version.
    """
    shown = columns()
    published = TemplateVersion.objects.filter(
        template=OuterRef(f"{template}_id"), status=TemplateVersionStatus.PUBLISHED
    )
    rows = rows.annotate(shown_major=shown["major"], shown_minor=shown["minor"])
    higher = published.filter(major__gt=OuterRef("shown_major"))
    later = published.filter(major=OuterRef("shown_major"), minor__gt=OuterRef("shown_minor"))
    return rows.annotate(
        staleness=Case(
            When(Exists(higher), then=Value(Staleness.BEHIND_MAJOR.value)),
            When(Exists(later), then=Value(Staleness.BEHIND_MINOR.value)),
            default=Value(Staleness.UP_TO_DATE.value),
        )
    )


def running_major(major: int) -> Q:
    """Targets that run this major version, or before a first success were to run it."""
    return Q(version__major=major) | Q(version__isnull=True, latest__template_major=major)
