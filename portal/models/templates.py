"""Templates and their versions."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal import arns
from portal.enums import Provisioning, TemplateKind, TemplateVersionStatus
from portal.models.bundles import Bundle
from portal.models.due import DueWork


class Template(models.Model):
    """An environment or service template: a name under which versions are published.

    ``provisioning`` is the wire's ``provisioning`` of an environment template (its environments are never provisioned)
    and ``pipelineProvisioning`` of a service template (its services have no pipeline). It never changes.
    """

    kind = models.CharField(max_length=20, choices=TemplateKind.choices)
    name = models.CharField(max_length=100)
    display_name = models.CharField(max_length=100, blank=True)
    description = models.CharField(max_length=500, blank=True)
    provisioning = models.CharField(max_length=20, choices=Provisioning.choices, blank=True)
    encryption_key = models.CharField(max_length=200, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="template_name_is_unique_in_its_kind")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arns.template(self.kind, self.name)

    @property
    def title(self) -> str:
        return self.display_name or self.name

    @property
    def customer_managed(self) -> bool:
        return self.provisioning == Provisioning.CUSTOMER_MANAGED


class TemplateMajor(models.Model):
    """Remembers the numbers that were given out, so that none is used again after a deletion."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="majors")
    major = models.PositiveBigIntegerField()
    next_minor = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "major"], name="template_major_is_unique")]


class TemplateVersion(DueWork):
    """One bundle under a number. Registration reads, checks and lints it; publishing makes it recommended."""

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    major = models.PositiveBigIntegerField()
    minor = models.PositiveBigIntegerField()
    status = models.CharField(
        max_length=30,
        choices=TemplateVersionStatus.choices,
        default=TemplateVersionStatus.REGISTRATION_IN_PROGRESS,
    )
    status_message = models.TextField(blank=True)
    description = models.CharField(max_length=500, blank=True)
    schema = models.TextField(blank=True)  # the file's text, comments and all
    bundle = models.ForeignKey(Bundle, null=True, blank=True, on_delete=models.PROTECT, related_name="versions")
    source = models.JSONField(default=dict, blank=True)  # {"s3": {"bucket", "key"}} or {"upload": file name}
    problems = models.JSONField(default=list, blank=True)  # of Problem as dict: schema warnings and lint findings
    has_pipeline = models.BooleanField(default=False)
    supported_component_sources = models.JSONField(default=list, blank=True)
    publish_requested = models.BooleanField(default=False)  # publish as soon as registration ends well
    publish_reason = models.CharField(max_length=500, blank=True)  # why it was published over lint errors
    trusts_inputs = models.BooleanField(default=False)  # an admin lets developers write ${...} and {{resolve:...}}
    tags = models.JSONField(default=dict, blank=True)
    client_token = models.CharField(max_length=64, blank=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-major", "-minor"]
        constraints = [
            models.UniqueConstraint(fields=["template", "major", "minor"], name="template_version_number_is_unique"),
            models.CheckConstraint(
                condition=Q(status__in=TemplateVersionStatus.values), name="template_version_status_is_known"
            ),
        ]
        indexes = [models.Index(fields=["template", "status", "-major", "-minor"], name="version_by_status")]

    def __str__(self) -> str:
        return f"{self.template.name} {self.number}"

    @property
    def number(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def arn(self) -> str:
        return arns.template_version(self.template.kind, self.template.name, self.major, self.minor)

    @property
    def is_published(self) -> bool:
        return self.status == TemplateVersionStatus.PUBLISHED

    @property
    def is_usable(self) -> bool:
        """Registered well: a draft or a published version."""
        return self.status in {TemplateVersionStatus.DRAFT, TemplateVersionStatus.PUBLISHED}

    @property
    def lint_errors(self) -> int:
        return sum(problem.get("severity") == "error" for problem in self.problems)


class CompatibleEnvironment(models.Model):
    """A service template version may run in environments of this template and major version."""

    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="compatible_environments")
    template_name = models.CharField(max_length=100)
    major = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["template_name", "major"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "template_name", "major"], name="compatible_environment_is_listed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.template_name}:{self.major}"
