"""How each status and kind looks: an icon and a tone beside its word, so that colour never speaks alone."""

from dataclasses import dataclass
from typing import Literal

from django.db.models import TextChoices

from portal.enums import (
    ComponentSource,
    ConnectVerdict,
    DeploymentKind,
    DeploymentPhase,
    DeploymentStatus,
    DeploymentTargetType,
    DeploymentUpdateType,
    EnvironmentAccountConnectionStatus,
    Provisioning,
    RepositoryProvider,
    Role,
    ServiceStatus,
    Staleness,
    TemplateKind,
    TemplateVersionStatus,
)

Tone = Literal["good", "bad", "warn", "busy", "quiet", "accent"]


@dataclass(frozen=True)
class Look:
    label: str
    icon: str
    tone: Tone


GOOD: tuple[str, Tone] = ("circle-check", "good")
BAD: tuple[str, Tone] = ("circle-x", "bad")
BUSY: tuple[str, Tone] = ("loader-2", "busy")
CLEANED: tuple[str, Tone] = ("eraser", "bad")

LOOKS: dict[TextChoices, tuple[str, Tone]] = {
    TemplateKind.ENVIRONMENT: ("stack-2", "quiet"),
    TemplateKind.SERVICE: ("apps", "quiet"),
    Provisioning.CUSTOMER_MANAGED: ("user-cog", "quiet"),
    TemplateVersionStatus.REGISTRATION_IN_PROGRESS: BUSY,
    TemplateVersionStatus.REGISTRATION_FAILED: BAD,
    TemplateVersionStatus.DRAFT: ("pencil", "quiet"),
    TemplateVersionStatus.PUBLISHED: GOOD,
    DeploymentStatus.IN_PROGRESS: BUSY,
    DeploymentStatus.FAILED: BAD,
    DeploymentStatus.SUCCEEDED: GOOD,
    DeploymentStatus.DELETE_IN_PROGRESS: BUSY,
    DeploymentStatus.DELETE_FAILED: BAD,
    DeploymentStatus.DELETE_COMPLETE: ("trash", "quiet"),
    DeploymentStatus.CANCELLING: BUSY,
    DeploymentStatus.CANCELLED: ("ban", "quiet"),
    DeploymentTargetType.ENVIRONMENT: ("stack-2", "quiet"),
    DeploymentTargetType.SERVICE_PIPELINE: ("git-branch", "quiet"),
    DeploymentTargetType.SERVICE_INSTANCE: ("box", "quiet"),
    DeploymentTargetType.COMPONENT: ("puzzle", "quiet"),
    ComponentSource.DIRECTLY_DEFINED: ("puzzle", "quiet"),
    DeploymentUpdateType.NONE: ("file-text", "quiet"),
    DeploymentUpdateType.CURRENT_VERSION: ("refresh", "quiet"),
    DeploymentUpdateType.MINOR_VERSION: ("arrow-up", "quiet"),
    DeploymentUpdateType.MAJOR_VERSION: ("arrow-big-up", "quiet"),
    DeploymentKind.CREATE: ("plus", "quiet"),
    DeploymentKind.UPDATE: ("refresh", "quiet"),
    DeploymentKind.DELETE: ("trash", "quiet"),
    EnvironmentAccountConnectionStatus.PENDING: ("clock", "warn"),
    EnvironmentAccountConnectionStatus.CONNECTED: ("plug-connected", "good"),
    EnvironmentAccountConnectionStatus.REJECTED: ("ban", "quiet"),
    ConnectVerdict.SAFE: ("shield-check", "good"),
    ConnectVerdict.OPEN: ("lock-open", "bad"),
    ConnectVerdict.CLOSED: BAD,
    ConnectVerdict.UNCHECKED: ("shield-question", "quiet"),
    ConnectVerdict.NOTHING: ("minus", "quiet"),
    DeploymentPhase.QUEUED: ("clock", "busy"),
    DeploymentPhase.RENDERING: ("file-code", "busy"),
    DeploymentPhase.APPLYING: BUSY,
    DeploymentPhase.DELIVERING: ("git-pull-request", "busy"),
    DeploymentPhase.ATTENTION: ("hand-stop", "warn"),
    DeploymentPhase.FINISHED: ("flag", "quiet"),
    ServiceStatus.CREATE_IN_PROGRESS: BUSY,
    ServiceStatus.CREATE_FAILED_CLEANUP_IN_PROGRESS: ("loader-2", "bad"),
    ServiceStatus.CREATE_FAILED_CLEANUP_COMPLETE: CLEANED,
    ServiceStatus.CREATE_FAILED_CLEANUP_FAILED: BAD,
    ServiceStatus.CREATE_FAILED: BAD,
    ServiceStatus.ACTIVE: GOOD,
    ServiceStatus.DELETE_IN_PROGRESS: BUSY,
    ServiceStatus.DELETE_FAILED: BAD,
    ServiceStatus.UPDATE_IN_PROGRESS: BUSY,
    ServiceStatus.UPDATE_FAILED_CLEANUP_IN_PROGRESS: ("loader-2", "bad"),
    ServiceStatus.UPDATE_FAILED_CLEANUP_COMPLETE: CLEANED,
    ServiceStatus.UPDATE_FAILED_CLEANUP_FAILED: BAD,
    ServiceStatus.UPDATE_FAILED: BAD,
    ServiceStatus.UPDATE_COMPLETE_CLEANUP_FAILED: ("alert-triangle", "warn"),
    Role.ADMIN: ("shield", "accent"),
    Role.PLATFORM: ("tool", "quiet"),
    Role.DEVELOPER: ("code", "quiet"),
    Role.VIEWER: ("eye", "quiet"),
    RepositoryProvider.GITHUB: ("git-branch", "quiet"),
    RepositoryProvider.GITHUB_ENTERPRISE: ("git-branch", "quiet"),
    RepositoryProvider.BITBUCKET: ("git-branch", "quiet"),
    Staleness.UP_TO_DATE: GOOD,
    Staleness.BEHIND_MINOR: ("arrow-up", "warn"),
    Staleness.BEHIND_MAJOR: ("arrow-big-up", "bad"),
}
BY_VALUE = {str(member.value): Look(str(member.label), icon, tone) for member, (icon, tone) in LOOKS.items()}


def look(value: str) -> Look:
    """The look of an enum's value. Raises KeyError for a value that has none: a test keeps the table total."""
    return BY_VALUE[str(value)]
