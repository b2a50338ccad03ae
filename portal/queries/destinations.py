"""Where deployments reach people as pull requests: repositories of targets, and what of a version goes there."""

from typing import Any

from portal.enums import TemplateVersionStatus
from portal.models import (
    AccountSettings,
    Component,
    Environment,
    Repository,
    Service,
    ServiceInstance,
    ServicePipeline,
    TemplateVersion,
)
from portal.queries import templates
from provisioning.bundle import Part
from provisioning.render import workflow

Target = Environment | ServiceInstance | ServicePipeline | Component
Where = dict[str, Any]  # {provider, name, branch}


def provisioning_repository(target: Target) -> Where | None:
    """The repository whose automation applies a target's Terraform: its environment's, for pipelines the account's."""
    if isinstance(target, ServicePipeline):
        return AccountSettings.get().pipeline_provisioning_repository
    environment = target if isinstance(target, Environment) else target.environment
    return environment.provisioning_repository


def takes_terraform(name: str) -> bool:
    """Whether the repository of this name is a provisioning repository: of an environment, or of all pipelines."""
    of_pipelines = AccountSettings.get().pipeline_provisioning_repository or {}
    return of_pipelines.get("name") == name or Environment.objects.filter(provisioning_repository__name=name).exists()


def service_repository(service: Service) -> Where | None:
    """The repository of a service's code, where workflows go; None unless it is linked."""
    name = service.repository_id
    row = Repository.objects.filter(name=name).order_by("provider").first() if name else None
    if row is None:
        return None
    return {"provider": row.provider, "name": name, "branch": service.branch_name or row.default_branch or "main"}


def pipeline_part(version: TemplateVersion | None) -> Part | None:
    """The pipeline's part of a service template version."""
    return None if version is None else templates.bundle_of(version).parts.get("pipeline")


def has_workflows(version: TemplateVersion | None) -> bool:
    part = pipeline_part(version)
    return part is not None and bool(part.manifest.workflows)


def workflow_paths(version: TemplateVersion | None) -> tuple[str, ...]:
    """Where a version's workflows go in a service's repository; () for a draft, which delivers none."""
    part = pipeline_part(version)
    if part is None or version is None or not is_published(version):
        return ()
    return tuple(workflow.targets(part))


def is_published(version: TemplateVersion) -> bool:
    return version.status == TemplateVersionStatus.PUBLISHED
