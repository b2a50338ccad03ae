"""Who did what, written in the transaction of the change."""

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """Append-only. Holds no secret and no sensitive value: names, numbers and reasons only."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=80)  # "environment.create", "template_version.publish", ...
    target = models.CharField(max_length=400)  # an ARN, or "user/name"
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["target", "-id"], name="audit_by_target")]
