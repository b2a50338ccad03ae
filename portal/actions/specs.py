"""Reading specs for the actions: every refusal is Invalid with all problems, whichever door the text came through."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from portal.errors import Invalid
from portal.models import TemplateVersion
from portal.queries import templates as queries
from provisioning.bundle import Kind
from provisioning.problems import Problem, errors, pointer
from provisioning.schema import Schema
from provisioning.spec import InstanceSpec, Spec, check_inputs, check_spec, parse_spec, resolve_current_values


def _refuse(what: str, problems: tuple[Problem, ...]) -> None:
    wrong = errors(problems)
    if wrong:
        raise Invalid(f"{what}: " + " ".join(problem.message for problem in wrong), wrong)


def read(text: str, kind: Kind, stored: str = "", *, instance: str = "", pipeline: bool = False) -> Spec:
    """The spec of a text, with ``${Proton::CURRENT_VAL}`` replaced from the stored text. Raises Invalid.

    AWS Proton: where only the entry of one ``instance`` is applied, or only the ``pipeline``, the rest may refer to
    what is not there.
    """
    spec, problems = parse_spec(text, kind)
    _refuse("The spec cannot be read", problems)
    assert spec is not None
    old = parse_spec(stored, kind)[0] if stored else None
    spec, problems = resolve_current_values(spec, old)
    if instance or pipeline:
        entries = [pointer("instances", at, "") for at, entry in enumerate(spec.instances) if entry.name == instance]
        applied = (pointer("pipeline", ""),) if pipeline else tuple(entries)
        problems = tuple(problem for problem in problems if problem.path.startswith(applied))
    _refuse("The spec refers to a value that is not there", problems)
    _refuse("The spec cannot be stored", tuple(_unstorable(spec)))
    return spec


def _unstorable(spec: Spec) -> Iterator[Problem]:
    """PostgreSQL keeps no NUL character, and no template can mean one."""
    yield from _with_nul(spec.inputs, "/spec")
    yield from _with_nul(spec.pipeline or {}, "/pipeline")
    for index, entry in enumerate(spec.instances):
        yield from _with_nul(entry.inputs, pointer("instances", index, "spec"))


def _with_nul(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _with_nul(name, path)
            yield from _with_nul(inner, path + pointer(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _with_nul(inner, f"{path}/{index}")
    elif isinstance(value, str) and "\0" in value:
        yield Problem(path, "A text cannot hold the character NUL.")


def stored(text: str, kind: Kind) -> Spec:
    """A spec that was accepted before. Raises Invalid if it cannot be read any more."""
    return read(text, kind)


def check(spec: Spec, version: TemplateVersion) -> Schema:
    """Raises Invalid with every problem of the spec against the version's schema."""
    bundle = queries.bundle_of(version)
    _refuse("The spec does not fit the template", check_spec(spec, bundle.schema, has_pipeline=bundle.has_pipeline))
    return bundle.schema


def check_instances(spec: Spec, version: TemplateVersion, names: Collection[str]) -> None:
    """Raises Invalid with every problem of the named instances' inputs against the version's schema."""
    schema = queries.schema_of(version).service
    problems: tuple[Problem, ...] = ()
    for index, entry in enumerate(spec.instances):
        if entry.name in names:
            problems += check_inputs(entry.inputs, schema, path=pointer("instances", index, "spec"))[1]
    _refuse("The spec does not fit the template", problems)


def check_pipeline(spec: Spec, version: TemplateVersion) -> None:
    """Raises Invalid with every problem of the pipeline's inputs, which a version without pipeline does not take."""
    schema = queries.schema_of(version)
    _refuse(
        "The spec does not fit the template",
        check_spec(replace(spec, instances=()), schema, has_pipeline=version.has_pipeline),
    )


def environment_inputs(spec: Spec, version: TemplateVersion) -> Mapping[str, Any]:
    """The effective inputs of an environment: values over defaults. Raises Invalid."""
    inputs, problems = check_inputs(spec.inputs, queries.schema_of(version).environment, path="/spec")
    _refuse("The spec does not fit the template", problems)
    return inputs


def instance_inputs(spec: Spec, name: str, version: TemplateVersion) -> Mapping[str, Any]:
    """The effective inputs of one instance. Raises Invalid, also when the spec has no such instance."""
    index, entry = find_instance(spec, name)
    path = pointer("instances", index, "spec")
    inputs, problems = check_inputs(entry.inputs, queries.schema_of(version).service, path=path)
    _refuse(f"The inputs of {name} do not fit the template", problems)
    return inputs


def pipeline_inputs(spec: Spec, version: TemplateVersion) -> Mapping[str, Any]:
    """The effective inputs of the pipeline. Raises Invalid."""
    inputs, problems = check_inputs(spec.pipeline or {}, queries.schema_of(version).pipeline, path="/pipeline")
    _refuse("The pipeline's inputs do not fit the template", problems)
    return inputs


def same_inputs(
    new: Mapping[str, Any],
    old: Mapping[str, Any],
    version: TemplateVersion | None,
    part: Literal["service", "pipeline"],
) -> bool:
    """Whether the version sees no difference: an input that its schema ignores, or a default written out, is none."""
    if new == old or version is None:
        return new == old
    schema = queries.schema_of(version)
    input_type = schema.service if part == "service" else schema.pipeline
    effective, problems = check_inputs(new, input_type)
    return not errors(problems) and effective == check_inputs(old, input_type)[0]


def find_instance(spec: Spec, name: str) -> tuple[int, InstanceSpec]:
    """Position and entry of an instance. Raises Invalid when the spec does not list it."""
    for index, entry in enumerate(spec.instances):
        if entry.name == name:
            return index, entry
    message = f"The spec has no instance named {name}."
    raise Invalid(message, [Problem("/instances", message)])
