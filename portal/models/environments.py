"""Environments: shared infrastructure that services run in."""

from django.conf import settings
from django.db import models

from portal.models.connections import EnvironmentAccountConnection
from portal.models.deployments import Deployable
from portal.models.people import Team
from portal.models.templates import Template


class Environment(Deployable):
    """One deployed environment template. Roles and connection are what instances in it deploy with, too."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="environments")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="environments")
    target_account_id = models.CharField(max_length=12)  # the management account, or the connected one
    region = models.CharField(max_length=30)
    connection = models.OneToOneField(  # how another account is entered; its row stays when it is deleted
        EnvironmentAccountConnection, null=True, blank=True, on_delete=models.PROTECT, related_name="environment"
    )
    proton_service_role_arn = models.CharField(max_length=200, blank=True)
    codebuild_role_arn = models.CharField(max_length=2048, blank=True)
    component_role_arn = models.CharField(max_length=2048, blank=True)
    provisioning_repository = models.JSONField(null=True, blank=True)  # {provider, name, branch}
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def account_id(self) -> str:
        return self.target_account_id
