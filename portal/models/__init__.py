"""Rows: one file per noun."""

from portal.models.accounts import AccountSettings, AwsAccount
from portal.models.audit import AuditEvent, AuditHead
from portal.models.bundles import Bundle
from portal.models.components import Component
from portal.models.connections import EnvironmentAccountConnection
from portal.models.creations import Creation
from portal.models.deployments import Deployment, DeploymentEvent, Output, ProvisionedResource
from portal.models.drafts import Draft
from portal.models.environments import Environment
from portal.models.identity import ExternalIdentity, RecoveryCode, SignInThrottle, Totp
from portal.models.keys import AccessKey, SessionKey
from portal.models.people import Team, User
from portal.models.repositories import PullRequest, Repository, WebhookDelivery
from portal.models.services import Service, ServiceChange, ServiceInstance, ServicePipeline
from portal.models.templates import CompatibleEnvironment, Template, TemplateMajor, TemplateVersion
from portal.models.usage import UsageRecord
from portal.models.wire import WireReply

__all__ = [
    "AccessKey",
    "AccountSettings",
    "AuditEvent",
    "AuditHead",
    "AwsAccount",
    "Bundle",
    "CompatibleEnvironment",
    "Component",
    "Creation",
    "Deployment",
    "DeploymentEvent",
    "Draft",
    "Environment",
    "EnvironmentAccountConnection",
    "ExternalIdentity",
    "Output",
    "ProvisionedResource",
    "PullRequest",
    "RecoveryCode",
    "Repository",
    "Service",
    "ServiceChange",
    "ServiceInstance",
    "ServicePipeline",
    "SessionKey",
    "SignInThrottle",
    "Team",
    "Template",
    "TemplateMajor",
    "TemplateVersion",
    "Totp",
    "UsageRecord",
    "User",
    "WebhookDelivery",
    "WireReply",
]
