"""What a CodeBuild manifest asks for, rendered: the commands, their input files, and what surrounds them.

AWS Proton: ``provision`` on create and update, ``deprovision`` on delete, in the folder of the manifest with
``proton-inputs.json`` in it; ``RESOURCE_ARN`` is the one variable that is documented.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioning.engines.base import Job
from provisioning.outputs import Output

DEFAULT_IMAGE = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
INPUTS = "proton-inputs.json"
TFVARS = "proton-inputs.tfvars"
LONGEST_OUTPUT = 1024  # characters, of keys and values
MOST_OUTPUTS = 50


@dataclass(frozen=True)
class CommandPlan:
    """``folder`` holds the manifest; ``files`` by path, the input file among them. ``secrets`` maps variables to
    references of Secrets Manager as CodeBuild writes them: "name-or-arn[:json-key[:stage[:version]]]"."""

    commands: tuple[str, ...]
    folder: str
    files: Mapping[str, bytes]
    resource_arn: str
    image: str = DEFAULT_IMAGE
    runtimes: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    project_properties: Mapping[str, Any] = field(default_factory=dict)


def plan_of(job: Job) -> CommandPlan:
    """Of ``job.settings["commands"]``, the manifest's settings after rendering, and ``job.settings["folder"]``."""
    settings = job.settings.get("commands") or {}
    environment = settings.get("env") or {}
    which = "deprovision" if job.intent == "remove" else "provision"
    return CommandPlan(
        commands=tuple(settings.get(which) or ()),
        folder=str(job.settings.get("folder", "")),
        files={**job.bundle, **{name: text.encode() for name, text in job.files.items()}},
        resource_arn=job.resource_arn,
        image=str(settings.get("image") or DEFAULT_IMAGE),
        runtimes={name: str(version) for name, version in (settings.get("runtimes") or {}).items()},
        variables={name: _text(value) for name, value in (environment.get("variables") or {}).items()},
        secrets={name: str(value) for name, value in (environment.get("secrets_manager") or {}).items()},
        project_properties=settings.get("project_properties") or {},
    )


def input_files(context: Mapping[str, Any], folder: str, input_type: str = "JSON") -> dict[str, str]:
    """The input file in its folder: JSON with native types always, and HCL beside it where the manifest asks."""
    document = inputs_document(context)
    prefix = f"{folder}/" if folder else ""
    files = {prefix + INPUTS: json.dumps(document, indent=2) + "\n"}
    if input_type == "HCL":
        files[prefix + TFVARS] = "".join(f"{name} = {hcl(value)}\n" for name, value in document.items())
    return files


def inputs_document(context: Mapping[str, Any]) -> dict[str, Any]:
    """The namespaces as AWS Proton wrote them: without the alias below ``service_instance``, and with an empty
    ``components`` where nothing is attached."""
    document = json.loads(json.dumps(context))
    instance = document.get("service_instance")
    if isinstance(instance, dict):
        instance.pop("environment", None)
        if "name" not in (instance.get("components", {}).get("default") or {}):
            instance["components"] = {}
    return dict(document)


def hcl(value: Any) -> str:
    """A value of Terraform's language. What it would interpolate is escaped."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {hcl(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(hcl(item) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else text


def outputs_of(job: Job, text: str) -> tuple[tuple[Output, ...], str]:
    """Outputs of ``proton-outputs.json`` and of notifications, which win; and what is wrong with the file, or "".

    The file is AWS Proton's list of {key, valueString}, an object of names and values, or what ``cdk deploy
    --outputs-file`` writes: such an object for each stack. Commands that notified outputs may mean it for themselves
    alone, so that it fails nothing then.
    """
    found: dict[str, str] = {}
    wrong = ""
    notified = job.notified.outputs if job.notified else ()
    if text.strip():
        try:
            found = _read_outputs(json.loads(text))
        except (ValueError, TypeError, KeyError) as trouble:
            wrong = "" if notified else f"proton-outputs.json cannot be used: {trouble}"
    found |= {output.key: output.value for output in notified}
    if len(found) > MOST_OUTPUTS:
        wrong = wrong or f"There are {len(found)} outputs; the most is {MOST_OUTPUTS}."
        found = {}
    return tuple(Output(key, value) for key, value in sorted(found.items())), wrong


def _read_outputs(document: Any) -> dict[str, str]:
    found = {str(key): _text(value) for key, value in _pairs(document)}
    for key, value in found.items():
        if not 1 <= len(key) <= LONGEST_OUTPUT or not 1 <= len(value) <= LONGEST_OUTPUT:
            raise ValueError(f"{key[:40]!r}: keys and values have 1 to {LONGEST_OUTPUT} characters")
    return found


def _pairs(document: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(document, dict):
        yield from ((one["key"], one["valueString"]) for one in document)
        return
    for name, value in document.items():
        yield from value.items() if isinstance(value, dict) else [(name, value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)
