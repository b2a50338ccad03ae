"""Deployments that reach people as pull requests: where they go, what they hold, and the rows that show them.

Terraform is applied by a customer's automation after somebody merged the pull request (engine "pull-request").
Workflows of a pipeline go into the service's own repository (engine "workflow"), after the pipeline's infrastructure:
one deployment, whose phase says which of the two is under way. ``Deployment.delivery`` freezes the repositories when
it starts, and keeps what the infrastructure made while the workflows are delivered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from portal import arns
from portal.actions import contexts, pull_requests, rendering
from portal.actions.targets import Target, manifest_entry, part_of
from portal.enums import DeploymentPhase
from portal.errors import Invalid
from portal.models import Component, Deployment, Environment, PullRequest, ServiceInstance, ServicePipeline
from portal.models import TemplateVersion as Version
from portal.queries import destinations as queries
from portal.queries import sensitive
from provisioning.context import workflow_context
from provisioning.engines.base import Outcome, SeenPullRequest
from provisioning.outputs import Output, ProvisionedResource
from provisioning.problems import Problem
from provisioning.render import terraform
from provisioning.render.workflow import FOLDER

PULL_REQUEST, WORKFLOW = "pull-request", "workflow"
ENGINES = frozenset({PULL_REQUEST, WORKFLOW})


def follows(version: Version) -> bool:
    """Whether deployments of a version deliver workflows."""
    return queries.is_published(version) and queries.has_workflows(version)


def require_repository(target: ServicePipeline, version: Version) -> None:
    """A service whose template brings workflows has a repository that they can go to. Raises Invalid."""
    if not follows(version) or queries.service_repository(target.service) is not None:
        return
    name = target.service.repository_id
    if name:
        message = (
            f"{version} delivers workflows into the service's repository, but {name} is not linked. Link it first."
        )
    else:
        message = f"{version} delivers workflows into the service's repository: give the service a linked repository."
    raise Invalid(message, [Problem("/repository_id", message)])


def planned(target: Target, version: Version | None, engine: str, *, again: bool = False) -> dict[str, Any] | None:
    """Where a deployment that starts will deliver to; None for one that opens no pull request.

    Drafts deliver no workflows, and leave those of earlier versions alone. A version without workflows takes those of
    an earlier one away.
    """
    found: dict[str, Any] = {}
    if engine == PULL_REQUEST:
        found["infrastructure"] = queries.provisioning_repository(target)
    if isinstance(target, ServicePipeline) and version is not None and queries.is_published(version):
        before = (target.latest.delivery or {}).get("workflow") if target.latest else None
        if queries.has_workflows(version):
            found["workflow"] = queries.service_repository(target.service)
        elif before:
            found["workflow"] = before
    if again:
        found["again"] = True
    return found or None


def planned_removal(source: Deployment | None) -> dict[str, Any] | None:
    """A removal goes where the deployments went."""
    before = (source.delivery if source else None) or {}
    return {key: before[key] for key in ("infrastructure", "workflow") if before.get(key)} or None


def current_engine(deployment: Deployment) -> str:
    """The engine of the part that is under way."""
    return WORKFLOW if deployment.phase == DeploymentPhase.DELIVERING else deployment.engine


def workflows_follow(deployment: Deployment) -> bool:
    """Whether workflows are to be delivered once the infrastructure is there, or gone."""
    return current_engine(deployment) != WORKFLOW and bool((deployment.delivery or {}).get("workflow"))


# What a job holds


def fields(deployment: Deployment, target: Target | None) -> dict[str, Any]:
    """What the job of a pull request has beyond that of any deployment."""
    part = "workflow" if current_engine(deployment) == WORKFLOW else "infrastructure"
    delivery = deployment.delivery or {}
    about: dict[str, Any] = {"repository": delivery.get(part)}
    if part == "workflow":
        about |= {
            "service": deployment.service_name,
            "template": deployment.template_name,
            "version": deployment.number,
            "inputs": sensitive.shown_inputs(deployment),
            "again": bool(delivery.get("again")),
        }
    else:
        about |= {
            "kind": _kind(deployment),
            "environment": deployment.environment_name,
            "service": deployment.service_name,
            "instance": deployment.instance_name,
            "component": deployment.component_name,
            "timeout": settings.PULL_REQUEST_TIMEOUT,
        }
    return {"settings": about, "files": own_files(deployment), "template": ""}


def own_files(deployment: Deployment) -> dict[str, str]:
    """The rendered files of the part that is under way."""
    workflows = current_engine(deployment) == WORKFLOW
    return {path: text for path, text in deployment.rendered.items() if path.startswith(FOLDER) == workflows}


def _kind(deployment: Deployment) -> terraform.Kind:
    kinds: dict[str, terraform.Kind] = {
        "ENVIRONMENT": "environment",
        "SERVICE_INSTANCE": "service_instance",
        "SERVICE_PIPELINE": "pipeline",
    }
    return kinds.get(deployment.target_type, "component")


def terraform_files(deployment: Deployment, target: Target, context: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the target's folder in its provisioning repository. Raises ProblemsFound."""
    if isinstance(target, Component):
        entry = manifest_entry(target.manifest)
        sources = {entry.file: deployment.template_file}
    else:
        assert deployment.version is not None
        sources = rendering.terraform_sources(deployment.version, part_of(target))
    return terraform.files(_resource(deployment, target), sources, context, contexts.tags(target))


def _resource(deployment: Deployment, target: Target) -> terraform.Resource:
    kind = "ENVIRONMENT" if isinstance(target, Environment) else "SERVICE"
    versioned: dict[str, str] = {}
    if not isinstance(target, Component):
        versioned = {
            "template_arn": arns.template(kind, deployment.template_name),
            "major_version": str(deployment.template_major),
            "minor_version": str(deployment.template_minor),
        }
    around: dict[str, str] = {}
    if isinstance(target, ServiceInstance | Component):
        around["environment_arn"] = target.environment.arn
    if isinstance(target, Component) and target.instance is not None:
        around["service_arn"] = target.instance.service.arn
        around["service_instance_arn"] = target.instance.arn
    return terraform.Resource(
        kind=_kind(deployment), arn=target.arn, deployment=str(deployment.pk), **versioned, **around
    )


def workflow_files(deployment: Deployment, context: Mapping[str, Any], outputs: Iterable[Output]) -> dict[str, str]:
    """The workflows of a deployment's version by their paths in the service's repository. Raises ProblemsFound."""
    assert deployment.version is not None
    known = {output.key: output.value for output in outputs}
    return rendering.render_workflows(deployment.version, workflow_context(dict(context), known))


def without_workflows(rendered: Mapping[str, str]) -> dict[str, str]:
    """The files of the infrastructure alone."""
    return {path: text for path, text in rendered.items() if not path.startswith(FOLDER)}


# Between infrastructure and workflows


def kept(outcome: Outcome) -> dict[str, Any]:
    """An outcome of the infrastructure as it stands on the row meanwhile."""
    return {
        "outputs": [[row.key, row.value, row.description] for row in outcome.outputs],
        "resources": [[row.name, row.identifier, row.engine] for row in outcome.resources],
        "unchanged": outcome.unchanged,
    }


def together(deployment: Deployment, outcome: Outcome) -> Outcome:
    """The end of the workflows' delivery as the end of the whole deployment.

    What the infrastructure made is there whatever became of the workflows. Infrastructure that was deployed is not
    cancelled any more: stopping then is a failure that a retry makes good.
    """
    made = (deployment.delivery or {}).get("made")
    if not made:
        return outcome
    outputs = {row[0]: Output(*row) for row in made["outputs"]} | {row.key: row for row in outcome.outputs}
    resources = tuple(ProvisionedResource(*row) for row in made["resources"])
    whole = replace(
        outcome,
        outputs=tuple(outputs.values()),
        resources=(*resources, *outcome.resources),
        unchanged=outcome.unchanged and made["unchanged"],
    )
    if outcome.status == "succeeded":
        return whole
    reason = outcome.reason
    if outcome.status == "cancelled":
        reason = "It was stopped before its workflows were delivered."
    done = "deployed" if deployment.kind != "delete" else "removed"
    return replace(
        whole,
        status="failed",
        reason=f"The infrastructure is {done}. {reason}",
        next_action=outcome.next_action or "retry",
    )


# Rows


def record(deployment: Deployment, seen: Iterable[SeenPullRequest]) -> None:
    """Write pull requests as they were seen. One that an earlier deployment opened stays that one's."""
    for each in seen:
        found = each.pull
        named = {"provider": each.repository.provider, "repository": each.repository.name, "number": found.number}
        now = pull_requests.seen(found)
        made = {
            **now,
            "deployment": deployment,
            "base": found.base,
            "branch": found.branch,
            "url": found.url,
            "opened_at": datetime.fromtimestamp(found.opened_at, UTC),
            "closed_at": Now() if found.state == "closed" else None,
        }
        row, is_new = PullRequest.objects.get_or_create(**named, defaults=made)
        if not is_new:
            PullRequest.objects.filter(pk=row.pk).exclude(state=PullRequest.State.MERGED).update(seen_at=Now(), **now)
