"""Reading people and teams."""

from django.db.models import Count, QuerySet

from portal.models import AccessKey, Team, User


def people(*, search: str = "") -> QuerySet[User]:
    """Everybody, active ones first, with their teams."""
    rows = User.objects.prefetch_related("teams").order_by("-is_active", "username")
    return rows.filter(username__icontains=search) if search else rows


def teams() -> QuerySet[Team]:
    """Each with ``member_count``, ``service_count`` and ``environment_count``."""
    return Team.objects.annotate(
        member_count=Count("members", distinct=True),
        service_count=Count("services", distinct=True),
        environment_count=Count("environments", distinct=True),
    ).order_by("name")


def keys_of(user: User) -> QuerySet[AccessKey]:
    """The access keys of a person, those in force first."""
    return AccessKey.objects.filter(user=user).order_by("-revoked_at", "-created_at")
