"""What is shown of a target's attempts, as columns of one query: no row is built, nothing heavy is read."""

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from portal.enums import Staleness, TemplateVersionStatus
from portal.models import ServiceChange, TemplateVersion


def progress(prefix: str = "") -> dict[str, Any]:
    """The expressions of ``columns`` without the version, for what has none."""
    return {
        "status": F(f"{prefix}latest__status"),
        "status_message": F(f"{prefix}latest__status_message"),
        "attempted_id": F(f"{prefix}latest_id"),
        "attempted_at": F(f"{prefix}latest__created_at"),
        "succeeded_id": F(f"{prefix}deployed_id"),
        "succeeded_at": F(f"{prefix}deployed__created_at"),
    }


def columns(prefix: str = "") -> dict[str, Any]:
    """Expressions for ``values()``, of the target itself or of the one behind ``prefix`` (such as ``pipeline__``).

    AWS Proton: a target that was never deployed shows the version that was attempted, and a success has the time at
    which its attempt started. None where there was no attempt, or no success.
    """
    return {
        **progress(prefix),
        "major": Coalesce(F(f"{prefix}version__major"), F(f"{prefix}latest__template_major")),
        "minor": Coalesce(F(f"{prefix}version__minor"), F(f"{prefix}latest__template_minor")),
    }


def planned(service: str, part: str) -> Any:
    """A column of the version that the last edit of the service deploys: for a pipeline before its turn."""
    changes = ServiceChange.objects.filter(service=OuterRef(service), version__isnull=False).order_by("-created_at")
    return changes.values(f"version__{part}")[:1]


def versions_behind(staleness: Staleness) -> QuerySet[TemplateVersion]:
    """Versions that are this far behind their template's recommended one, which is the highest published."""
    others = TemplateVersion.objects.filter(template=OuterRef("template"), status=TemplateVersionStatus.PUBLISHED)
    higher = Exists(others.filter(major__gt=OuterRef("major")))
    if staleness == Staleness.BEHIND_MAJOR:
        return TemplateVersion.objects.filter(higher)
    return TemplateVersion.objects.filter(
        ~higher, Exists(others.filter(minor__gt=OuterRef("minor"), major=OuterRef("major")))
    )


def running_behind(staleness: Staleness) -> Q:
    """Targets that run a version which is this far behind, or not at all. Versions are compared, not each target."""
    if staleness == Staleness.UP_TO_DATE:
        return ~running_behind(Staleness.BEHIND_MAJOR) & ~running_behind(Staleness.BEHIND_MINOR)
    versions = versions_behind(staleness).values("pk")
    return Q(version__in=versions) | Q(version__isnull=True, latest__version__in=versions)


def running_major(major: int) -> Q:
    """Targets that run this major version, or before a first success were to run it."""
    return Q(version__major=major) | Q(version__isnull=True, latest__template_major=major)
