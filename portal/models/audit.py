"""Who did what, written in the transaction of the change; and the chain that shows whether it was changed since."""

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """Append-only. Holds no secret and no sensitive value: names, numbers and reasons only.

    The last five columns are written once, in batches (``portal.actions.sealing``): null until then.
    """

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=80)  # "environment.create", "template_version.publish", ...
    target = models.CharField(max_length=400)  # an ARN, or "user/name"
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    seq = models.BigIntegerField(null=True, blank=True, unique=True)  # 1, 2, 3 … without a gap
    previous = models.CharField(max_length=64, null=True, blank=True)  # the digest of the row before
    digest = models.CharField(max_length=64, null=True, blank=True)  # SHA-256 of this row and of ``previous``
    seal = models.CharField(max_length=64, null=True, blank=True)  # HMAC of the digest
    seal_key = models.CharField(max_length=16, null=True, blank=True)  # which key made the seal

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["target", "-id"], name="audit_by_target"),
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(seq__isnull=True)),
        ]


class AuditHead(models.Model):
    """One row: the end of the chain. Who seals holds its lock."""

    seq = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)
    seal = models.CharField(max_length=64, blank=True)
    seal_key = models.CharField(max_length=16, blank=True)
    exported_at = models.DateTimeField(null=True, blank=True)
