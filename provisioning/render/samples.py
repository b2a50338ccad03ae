"""Invented inputs and namespaces, so that a bundle can be rendered and linted before anybody uses it.

What is invented can be wrong for a template in ways that nobody can foresee: a rendering that fails because of an
invented value is a warning. A template that Jinja cannot read, or that reads a name which can never exist, is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import re2

from provisioning.context import (
    ComponentFacts,
    Context,
    EnvironmentFacts,
    InstanceFacts,
    ServiceFacts,
    environment_context,
    instance_context,
    pipeline_context,
)
from provisioning.problems import Problem, ProblemsFound
from provisioning.render.errors import SYNTAX, UNKNOWN_NAME
from provisioning.render.files import Rendered, render_file
from provisioning.render.invented import INVENTED, invented_output

Part = Literal["infrastructure", "instance", "pipeline"]

_TEXTS = (
    "sample", "sample-1", "Sample", "SAMPLE", "s", "1", "80", "512", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.1", "true",
    "us-east-1", "us-east-1a", "123456789012", "https://sample.example.com", "sample.example.com", "/sample",
    "/sample/*", "sample@example.com", "arn:aws:iam::123456789012:role/sample", "vpc-0123456789abcdef0",
    "subnet-0123456789abcdef0", "sg-0123456789abcdef0", "ami-0123456789abcdef0", "v1", "1.0", "1.0.0", "v1.0.0",
    "2024-01-01", "00:00", "rate(5 minutes)", "cron(0 12 * * ? *)", "t3.small", "sample/sample",
    "sample-1,sample-2", "123456789012,123456789013", "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A rendering with invented values: ``text`` is None when it could not be made."""

    text: str | None
    problems: tuple[Problem, ...] = ()


def sample_inputs(input_type: Mapping[str, Any], *, least: bool = False) -> dict[str, Any]:
    """Plausible values for the properties of a schema's input type, as a spec would give them.

    Prefers what the author wrote: default, example, first of an enum. ``least`` leaves out what is optional and has no
    default. Whatever the schema says that makes no sense is passed over.
    """
    required = input_type.get("required")
    required = required if isinstance(required, list) else []
    return {
        str(name): _value(property_, str(name))
        for name, property_ in _mapping(input_type.get("properties")).items()
        if not least or name in required or "default" in _mapping(property_)
    }


def sample_contexts(
    part: Part,
    input_type: Mapping[str, Any],
    *,
    instance_input_type: Mapping[str, Any] | None = None,
    environment_outputs: Mapping[str, str] | None = None,
) -> tuple[Context, ...]:
    """Namespaces for one part of a bundle: the first with every input, the second with as little as a spec may hold.

    ``input_type`` is the part's own input type; for a pipeline ``instance_input_type`` is that of its instances.
    Without ``environment_outputs`` every output has an invented value.
    """
    return tuple(
        _context(part, input_type, instance_input_type or {}, environment_outputs, least) for least in (False, True)
    )


def _context(
    part: Part,
    input_type: Mapping[str, Any],
    instance_input_type: Mapping[str, Any],
    environment_outputs: Mapping[str, str] | None,
    least: bool,
) -> Context:
    inputs = sample_inputs(input_type, least=least)
    if part == "infrastructure":
        return environment_context(name="sample-environment", inputs=inputs)
    outputs = {INVENTED: ""} if environment_outputs is None else environment_outputs
    environment = EnvironmentFacts("sample-environment", "123456789012", outputs)
    if part == "instance":
        component = None if least else ComponentFacts("sample-component", {INVENTED: "", **_COMPONENT_OUTPUTS})
        service = ServiceFacts("sample-service") if least else _SERVICE
        return instance_context(
            service=service, name="sample-instance", inputs=inputs, environment=environment, component=component
        )
    instance_inputs = sample_inputs(instance_input_type, least=least)
    instances = [
        InstanceFacts(
            name=f"sample-instance-{number}",
            inputs=instance_inputs,
            outputs={INVENTED: "", **_echoed(instance_inputs)},
            environment=environment,
        )
        for number in ((1,) if least else (1, 2))
    ]
    return pipeline_context(service=_SERVICE, inputs=inputs, instances=instances)


def _echoed(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Outputs that hand an input on, as lambda_runtime and LambdaRuntime in AWS Proton's samples."""
    return {
        "".join(word[:1].upper() + word[1:] for word in name.split("_")): str(value)
        for name, value in inputs.items()
        if isinstance(value, str | int | float) and str(value)
    }


_COMPONENT_OUTPUTS = {
    "SampleName": "sample-value",
    "SamplePolicyArn": "arn:aws:iam::123456789012:policy/sample",
}
_SERVICE = ServiceFacts(
    name="sample-service",
    branch_name="main",
    repository_connection_arn=(
        "arn:aws:codestar-connections:us-east-1:123456789012:connection/01234567-89ab-cdef-0123-456789abcdef"
    ),
    repository_id="sample-owner/sample-repository",
)


def render_sample(
    text: str, file: str, context: Mapping[str, Any], render: Callable[..., Rendered] = render_file
) -> Sample:
    """Renders with a context of ``sample_contexts``; ``render`` is a pool's, where the template is not one's own.

    Where only the guard refuses a sample value the text is there all the same: CloudFormation may well accept it, but
    deployments will need a version whose inputs are trusted, and the warning says so.
    """
    try:
        return Sample(render(text, file, context).text)
    except ProblemsFound as found:
        problems = tuple(_judged(problem) for problem in found.problems)
    try:
        return Sample(render(text, file, context, trusts_inputs=True).text, problems)
    except ProblemsFound:
        return Sample(None, problems)


def _judged(problem: Problem) -> Problem:
    if problem.code in (SYNTAX, UNKNOWN_NAME):
        return problem
    return replace(problem, severity="warning", message=f"with sample values: {problem.message}")


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _value(schema: Any, name: str, depth: int = 0) -> Any:
    schema = _mapping(schema)
    for keyword in ("default", "const", "example"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        if isinstance(schema.get(keyword), list) and schema[keyword]:
            return schema[keyword][0]
    for keyword in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(keyword), list) and schema[keyword] and depth < 10:
            return _value(schema[keyword][0], name, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "string")
    if kind in ("number", "integer"):
        return _number(schema, name)
    if kind == "boolean":
        return True
    if depth < 10 and (kind == "array" or "items" in schema):
        count = max(1, min(_whole(schema.get("minItems"), 1), 20))
        values = [_value(schema.get("items"), name.removesuffix("s"), depth + 1) for _ in range(count)]
        if schema.get("uniqueItems"):
            values = [f"{value}-{n}" if n and isinstance(value, str) else value for n, value in enumerate(values)]
        return values
    if depth < 10 and (kind == "object" or "properties" in schema):
        return {
            str(key): _value(inner, str(key), depth + 1) for key, inner in _mapping(schema.get("properties")).items()
        }
    return _text(schema, name)


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _number(schema: Mapping[Any, Any], name: str) -> int | float:
    low, high, step = (schema.get(key) for key in ("minimum", "maximum", "multipleOf"))
    value: int | float = 80 if "port" in name.lower() else 1
    if isinstance(schema.get("exclusiveMinimum"), int | float) and not isinstance(schema["exclusiveMinimum"], bool):
        low = schema["exclusiveMinimum"] + 1
    if isinstance(low, int | float) and value < low:
        value = low
    if isinstance(high, int | float) and value > high:
        value = high
    if isinstance(step, int | float) and step > 0 and value % step:
        value = value - value % step + step
    return value


def _text(schema: Mapping[Any, Any], name: str) -> str:
    shortest, longest = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), 1_000)
    invented = invented_output(name)
    candidates = [*_by_name(name), *([] if invented == f"sample-{name}" else [invented]), *_TEXTS]
    matches = _matcher(schema.get("pattern"))
    for candidate in candidates:
        if shortest <= len(candidate) <= longest and matches(candidate):
            return candidate
    filler = "sample".ljust(min(shortest, 10_000), "x")[: max(longest, 0)]
    for candidate in (filler, filler.upper(), "1" * max(shortest, 1), "a" * max(shortest, 1)):
        if matches(candidate):
            return candidate
    return filler


def _by_name(name: str) -> list[str]:
    lowered = name.lower()
    if "image" in lowered:
        return ["public.ecr.aws/nginx/nginx:latest"]
    if "schedule" in lowered:
        return ["rate(5 minutes)"]
    return []


def _matcher(pattern: Any) -> Callable[[str], bool]:
    """Whether a text has the schema's pattern. In linear time; a pattern that RE2 cannot run is passed over."""
    if not isinstance(pattern, str):
        return lambda text: True
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return lambda text: True
    return lambda text: compiled.search(text) is not None
