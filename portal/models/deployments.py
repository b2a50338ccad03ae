"""Deployments: one row for each attempt to change one target, with what it left behind."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal import arns
from portal.enums import (
    RUNNING,
    DeploymentKind,
    DeploymentPhase,
    DeploymentStatus,
    DeploymentTargetType,
)
from portal.models.bundles import Bundle
from portal.models.due import DueWork
from portal.models.fields import SealedJSONField, SealedTextField
from portal.models.templates import TemplateVersion


class Deployment(DueWork):
    """One attempt. Everything that ran is frozen here: history does not change when a template does.

    A partial unique index allows one running deployment per target: that index is the lock.
    """

    HEAVY = (  # not for lists
        "spec", "inputs", "template_file", "context", "rendered", "initial_state", "target_state", "handle",
    )  # fmt: skip

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    target_arn = models.CharField(max_length=400)
    target_type = models.CharField(max_length=20, choices=DeploymentTargetType.choices)
    target_created_at = models.DateTimeField()  # tells two targets apart that had the same name one after the other
    environment_name = models.CharField(max_length=100, blank=True)
    service_name = models.CharField(max_length=100, blank=True)
    instance_name = models.CharField(max_length=100, blank=True)
    component_name = models.CharField(max_length=100, blank=True, default="", db_default="")

    kind = models.CharField(max_length=10, choices=DeploymentKind.choices)
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")
    status = models.CharField(max_length=20, choices=DeploymentStatus.choices)
    phase = models.CharField(max_length=20, choices=DeploymentPhase.choices, default=DeploymentPhase.QUEUED)
    status_message = models.TextField(blank=True)
    doing = models.CharField(max_length=500, blank=True)  # what it is doing or waiting for, in a sentence
    next_action = models.CharField(max_length=40, blank=True)  # what a person can do about a failure
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    template_name = models.CharField(max_length=100)
    template_major = models.PositiveBigIntegerField()
    template_minor = models.PositiveBigIntegerField()
    version = models.ForeignKey(
        TemplateVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="deployments"
    )
    bundle = models.ForeignKey(Bundle, null=True, blank=True, on_delete=models.PROTECT, related_name="deployments")
    spec = SealedTextField(blank=True)
    template_file = models.TextField(blank=True, default="", db_default="")  # a component's own; others have a bundle
    inputs = SealedJSONField(default=dict, blank=True)  # the target's own effective inputs, defaults merged in
    context = SealedJSONField(default=dict, blank=True)  # every namespace that the template was rendered with
    rendered = SealedJSONField(default=dict, blank=True)  # {path: text}
    initial_state = SealedJSONField(default=dict, blank=True)
    target_state = SealedJSONField(default=dict, blank=True)
    succeeded_before = models.UUIDField(null=True, blank=True)  # the target's last success when this one started

    engine = models.CharField(max_length=20, blank=True)
    account_id = models.CharField(max_length=12)
    region = models.CharField(max_length=30)
    role_arn = models.CharField(max_length=2048, blank=True)
    external_id = models.CharField(max_length=100, blank=True)
    external_name = models.CharField(max_length=200, blank=True)  # the stack's name
    identifier = models.CharField(max_length=300, blank=True)  # the stack's ARN, once known
    allow_replace_empty = models.BooleanField(default=False)
    intent_at = models.DateTimeField(null=True, blank=True)  # committed before the first call that changes anything
    handle = SealedTextField(blank=True)  # the engine's own; opaque here, and may hold what a provider said
    # What was reported to us about it by NotifyResourceDeploymentStatusChange.
    notified_at = models.DateTimeField(null=True, blank=True)
    notified_status = models.CharField(max_length=20, blank=True, default="", db_default="")
    notified_message = models.TextField(blank=True, default="", db_default="")
    notified_outputs = models.JSONField(null=True, blank=True)  # {key: value}; None: none were ever given
    # Of what reaches people as pull requests: the repositories of "infrastructure" and "workflow", and what was made.
    delivery = models.JSONField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)  # consecutive steps that the provider did not answer

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)  # taken out of the history; what usage is made of stays

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target_arn"],
                condition=Q(status__in=sorted(RUNNING)),
                name="deployment_one_running_per_target",
            ),
            models.CheckConstraint(condition=Q(status__in=DeploymentStatus.values), name="deployment_status_is_known"),
            models.CheckConstraint(condition=Q(phase__in=DeploymentPhase.values), name="deployment_phase_is_known"),
        ]
        indexes = [
            models.Index(fields=["target_arn", "-created_at"], name="deployment_by_target"),
            models.Index(
                fields=["lease_until"], condition=Q(lease_until__isnull=False), name="deployment_under_a_lease"
            ),
            models.Index(fields=["environment_name", "-created_at"], name="deployment_by_environment"),
            models.Index(fields=["service_name", "-created_at"], name="deployment_by_service"),
            models.Index(fields=["created_at", "id"], name="deployment_by_time"),
            models.Index(fields=["status", "id"], name="deployment_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_name}"

    @property
    def arn(self) -> str:
        return arns.deployment(self.id)

    @property
    def number(self) -> str:
        """ "2.1"; "" for a component, which has no versions."""
        if self.target_type == DeploymentTargetType.COMPONENT:
            return ""
        return f"{self.template_major}.{self.template_minor}"

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def runs_commands(self) -> bool:
        """Whether a bundle's own commands provision it."""
        return self.engine in ("command", "codebuild")

    @property
    def target_name(self) -> str:
        """What a person calls the target: "vpc", "web/dev", "web pipeline", "component bucket"."""
        if self.target_type == DeploymentTargetType.ENVIRONMENT:
            return self.environment_name
        if self.target_type == DeploymentTargetType.SERVICE_PIPELINE:
            return f"{self.service_name} pipeline"
        if self.target_type == DeploymentTargetType.COMPONENT:
            return f"component {self.component_name}"
        return f"{self.service_name}/{self.instance_name}"


class DeploymentEvent(models.Model):
    """One line of a deployment's live log."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="events")
    external_id = models.CharField(max_length=200)  # an event that is seen twice is recorded once
    at = models.DateTimeField()
    resource = models.CharField(max_length=300, blank=True)
    resource_type = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    failed = models.BooleanField(default=False)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "external_id"], name="deployment_event_is_recorded_once")
        ]


class Output(models.Model):
    """A value that a deployment returned."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="outputs")
    key = models.CharField(max_length=1024)
    value = models.TextField()
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["deployment", "key"], name="output_key_is_unique")]


class ProvisionedResource(models.Model):
    """What an engine made for a deployment (a stack)."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="provisioned_resources")
    name = models.CharField(max_length=200)
    identifier = models.CharField(max_length=300)
    engine = models.CharField(max_length=20)
    missing_since = models.DateTimeField(null=True, blank=True)  # seen to be gone from its account

    class Meta:
        ordering = ["name"]


class Deployable(models.Model):
    """What deployments change. Status and outputs are read through two pointers, never copied.

    ``latest`` is the last attempt, ``deployed`` the last that succeeded; ``version`` and ``spec`` change then only.
    """

    arn = models.CharField(max_length=400, unique=True)
    version = models.ForeignKey(
        TemplateVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="%(class)ss"
    )
    spec = SealedTextField(blank=True, bound_to=("arn",))
    latest = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    deployed = models.ForeignKey(Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def deployment_status(self) -> str:
        return self.latest.status if self.latest else DeploymentStatus.IN_PROGRESS

    @property
    def status_message(self) -> str:
        return self.latest.status_message if self.latest else ""

    @property
    def is_busy(self) -> bool:
        return self.latest is not None and self.latest.is_running

    @property
    def shown_version(self) -> TemplateVersion | None:
        """The deployed version; before a first success the attempted one."""
        return self.version or (self.latest.version if self.latest else None)

    def keep(self, deployment: Deployment) -> None:
        """Run what this deployment deployed, which has just succeeded."""
        self.version_id, self.spec, self.deployed = deployment.version_id, deployment.spec, deployment
        self.save(update_fields=["version", "spec", "deployed"])

    @property
    def account_id(self) -> str:
        return self.latest.account_id if self.latest else settings.PORTAL_ACCOUNT_ID
