"""Rows: one file per noun."""

from portal.models.accounts import AccountSettings, AwsAccount
from portal.models.audit import AuditEvent
from portal.models.bundles import Bundle
from portal.models.connections import EnvironmentAccountConnection
from portal.models.deployments import Deployment, DeploymentEvent, Output, ProvisionedResource
from portal.models.drafts import Draft
from portal.models.environments import Environment
from portal.models.keys import AccessKey
from portal.models.people import Team, User
from portal.models.services import Service, ServiceChange, ServiceInstance, ServicePipeline
from portal.models.templates import CompatibleEnvironment, Template, TemplateMajor, TemplateVersion
from portal.models.usage import UsageRecord

__all__ = [
    "AccessKey",
    "AccountSettings",
    "AuditEvent",
    "AwsAccount",
    "Bundle",
    "CompatibleEnvironment",
    "Deployment",
    "DeploymentEvent",
    "Draft",
    "Environment",
    "EnvironmentAccountConnection",
    "Output",
    "ProvisionedResource",
    "Service",
    "ServiceChange",
    "ServiceInstance",
    "ServicePipeline",
    "Team",
    "Template",
    "TemplateMajor",
    "TemplateVersion",
    "UsageRecord",
    "User",
]
