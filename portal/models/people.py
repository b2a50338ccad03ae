"""People and their teams."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from portal.enums import Role

RANK = {Role.VIEWER: 0, Role.DEVELOPER: 1, Role.PLATFORM: 2, Role.ADMIN: 3}


class Team(models.Model):
    """Who owns a service or an environment."""

    name = models.SlugField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person. ``role`` is one of four, each containing the next."""

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.VIEWER)
    teams = models.ManyToManyField(Team, related_name="members", blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known")]

    def at_least(self, role: Role) -> bool:
        return self.is_active and RANK[Role(self.role)] >= RANK[role]

    @property
    def is_admin(self) -> bool:
        return self.at_least(Role.ADMIN)

    @property
    def is_platform(self) -> bool:
        return self.at_least(Role.PLATFORM)

    @property
    def is_developer(self) -> bool:
        return self.at_least(Role.DEVELOPER)
