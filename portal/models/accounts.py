"""AWS accounts and the settings of the management account."""

from django.db import models


class AwsAccount(models.Model):
    """A name for an account id, so that pages can say more than twelve digits."""

    account_id = models.CharField(max_length=12, primary_key=True)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["account_id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.account_id})" if self.name else self.account_id


class AccountSettings(models.Model):
    """One row: the roles that pipelines are provisioned with, their repository, and what developers may do."""

    pipeline_service_role_arn = models.CharField(max_length=2048, blank=True)
    pipeline_codebuild_role_arn = models.CharField(max_length=2048, blank=True)
    pipeline_provisioning_repository = models.JSONField(null=True, blank=True)
    developers_use_components = models.BooleanField(default=False, db_default=False)

    @classmethod
    def get(cls) -> "AccountSettings":
        return cls.objects.get_or_create(pk=1)[0]
