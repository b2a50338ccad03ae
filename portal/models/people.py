"""People and their teams."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac

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
    session_epoch = models.IntegerField(default=0, db_default=0)  # one more ends every session

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known")]

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """Django's own, and more: a session ends with the password, the role and the access that it began with."""
        told = f"{self.password}\0{self.role}\0{self.is_active}\0{self.session_epoch}"
        return salted_hmac("portal.User.session", told, secret=secret, algorithm="sha256").hexdigest()

    def end_sessions(self) -> None:
        """Everywhere. Saved with the row by whoever calls this."""
        self.session_epoch += 1

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
