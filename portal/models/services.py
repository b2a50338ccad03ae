"""Services, their instances and pipeline, and the changes that edit them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.enums import SERVICE_BUSY, ServiceStatus, TextChoices
from portal.models.deployments import Deployable
from portal.models.due import DueWork
from portal.models.environments import Environment
from portal.models.fields import SealedTextField
from portal.models.people import Team
from portal.models.templates import Template, TemplateVersion


class Service(models.Model):
    """An application of a team: instances in environments and at most one pipeline."""

    name = models.CharField(max_length=100, unique=True)
    arn = models.CharField(max_length=400, unique=True)
    description = models.CharField(max_length=500, blank=True)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="services")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="services")
    spec = SealedTextField(blank=True, bound_to=("arn",))  # up to date and fit to be submitted again
    status = models.CharField(max_length=40, choices=ServiceStatus.choices, default=ServiceStatus.CREATE_IN_PROGRESS)
    status_message = models.TextField(blank=True)
    branch_name = models.CharField(max_length=200, blank=True)
    repository_connection_arn = models.CharField(max_length=200, blank=True)
    repository_id = models.CharField(max_length=200, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ServiceStatus.values), name="service_status_is_known")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_busy(self) -> bool:
        return self.status in SERVICE_BUSY


class ServiceInstance(Deployable):
    """A service in one environment."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="instances")
    name = models.CharField(max_length=100)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="instances")
    position = models.PositiveIntegerField(default=0)  # order in the spec
    tags = models.JSONField(default=dict, db_default={}, blank=True)
    last_client_token = models.CharField(max_length=64, blank=True, default="", db_default="")  # the last one given

    class Meta:
        ordering = ["service__name", "position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="service_instance_name_is_unique_in_its_service")
        ]
        indexes = [
            models.Index(fields=["name", "id"], name="service_instance_by_name"),
            models.Index(fields=["created_at", "id"], name="service_instance_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.service.name}/{self.name}"

    @property
    def account_id(self) -> str:
        return self.environment.target_account_id


class ServicePipeline(Deployable):
    """The CI/CD pipeline of a service, provisioned in the management account."""

    service = models.OneToOneField(Service, on_delete=models.CASCADE, related_name="pipeline")

    def __str__(self) -> str:
        return f"{self.service.name} pipeline"

    @property
    def account_id(self) -> str:
        return settings.PORTAL_ACCOUNT_ID


class ServiceChange(DueWork):
    """Creating, editing or deleting a service: its instances, then the pipeline, with Proton's compensation rules."""

    class Kind(TextChoices):
        CREATE = "create", "Create"
        UPDATE = "update", "Update"
        DELETE = "delete", "Delete"

    class Phase(TextChoices):
        INSTANCES = "instances", "Deploying instances"
        REMOVALS = "removals", "Removing instances"
        CLEANUP = "cleanup", "Cleaning up"
        PIPELINE = "pipeline", "Deploying the pipeline"
        FINISHED = "finished", "Finished"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    phase = models.CharField(max_length=20, choices=Phase.choices, default=Phase.INSTANCES)
    spec = SealedTextField(blank=True)
    previous_spec = SealedTextField(blank=True)
    version = models.ForeignKey(TemplateVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    adds = models.JSONField(default=list, blank=True)  # names of instances to create
    removes = models.JSONField(default=list, blank=True)  # names of instances to delete
    started = models.JSONField(default=list, blank=True)  # ARNs of what this edit has begun to remove
    failed = models.JSONField(default=list, blank=True)  # names that could not be created or deleted
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["service"], condition=Q(finished_at__isnull=True), name="service_change_one_running"
            )
        ]
