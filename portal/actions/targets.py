"""What deployments change: environments, instances, pipelines and components, and how each is provisioned."""

from django.conf import settings

from portal.actions import places
from portal.enums import DeploymentTargetType
from portal.errors import Invalid
from portal.models import (
    AccountSettings,
    Component,
    Deployment,
    Environment,
    Service,
    ServiceInstance,
    ServicePipeline,
    TemplateVersion,
)
from portal.queries import destinations
from portal.queries import templates as template_queries
from portal.queries.environments import component_role
from provisioning.components import component_manifest
from provisioning.manifest import ManifestEntry
from provisioning.problems import Problem

Target = Environment | ServiceInstance | ServicePipeline | Component
ENGINES_HERE = {
    "cloudformation": "cloudformation",
    "codebuild": "codebuild",
    "terraform": "pull-request",
    "github_actions": "workflow",
}
ENTERS_NOTHING = frozenset({"none", "pull-request", "workflow"})  # what acts in the account has rights of its own


def where(target: Target, engine: str, *, removing: bool = False) -> dict[str, str]:
    """Account, region, role and external id that a target deploys with now. Pipelines go to the management account.

    Raises Invalid when there is no way into the account, Conflict for a component in an environment without component
    role (``places.entry``); ``ENTERS_NOTHING`` needs no way in. ``removing``: a component may take the role it had.
    """
    if isinstance(target, ServicePipeline):
        return {
            "account_id": settings.PORTAL_ACCOUNT_ID,
            "region": settings.PORTAL_REGION,
            "role_arn": AccountSettings.get().pipeline_service_role_arn,
            "external_id": "",
        }
    environment = target if isinstance(target, Environment) else target.environment
    role_arn, external_id = "", ""
    if engine not in ENTERS_NOTHING:
        component = isinstance(target, Component)
        had = target.latest.role_arn if component and removing and target.latest else ""
        role_arn, external_id = places.entry(environment, component=component, builds=engine == "codebuild", had=had)
    return {
        "account_id": environment.target_account_id,
        "region": environment.region,
        "role_arn": role_arn,
        "external_id": external_id,
    }


def who(target: Target) -> dict[str, str]:
    """The columns that name the target on its deployments."""
    if isinstance(target, Environment):
        return {"target_type": DeploymentTargetType.ENVIRONMENT, "environment_name": target.name}
    if isinstance(target, ServicePipeline):
        return {"target_type": DeploymentTargetType.SERVICE_PIPELINE, "service_name": target.service.name}
    if isinstance(target, Component):
        return {
            "target_type": DeploymentTargetType.COMPONENT,
            "environment_name": target.environment.name,
            "component_name": target.name,
        }
    return {
        "target_type": DeploymentTargetType.SERVICE_INSTANCE,
        "environment_name": target.environment.name,
        "service_name": target.service.name,
        "instance_name": target.name,
    }


def part_of(target: Target) -> str:
    """The part of a bundle that provisions this target."""
    return {Environment: "infrastructure", ServiceInstance: "instance", ServicePipeline: "pipeline"}[type(target)]


def manifest_entry(manifest: str) -> ManifestEntry:
    """The one entry of a component's manifest. Raises Invalid."""
    entry, problems = component_manifest(manifest)
    if entry is None:
        raise Invalid(" ".join(problem.message for problem in problems), problems)
    return entry


def engine_for(target: Target, version: TemplateVersion | None) -> str:
    """Which engine the version's bundle, or a component's manifest, asks for. Raises Invalid when this portal has none
    of that kind."""
    if isinstance(target, Component):
        entry = manifest_entry(target.manifest)
        return _engine_here(target, entry.template_language, target.name, "/manifest")
    assert version is not None
    part = template_queries.bundle_of(version).parts.get(part_of(target))
    if part is None:
        return "none"
    if part.manifest.engine == "github_actions" and not destinations.is_published(version):
        message = f"{version} is a draft: workflows are delivered from published versions only. Publish it first."
        raise Invalid(message, [Problem("/version", message)])
    return _engine_here(target, part.manifest.engine, str(version), "/version")


def _engine_here(target: Target, language: str, what: str, path: str) -> str:
    engine = ENGINES_HERE.get(language)
    if engine is None:
        message = f"{what} is provisioned with {language}, which this portal cannot run yet."
        raise Invalid(message, [Problem(path, message)])
    if engine == "pull-request" and not destinations.provisioning_repository(target):
        place = "this portal's pipelines" if isinstance(target, ServicePipeline) else _environment_of(target)
        message = f"{what} is Terraform, which is provisioned by pull requests: give {place} a provisioning repository."
        raise Invalid(message, [Problem(path, message)])
    if engine == "cloudformation" and _is_self_managed(target):
        message = f"{what} is CloudFormation, which {_environment_of(target)} has no role for: it takes Terraform only."
        raise Invalid(message, [Problem(path, message)])
    if settings.SIMULATION is not None and engine != "workflow":
        return "memory"
    if engine == "codebuild" and settings.COMMAND_RUNNER == "local":
        return "command"
    if engine == "codebuild" and not codebuild_role_of(target):
        place = "the pipelines of this portal" if isinstance(target, ServicePipeline) else "its environment"
        message = f"{what} is provisioned by commands in CodeBuild: give {place} a CodeBuild role."
        raise Invalid(message, [Problem("/codebuild_role_arn", message)])
    return engine


def _environment_of(target: Target) -> str:
    if isinstance(target, ServicePipeline):
        return "the account"
    return f"environment {target.name if isinstance(target, Environment) else target.environment.name}"


def _is_self_managed(target: Target) -> bool:
    """Whether it is provisioned through a repository only: AWS Proton gives such an environment no role."""
    if isinstance(target, ServicePipeline):
        return False
    environment = target if isinstance(target, Environment) else target.environment
    role = component_role(environment) if isinstance(target, Component) else environment.proton_service_role_arn
    return bool(environment.provisioning_repository) and not role


def codebuild_role_of(target: Target) -> str:
    """The role that CodeBuild's builds for a target have; "" where none was given."""
    if isinstance(target, ServicePipeline):
        return AccountSettings.get().pipeline_codebuild_role_arn
    environment = target if isinstance(target, Environment) else target.environment
    return (environment.connection or environment).codebuild_role_arn


def target_of(deployment: Deployment) -> Target | None:
    """The row that a deployment changes, of the same incarnation; None when it is gone."""
    model = {
        DeploymentTargetType.ENVIRONMENT: Environment,
        DeploymentTargetType.SERVICE_INSTANCE: ServiceInstance,
        DeploymentTargetType.SERVICE_PIPELINE: ServicePipeline,
        DeploymentTargetType.COMPONENT: Component,
    }[DeploymentTargetType(deployment.target_type)]
    return model.objects.filter(arn=deployment.target_arn, created_at=deployment.target_created_at).first()


def locked_target_of(deployment: Deployment) -> Target | None:
    """The same, with the environment or service that it belongs to locked until the transaction ends.

    A component is locked itself, and before it the service that it is attached to.
    """
    found = target_of(deployment)
    if found is None:
        return None
    if isinstance(found, Environment):
        Environment.objects.select_for_update().filter(pk=found.pk).first()
    elif isinstance(found, Component):
        if found.instance is not None:
            Service.objects.select_for_update().filter(pk=found.instance.service_id).first()
        Component.objects.select_for_update().filter(pk=found.pk).first()
    else:
        Service.objects.select_for_update().filter(pk=found.service_id).first()
    return target_of(deployment)
