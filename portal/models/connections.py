"""Environment account connections: how another account lets the portal in."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.enums import ConnectVerdict, EnvironmentAccountConnectionStatus

Status = EnvironmentAccountConnectionStatus


class EnvironmentAccountConnection(models.Model):
    """Asked for by an environment account, accepted or rejected by the management account, for one environment name.

    A deleted one stays as a row, so that the environment that used it is known to have lost its access.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    arn = models.CharField(max_length=400, unique=True)
    management_account_id = models.CharField(max_length=12)
    environment_account_id = models.CharField(max_length=12)
    environment_name = models.CharField(max_length=100)
    role_arn = models.CharField(max_length=2048, blank=True)
    codebuild_role_arn = models.CharField(max_length=2048, blank=True)
    component_role_arn = models.CharField(max_length=2048, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    external_id = models.CharField(max_length=100, unique=True)  # made here at random, never chosen by a person
    client_token = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)  # null since its roles changed, too
    verdict = models.CharField(max_length=20, choices=ConnectVerdict.choices, blank=True)
    probes = models.JSONField(default=list, blank=True)  # [{role_arn, kind, assumed, said, milliseconds}]
    reason = models.CharField(max_length=500, blank=True)  # why an admin accepted it though the test did not pass

    class Meta:
        ordering = ["environment_name", "environment_account_id", "-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment_account_id", "environment_name"],
                condition=Q(status=Status.PENDING, deleted_at__isnull=True),
                name="connection_one_pending_per_environment",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="connection_status_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.environment_name} in {self.environment_account_id}"

    @property
    def is_usable(self) -> bool:
        return self.status == Status.CONNECTED and self.deleted_at is None

    @property
    def assumed_roles(self) -> tuple[str, ...]:
        """Those that the portal itself assumes; the CodeBuild role is CodeBuild's, where there is another one."""
        return tuple(dict.fromkeys(role for role in (self.building_role_arn, self.component_role_arn) if role))

    @property
    def building_role_arn(self) -> str:
        """Who starts builds: in AWS Proton its service-linked role, of which the portal has none."""
        return self.role_arn or self.codebuild_role_arn
