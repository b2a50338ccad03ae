"""Statuses and kinds with the wire's own strings (AWS Proton, service model 2020-07-20). Imports nothing of ours."""

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # what a type checker should know of Django's class, which publishes no types

    class TextChoices(StrEnum):
        choices: ClassVar[list[tuple[str, str]]]
        labels: ClassVar[list[str]]
        values: ClassVar[list[str]]

        @property
        def label(self) -> str: ...

else:
    from django.db.models import TextChoices


class TemplateKind(TextChoices):
    ENVIRONMENT = "ENVIRONMENT", "Environment"
    SERVICE = "SERVICE", "Service"


class Provisioning(TextChoices):
    CUSTOMER_MANAGED = "CUSTOMER_MANAGED", "Customer managed"


class RepositoryProvider(TextChoices):
    """GITHUB is the embedded forge of this machine where no credentials of GitHub are set (``make run``)."""

    GITHUB = "GITHUB", "GitHub"
    GITHUB_ENTERPRISE = "GITHUB_ENTERPRISE", "GitHub Enterprise"
    BITBUCKET = "BITBUCKET", "Bitbucket"


class TemplateVersionStatus(TextChoices):
    REGISTRATION_IN_PROGRESS = "REGISTRATION_IN_PROGRESS", "Registering"
    REGISTRATION_FAILED = "REGISTRATION_FAILED", "Registration failed"
    DRAFT = "DRAFT", "Draft"
    PUBLISHED = "PUBLISHED", "Published"


class DeploymentStatus(TextChoices):
    IN_PROGRESS = "IN_PROGRESS", "In progress"
    FAILED = "FAILED", "Failed"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS", "Deleting"
    DELETE_FAILED = "DELETE_FAILED", "Delete failed"
    DELETE_COMPLETE = "DELETE_COMPLETE", "Deleted"
    CANCELLING = "CANCELLING", "Cancelling"
    CANCELLED = "CANCELLED", "Cancelled"


RUNNING = frozenset({DeploymentStatus.IN_PROGRESS, DeploymentStatus.DELETE_IN_PROGRESS, DeploymentStatus.CANCELLING})


class DeploymentTargetType(TextChoices):
    ENVIRONMENT = "ENVIRONMENT", "Environment"
    SERVICE_PIPELINE = "SERVICE_PIPELINE", "Service pipeline"
    SERVICE_INSTANCE = "SERVICE_INSTANCE", "Service instance"
    COMPONENT = "COMPONENT", "Component"


class DeploymentUpdateType(TextChoices):
    NONE = "NONE", "Details only"
    CURRENT_VERSION = "CURRENT_VERSION", "Current version"
    MINOR_VERSION = "MINOR_VERSION", "Minor version"
    MAJOR_VERSION = "MAJOR_VERSION", "Major version"


class ComponentSource(TextChoices):
    """Where components that attach to instances of a service template version may come from."""

    DIRECTLY_DEFINED = "DIRECTLY_DEFINED", "Directly defined"


class DeploymentKind(TextChoices):
    CREATE = "create", "Create"
    UPDATE = "update", "Update"
    DELETE = "delete", "Delete"


class EnvironmentAccountConnectionStatus(TextChoices):
    PENDING = "PENDING", "Pending"
    CONNECTED = "CONNECTED", "Connected"
    REJECTED = "REJECTED", "Rejected"


class ConnectVerdict(TextChoices):
    """Ours: what assuming a connection's roles with and without the right external id showed."""

    SAFE = "safe", "Safe"
    OPEN = "open", "Open to others"
    CLOSED = "closed", "Cannot be assumed"
    UNCHECKED = "unchecked", "Not checked here"
    NOTHING = "nothing", "Nothing to test"


class DeploymentPhase(TextChoices):
    """Ours, finer than the wire's status."""

    QUEUED = "queued", "Waiting to start"
    RENDERING = "rendering", "Rendering the template"
    APPLYING = "applying", "Applying"
    DELIVERING = "delivering", "Delivering the workflows"
    ATTENTION = "attention", "Needs attention"
    FINISHED = "finished", "Finished"


class ServiceStatus(TextChoices):
    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS", "Creating"
    CREATE_FAILED_CLEANUP_IN_PROGRESS = "CREATE_FAILED_CLEANUP_IN_PROGRESS", "Create failed, cleaning up"
    CREATE_FAILED_CLEANUP_COMPLETE = "CREATE_FAILED_CLEANUP_COMPLETE", "Create failed, cleaned up"
    CREATE_FAILED_CLEANUP_FAILED = "CREATE_FAILED_CLEANUP_FAILED", "Create failed, clean-up failed"
    CREATE_FAILED = "CREATE_FAILED", "Create failed"
    ACTIVE = "ACTIVE", "Active"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS", "Deleting"
    DELETE_FAILED = "DELETE_FAILED", "Delete failed"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS", "Updating"
    UPDATE_FAILED_CLEANUP_IN_PROGRESS = "UPDATE_FAILED_CLEANUP_IN_PROGRESS", "Update failed, cleaning up"
    UPDATE_FAILED_CLEANUP_COMPLETE = "UPDATE_FAILED_CLEANUP_COMPLETE", "Update failed, cleaned up"
    UPDATE_FAILED_CLEANUP_FAILED = "UPDATE_FAILED_CLEANUP_FAILED", "Update failed, clean-up failed"
    UPDATE_FAILED = "UPDATE_FAILED", "Update failed"
    UPDATE_COMPLETE_CLEANUP_FAILED = "UPDATE_COMPLETE_CLEANUP_FAILED", "Updated, clean-up failed"


SERVICE_BUSY = frozenset(
    {
        ServiceStatus.CREATE_IN_PROGRESS,
        ServiceStatus.CREATE_FAILED_CLEANUP_IN_PROGRESS,
        ServiceStatus.DELETE_IN_PROGRESS,
        ServiceStatus.UPDATE_IN_PROGRESS,
        ServiceStatus.UPDATE_FAILED_CLEANUP_IN_PROGRESS,
    }
)


class Role(TextChoices):
    """Each contains the next: an admin may all that a platform engineer may, and so on."""

    ADMIN = "admin", "Admin"
    PLATFORM = "platform", "Platform engineer"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class Staleness(TextChoices):
    """Distance to the template's recommended version. Values of the wire's deployedTemplateVersionStatus filter."""

    UP_TO_DATE = "UP_TO_DATE", "Up to date"
    BEHIND_MINOR = "BEHIND_MINOR", "Behind, minor"
    BEHIND_MAJOR = "BEHIND_MAJOR", "Behind, major"
