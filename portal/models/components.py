"""Components: infrastructure that developers define beside a service."""

from django.conf import settings
from django.db import models

from portal.models.deployments import Deployable, Deployment
from portal.models.environments import Environment
from portal.models.people import Team
from portal.models.services import ServiceInstance


class Component(Deployable):
    """One manifest and one template file, deployed into an environment, on its own or attached to one instance.

    AWS Proton: a directly defined component. It has no template, no schema and no version. ``spec`` is the service spec
    that gives the template ``service_instance.inputs``; it and ``template_file`` change when a deployment succeeds.
    """

    version = None

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="components")
    instance = models.OneToOneField(
        ServiceInstance, null=True, blank=True, on_delete=models.PROTECT, related_name="component"
    )
    team = models.ForeignKey(  # of the service that it is, or was last, attached to
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="components"
    )
    manifest = models.TextField()
    template_file = models.TextField(blank=True)
    last_client_request_token = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_modified_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"component {self.name}"

    @property
    def shown_version(self) -> None:
        return None

    @property
    def account_id(self) -> str:
        return self.environment.target_account_id

    def keep(self, deployment: Deployment) -> None:
        self.spec, self.template_file, self.deployed = deployment.spec, deployment.template_file, deployment
        self.save(update_fields=["spec", "template_file", "deployed"])
