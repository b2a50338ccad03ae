"""Rendering a version's template in the process's limited children, for runs and previews alike."""

from collections.abc import Mapping
from typing import Any

from portal import engines
from portal.actions.targets import manifest_entry
from portal.models import TemplateVersion
from portal.queries import templates as queries
from provisioning.bundle import Bundle, Part, PartName
from provisioning.commands.plan import input_files
from provisioning.manifest import dump_settings
from provisioning.problems import ProblemsFound
from provisioning.render import terraform, workflow
from provisioning.render.developer import authored_strings
from provisioning.schema import MISSING, InputType, Property
from provisioning.yaml_reader import decode


def with_defaults(of: InputType | Property | None) -> Mapping[str, Any]:
    """The JSON Schema of an input type with the defaults that its author wrote; {} for none."""
    if of is None:
        return {}
    raw = dict(of.raw)
    if of.properties:
        raw["properties"] = {child.name: with_defaults(child) for child in of.properties}
    if isinstance(of, Property) and of.default is not MISSING:
        raw["default"] = of.default
    return raw


def authored(bundle: Bundle, part: PartName) -> frozenset[str]:
    """Texts that the template's author wrote as defaults and choices: a developer who keeps one has typed nothing."""
    schema = bundle.schema
    types = {
        "infrastructure": (schema.environment,),
        "instance": (schema.service,),
        "pipeline": (schema.pipeline, schema.service),
    }[part]
    return frozenset().union(*(authored_strings(with_defaults(of)) for of in types))


def render(version: TemplateVersion, part_name: str, context: Mapping[str, Any]) -> dict[str, str]:
    """The rendered files of one part by path; {} where the version has no such part or nothing to render.

    Raises ProblemsFound with file and line.
    """
    bundle = queries.bundle_of(version)
    part = bundle.parts.get(part_name)
    if part is not None and part.manifest.engine == "codebuild":
        return _commands(version, bundle, part, context)
    if part is None or not part.template:
        return {}
    result = engines.render_pool().render(
        part.template,
        part.template_file,
        context,
        trusts_inputs=version.trusts_inputs,
        authored=authored(bundle, part.name),
    )
    return {part.template_file: result.text}


def terraform_sources(version: TemplateVersion, part_name: str) -> dict[str, str]:
    """The .tf files of one part, as their author wrote them."""
    bundle = queries.bundle_of(version)
    return terraform.sources(bundle, bundle.parts[part_name])


def render_workflows(version: TemplateVersion, context: Mapping[str, Any]) -> dict[str, str]:
    """The workflow files beside a pipeline's template, by their paths in the service's repository; {} without any.

    Raises ProblemsFound with file and line.
    """
    bundle = queries.bundle_of(version)
    part = bundle.parts.get("pipeline")
    if part is None:
        return {}
    rendered = {}
    for path, source in workflow.targets(part).items():
        text, problems = decode(bundle.files[source], file=source)
        if text is None:
            raise ProblemsFound(problems)
        rendered[path] = (
            engines.render_pool()
            .render(
                text,
                source,
                context,
                trusts_inputs=version.trusts_inputs,
                authored=authored(bundle, part.name),
                language="github_actions",
            )
            .text
        )
    return rendered


def render_component(manifest: str, template_file: str, context: Mapping[str, Any]) -> dict[str, str]:
    """The one rendered file of a component, under the name that its manifest gives it.

    Nobody trusts its inputs, and no author wrote any of them. Raises ProblemsFound with file and line, Invalid for a
    manifest that cannot be read.
    """
    entry = manifest_entry(manifest)
    return {entry.file: engines.render_pool().render(template_file, entry.file, context).text}


def _commands(version: TemplateVersion, bundle: Bundle, part: Part, context: Mapping[str, Any]) -> dict[str, str]:
    """The manifest with its commands as they will run, and the input files beside it."""
    settings = engines.render_pool().render_settings(
        bundle.files[part.manifest_file].decode("utf-8-sig"),
        part.manifest_file,
        context,
        trusts_inputs=version.trusts_inputs,
        authored=authored(bundle, part.name),
    )
    inputs = input_files(context, part.directory, str(settings.get("input_type") or "JSON"))
    return {part.manifest_file: dump_settings(settings), **inputs}
