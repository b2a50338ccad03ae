"""Which template version ran where, and when."""

from django.db import models
from django.db.models import Q

from portal.enums import DeploymentTargetType, TemplateKind
from portal.models.deployments import Deployment


class UsageRecord(models.Model):
    """One target ran one version in one account from ``started_at`` until ``ended_at`` (null: it still does).

    Written in the transaction in which a deployment finishes, and rebuildable from deployments.
    """

    account_id = models.CharField(max_length=12)
    region = models.CharField(max_length=30)
    template_kind = models.CharField(max_length=20, choices=TemplateKind.choices)
    template_name = models.CharField(max_length=100)
    major = models.PositiveBigIntegerField()
    minor = models.PositiveBigIntegerField()
    target_arn = models.CharField(max_length=400)
    target_type = models.CharField(max_length=20, choices=DeploymentTargetType.choices)
    environment_name = models.CharField(max_length=100, blank=True)
    service_name = models.CharField(max_length=100, blank=True)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="usage")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["target_arn"], condition=Q(ended_at__isnull=True), name="usage_record_one_open_per_target"
            )
        ]
        indexes = [
            models.Index(fields=["template_kind", "template_name", "major", "minor"], name="usage_by_version"),
            models.Index(fields=["account_id"], name="usage_by_account"),
        ]
