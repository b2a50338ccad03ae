"""What every engine promises. The contract suite in tests/contracts runs against each of them.

An engine observes first and makes **at most one** mutating call per ``advance``, so that its caller can check before
each one that it still owns the deployment. Every name and token that an engine uses derives from the job: a call that
is repeated finds what the first one made. An engine never guesses an unclear outcome: it returns ``Unclear``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from provisioning.outputs import Output, ProvisionedResource

if TYPE_CHECKING:
    from provisioning.forges.base import PullRequest, Repository

Intent = Literal["apply", "remove", "cancel"]


@dataclass(frozen=True)
class Target:
    """Where a job acts. Empty ``role_arn``: with the portal's own credentials. ``account_id`` has 12 digits."""

    account_id: str
    region: str
    role_arn: str = ""
    external_id: str = ""


@dataclass(frozen=True)
class Notified:
    """What ``NotifyResourceDeploymentStatusChange`` said last. ``status``: "", IN_PROGRESS, SUCCEEDED or FAILED."""

    status: str = ""
    message: str = ""
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True)
class Job:
    """All that an engine may know about one deployment."""

    deployment: str  # UUID of the deployment; change sets and request tokens derive from it
    intent: Intent
    name: str  # what the engine calls its object: for CloudFormation the stack's name
    target: Target
    template: str = ""  # the rendered main file; "" for remove and cancel
    files: Mapping[str, str] = field(default_factory=dict)  # every rendered file by path
    tags: Mapping[str, str] = field(default_factory=dict)
    identifier: str = ""  # what an earlier deployment of the same resource made (stack ARN), "" for the first
    allow_replace_empty: bool = False  # an explicit retry may delete our own ROLLBACK_COMPLETE stack first
    begins: bool = True  # False: nothing new is begun, and what is under way is followed to its end
    settings: Mapping[str, Any] = field(default_factory=dict)  # the manifest's settings, or a simulation's wishes
    bundle: Mapping[str, bytes] = field(default_factory=dict)  # files of the bundle that travel as they are, by path
    resource_arn: str = ""  # of the resource that is deployed
    notified: "Notified | None" = None  # what was reported to the portal about this deployment


NOT_BEGUN = "Stopped before anything was changed."


@dataclass(frozen=True)
class Event:
    """One line of progress. ``id`` is unique within the deployment: an event seen twice is recorded once."""

    id: str
    at: float  # seconds since the epoch
    resource: str
    status: str
    message: str = ""
    type: str = ""  # resource type, such as AWS::EC2::VPC
    failed: bool = False


@dataclass(frozen=True)
class SeenPullRequest:
    """A pull request that an engine opened or looked at, as the forge has it now."""

    repository: "Repository"
    pull: "PullRequest"


@dataclass(frozen=True)
class Progress:
    """Not done. ``handle`` is handed back on the next call; ``wait`` is in seconds; ``doing`` says what happens."""

    handle: str
    doing: str
    wait: float = 0.0
    events: tuple[Event, ...] = ()
    throttled: bool = False  # nothing happened because the other side asked us to slow down; spends no attempt
    pull_requests: tuple[SeenPullRequest, ...] = ()  # those of this deployment, as far as this call has seen them


@dataclass(frozen=True)
class Outcome:
    """Done. ``status`` is the end state; ``reason`` the first real cause in the provider's words when it failed."""

    status: Literal["succeeded", "failed", "cancelled"]
    reason: str = ""
    outputs: tuple[Output, ...] = ()
    resources: tuple[ProvisionedResource, ...] = ()
    events: tuple[Event, ...] = ()
    unchanged: bool = False  # the provider found nothing to change
    next_action: str = ""  # what a person can do about a failure: "retry", "continue-rollback", "retain", ...
    pull_requests: tuple[SeenPullRequest, ...] = ()


@dataclass(frozen=True)
class Unclear:
    """Neither done nor safe to go on: a person decides. The lock is held until then."""

    reason: str
    handle: str
    events: tuple[Event, ...] = ()
    pull_requests: tuple[SeenPullRequest, ...] = ()


@dataclass(frozen=True)
class PlannedChange:
    """One resource that a preview says would change. ``action``: Add, Modify, Remove, Import, Dynamic."""

    resource: str
    type: str
    action: str
    replacement: Literal["", "True", "False", "Conditional"] = ""
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """What an apply would do, without doing it. ``error`` when the provider could not say."""

    changes: tuple[PlannedChange, ...] = ()
    error: str = ""


class Engine(Protocol):
    """Two verbs. A provider's refusal raises nothing: it is an Outcome. EngineUnavailable: it is out of reach."""

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear: ...

    def preview(self, job: Job) -> Plan: ...


class EngineUnavailable(Exception):
    """The provider did not answer, or answered nonsense. Nothing may be concluded; look again later."""
