"""The tags of a resource: those that people gave it, and those that AWS Proton kept on its own resources."""

from typing import Any

from django.conf import settings

from portal.models import (
    Component,
    Environment,
    EnvironmentAccountConnection,
    Service,
    ServiceInstance,
    Template,
    TemplateVersion,
)


def managed(resource: Any) -> dict[str, str]:
    """``aws:proton:…``: which account, template, environment and service it belongs to, as ARNs.

    AWS Proton: account connections have none.
    """
    if isinstance(resource, EnvironmentAccountConnection):
        return {}
    found = {"account": settings.PORTAL_ACCOUNT_ID}
    if isinstance(resource, TemplateVersion):
        found["template"] = resource.template.arn
    elif isinstance(resource, Template):
        found["template"] = resource.arn
    elif isinstance(resource, Environment):
        found |= {"template": resource.template.arn, "environment": resource.arn}
    elif isinstance(resource, Service):
        found |= {"template": resource.template.arn, "service": resource.arn}
    elif isinstance(resource, ServiceInstance):
        found |= {
            "template": resource.service.template.arn,
            "environment": resource.environment.arn,
            "service": resource.service.arn,
            "service-instance": resource.arn,
        }
    elif isinstance(resource, Component):
        found |= {"environment": resource.environment.arn, "component": resource.arn}
        if resource.instance is not None:
            found |= {"service": resource.instance.service.arn, "service-instance": resource.instance.arn}
    return {f"aws:proton:{key}": value for key, value in found.items()}


def tags_of(resource: Any) -> dict[str, str]:
    """All of them, by key."""
    return dict(sorted({**managed(resource), **resource.tags}.items()))
