"""Reading people and teams."""

from django.db.models import F, OuterRef, QuerySet

from portal.models import AccessKey, Environment, ExternalIdentity, Service, Team, User
from portal.queries.counting import counted


def people(*, search: str = "") -> QuerySet[User]:
    """Everybody, active ones first, with their teams."""
    rows = User.objects.prefetch_related("teams").order_by("-is_active", "username")
    return rows.filter(username__icontains=search) if search else rows


def teams() -> QuerySet[Team]:
    """Each with ``member_count``, ``service_count`` and ``environment_count``."""
    return Team.objects.annotate(
        member_count=counted(User.teams.through.objects.filter(team=OuterRef("pk"))),
        service_count=counted(Service.objects.filter(team=OuterRef("pk"))),
        environment_count=counted(Environment.objects.filter(team=OuterRef("pk"))),
    ).order_by("name")


def keys_of(user: User) -> QuerySet[AccessKey]:
    """The access keys of a person, those in force first."""
    return AccessKey.objects.filter(user=user).order_by(F("revoked_at").desc(nulls_first=True), "-created_at")


def external_identity(user: User) -> ExternalIdentity | None:
    """Who the person is at the identity provider; None for those who have only a password."""
    return ExternalIdentity.objects.filter(user=user).first()
