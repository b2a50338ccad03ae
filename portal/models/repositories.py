"""Linked repositories, and the pull requests that the portal opened in any of them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal import arns
from portal.enums import RepositoryProvider
from portal.models.deployments import Deployment


class Repository(models.Model):
    """A repository that the portal may use. What a test of access found stands beside it."""

    provider = models.CharField(max_length=20, choices=RepositoryProvider.choices)
    name = models.CharField(max_length=100)  # owner/repo
    connection_arn = models.CharField(max_length=200, blank=True)
    encryption_key = models.CharField(max_length=200, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    default_branch = models.CharField(max_length=200, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)  # why the last test of access failed; "" when it did not
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["provider", "name"]
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(fields=["provider", "name"], name="repository_is_linked_once"),
            models.CheckConstraint(
                condition=Q(provider__in=RepositoryProvider.values), name="repository_provider_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    @property
    def short_name(self) -> str:
        return self.name.partition("/")[2]

    @property
    def arn(self) -> str:
        return arns.repository(self.provider, self.name)


class PullRequest(models.Model):
    """A pull request that a deployment opened, as it was last seen. The forge has the truth; a webhook is a hint."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        MERGED = "merged", "Merged"
        CLOSED = "closed", "Closed"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="pull_requests")
    provider = models.CharField(max_length=20, choices=RepositoryProvider.choices)
    repository = models.CharField(max_length=100)  # owner/repo; linked or not
    base = models.CharField(max_length=200)
    branch = models.CharField(max_length=250)
    number = models.PositiveIntegerField()
    url = models.CharField(max_length=400)
    title = models.CharField(max_length=400)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    head = models.CharField(max_length=64, blank=True)
    mergeable = models.BooleanField(null=True)  # None while the forge has not worked it out
    checks = models.CharField(max_length=10, blank=True)  # "", pending, success, failure
    opened_at = models.DateTimeField()
    merged_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(auto_now=True)
    look_at = models.DateTimeField(null=True, blank=True, db_index=True)  # when to ask the forge again
    looks = models.PositiveIntegerField(default=0, db_default=0)  # a look that was overtaken writes nothing

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "repository", "number"], name="pull_request_is_recorded_once"),
        ]
        indexes = [models.Index(fields=["state", "-opened_at"], name="pull_request_by_state")]

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


class WebhookDelivery(models.Model):
    """A delivery that a forge signed, for a linked repository. Its contents are not kept: it is a hint to ask there."""

    source = models.CharField(max_length=20)  # "github"
    delivery_id = models.CharField(max_length=100)
    event = models.CharField(max_length=50)
    repository = models.CharField(max_length=100)
    number = models.PositiveIntegerField(null=True, blank=True)  # of the pull request that it is about
    body_hash = models.CharField(max_length=64)  # SHA-256: the id is not signed, so a replay may have another one
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-received_at", "-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["source", "delivery_id"], name="delivery_is_taken_once"),
            models.UniqueConstraint(fields=["source", "body_hash"], name="delivery_body_is_taken_once"),
        ]
        indexes = [
            models.Index(fields=["received_at"], name="delivery_by_time"),
            models.Index(fields=["repository", "-received_at"], name="delivery_by_repository"),
        ]

    def __str__(self) -> str:
        return self.delivery_id
