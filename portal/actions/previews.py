"""What a deployment would be, before anybody asks for it: rendered files, findings, the difference, the command."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

from portal import arns, engines
from portal.actions import contexts, folder_previews, places, rendering, specs, versions
from portal.actions.folder_previews import Folder
from portal.actions.targets import Target as Changed
from portal.errors import Invalid
from portal.models import (
    Deployment,
    Environment,
    Service,
    ServiceInstance,
    ServicePipeline,
    Template,
    TemplateVersion,
    User,
)
from portal.queries import templates as template_queries
from portal.queries.deployments import output_values
from portal.queries.rights import may_change
from provisioning.changes import DiffLine, diff_text
from provisioning.context import (
    EnvironmentFacts,
    ServiceFacts,
    environment_context,
    instance_context,
    workflow_context,
)
from provisioning.engines.base import EngineUnavailable, Job, PlannedChange
from provisioning.problems import Problem, ProblemsFound
from provisioning.render.workflow import FOLDER as WORKFLOWS
from provisioning.spec import dump_spec


@dataclass(frozen=True)
class Preview:
    """``problems`` are of the spec check, the rendering and the lint; ``files`` and ``before`` are text by path."""

    problems: tuple[Problem, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    diff: list[DiffLine] = field(default_factory=list)
    changes: tuple[PlannedChange, ...] = ()
    plan_error: str = ""
    spec: str = ""
    command: str = ""
    workflows: Mapping[str, list[DiffLine]] = field(default_factory=dict)  # what is new in each, by path
    is_terraform: bool = False
    folder: Folder | None = None  # of an update of Terraform
    new_files: Mapping[str, str] = field(default_factory=dict)  # of Terraform that is not there yet, in its folder

    @property
    def unchanged(self) -> bool:
        return bool(self.before) and self.files == self.before


def _command(*words: str, **options: str) -> str:
    """A shell command that does the same through the AWS CLI, one option a line."""
    parts = ["aws proton " + " ".join(words)]
    parts += [f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in options.items() if value]
    return " \\\n  ".join(parts)


def create_command(
    template: Template, version: TemplateVersion, name: str, spec: str, description: str = "", **more: str
) -> str:
    """The ``aws proton`` command that makes the same environment or service; ``more`` are its other options."""
    word = "create-environment" if template.kind == "ENVIRONMENT" else "create-service"
    return _command(
        word,
        name=name,
        description=description,
        template_name=template.name,
        template_major_version=str(version.major),
        template_minor_version=str(version.minor),
        **more,
        spec=spec,
    )


def update_command(target: Changed, version: TemplateVersion, spec: str) -> str:
    """The ``aws proton`` command that makes the same update."""
    kind = versions.update_type(target.version, version)
    if isinstance(target, Environment):
        word, named = "update-environment", {"name": target.name}
    elif isinstance(target, ServiceInstance):
        word, named = "update-service-instance", {"service_name": target.service.name, "name": target.name}
    else:
        word, named = "update-service-pipeline", {"service_name": target.service.name}
    numbers = (
        {}
        if kind == "CURRENT_VERSION"
        else {"template_major_version": str(version.major), "template_minor_version": str(version.minor)}
    )
    return _command(word, **named, deployment_type=str(kind), **numbers, spec=spec)


def preview_environment(
    *,
    by: User,
    template: Template,
    version: TemplateVersion,
    name: str,
    spec: str,
    environment: Environment | None = None,
    description: str = "",
    plan: bool = False,
) -> Preview:
    """Of a new environment, or of an update of ``environment``. Never raises for what was typed: see ``problems``.

    ``plan`` asks AWS what would change, for those who may deploy it. Raises NotFound for a draft that is not theirs.
    """
    _require_usable(by, version, environment)
    try:
        document = specs.read(spec, "environment", stored=environment.spec if environment else "")
        inputs = specs.environment_inputs(document, version)
        context = environment_context(name=name or "name", inputs=inputs)
    except Invalid as wrong:
        return Preview(problems=wrong.problems, spec=spec)
    text = dump_spec(document)
    if environment is None:
        command = create_command(template, version, name, text, description)
    else:
        command = update_command(environment, version, text)
    return _preview(
        version,
        "infrastructure",
        context,
        environment,
        text,
        command,
        plan and environment is not None and may_change(by, environment),
        fresh=Environment(name=name or "name", arn=arns.environment(name or "name"), template=template),
    )


def preview_instance(
    *,
    by: User,
    version: TemplateVersion,
    service_name: str,
    instance_name: str,
    environment_name: str,
    spec: str,
    instance: ServiceInstance | None = None,
    service: ServiceFacts | None = None,
    description: str = "",
    plan: bool = False,
) -> Preview:
    """Of one instance of a new service, or of an update of ``instance``; otherwise the same."""
    _require_usable(by, version, instance)
    try:
        stored = instance.service.spec if instance else ""
        document = specs.read(spec, "service", stored=stored, instance=instance_name if instance else "")
        inputs = specs.instance_inputs(document, instance_name, version)
    except Invalid as wrong:
        return Preview(problems=wrong.problems, spec=spec)
    environment = Environment.objects.filter(name=environment_name).first()
    if environment is None or environment.deployed_id is None:
        message = (
            f"Environment {environment_name} is not deployed yet." if environment_name else "Choose an environment."
        )
        return Preview(problems=(Problem("/instances", message),), spec=spec)
    facts: EnvironmentFacts = contexts.environment_facts(environment)
    context = instance_context(
        component=contexts.component_facts(instance) if instance else None,
        service=service
        or (contexts.service_facts(instance.service) if instance else ServiceFacts(service_name or "name")),
        name=instance_name,
        inputs=inputs,
        environment=facts,
    )
    text = dump_spec(document)
    if instance is None:
        command = create_command(version.template, version, service_name, text, description)
    else:
        command = update_command(instance, version, text)
    return _preview(
        version,
        "instance",
        context,
        instance,
        text,
        command,
        plan and instance is not None and may_change(by, instance),
        fresh=_new_instance(version, service_name or "name", instance_name or "name", environment),
    )


def _new_instance(version: TemplateVersion, service: str, name: str, environment: Environment) -> ServiceInstance:
    made = Service(name=service, arn=arns.service(service), template=version.template)
    return ServiceInstance(service=made, name=name, arn=arns.service_instance(service, name), environment=environment)


def preview_pipeline(
    *, by: User, version: TemplateVersion, pipeline: ServicePipeline, spec: str, plan: bool = False
) -> Preview:
    """Of an update of a service's pipeline; otherwise the same."""
    _require_usable(by, version, pipeline)
    try:
        document = specs.read(spec, "service", stored=pipeline.service.spec, pipeline=True)
        inputs = specs.pipeline_inputs(document, version)
    except Invalid as wrong:
        return Preview(problems=wrong.problems, spec=spec)
    text = dump_spec(document)
    context = contexts.gather(pipeline, inputs)
    command = update_command(pipeline, version, text)
    made = _preview(version, "pipeline", context, pipeline, text, command, plan and may_change(by, pipeline))
    return replace(made, workflows=_workflows(version, context, pipeline))


def _workflows(version: TemplateVersion, context: Mapping[str, Any], pipeline: ServicePipeline) -> dict[str, Any]:
    """How each workflow would differ from what was delivered last, with the outputs of the infrastructure as they are.

    {} for one that cannot be rendered: it may read an output that there is not yet.
    """
    try:
        new = rendering.render_workflows(version, workflow_context(dict(context), output_values(pipeline)))
    except ProblemsFound:
        return {}
    ran = dict(pipeline.deployed.rendered) if pipeline.deployed else {}
    old = {path: text for path, text in ran.items() if path.startswith(WORKFLOWS)}
    return {path: diff_text(old.get(path, ""), new.get(path, "")) for path in sorted({*old, *new})}


def _require_usable(by: User, version: TemplateVersion, target: Changed | None) -> None:
    """What runs already may be deployed again by those who may not choose drafts."""
    if target is None or target.shown_version != version:
        template_queries.require_usable(by, version)


def _preview(
    version: TemplateVersion,
    part_name: str,
    context: Mapping[str, Any],
    target: Changed | None,
    spec: str,
    command: str,
    plan: bool,
    *,
    fresh: Environment | ServiceInstance | None = None,
) -> Preview:
    """``fresh`` is what stands for the target while there is none; it is not saved."""
    from provisioning import lint

    ran = dict(target.deployed.rendered) if target is not None and target.deployed else {}
    before = {path: text for path, text in ran.items() if not path.startswith(WORKFLOWS)}
    try:
        files = rendering.render(version, part_name, context)
    except ProblemsFound as found:
        return Preview(problems=found.problems, before=before, spec=spec, command=command)
    if not files:
        made = Preview(before=before, spec=spec, command=command)
        return _terraform(version, part_name, context, target, made, fresh)
    file, text = next(iter(files.items()))
    changes, error = _planned(target, text) if plan and target is not None else ((), "")
    part = template_queries.bundle_of(version).parts[part_name]
    return Preview(
        problems=lint.lint_template(text, file, settings.PORTAL_REGION) if part.template else (),
        files=files,
        before=before,
        diff=diff_text(next(iter(before.values()), ""), text) if before else [],
        changes=changes,
        plan_error=error,
        spec=spec,
        command=command,
    )


def _terraform(
    version: TemplateVersion,
    part_name: str,
    context: Mapping[str, Any],
    target: Changed | None,
    made: Preview,
    fresh: Environment | ServiceInstance | None,
) -> Preview:
    """What nothing was rendered for, with what its pull request would change when it is Terraform."""
    part = template_queries.bundle_of(version).parts.get(part_name)
    if part is None or part.manifest.engine != "terraform":
        return made
    try:
        if target is None:
            new = folder_previews.of_new(version, fresh, context) if fresh is not None else {}
            return replace(made, is_terraform=True, new_files=new)
        folder = folder_previews.of_update(version, target, context)
    except ProblemsFound as found:
        return replace(made, problems=found.problems, is_terraform=True)
    return replace(made, is_terraform=True, folder=folder)


def _planned(target: Changed, text: str) -> tuple[tuple[PlannedChange, ...], str]:
    """What AWS says would change, with replacements; the reason when it cannot say."""
    last: Deployment | None = target.deployed
    if last is None or last.engine == "none" or last.runs_commands:
        return (), ""
    place = places.of_deployments([last]).get(last.pk)
    if place is None:
        return (), f"Account {last.account_id} cannot be entered: its account connection is not in force."
    job = Job(
        deployment=str(last.pk),
        intent="apply",
        name=last.external_name,
        target=place,
        template=text,
        tags=contexts.tags(target),
        identifier=last.identifier,
        settings={"template_bucket": settings.TEMPLATE_BUCKET, **(settings.SIMULATION or {})},
    )
    try:
        found = engines.engine(last.engine).preview(job)
    except EngineUnavailable as trouble:
        return (), f"AWS does not answer: {trouble}"
    return found.changes, found.error
