"""The files of self-managed provisioning, as AWS Proton wrote them into a provisioning repository.

A developer's values never reach a .tf file: those are the template author's, copied. Values travel in
``proton.auto.tfvars.json``, declared by ``proton.<kind>.variables.tf``; ``.proton/deployment-metadata.json`` tells the
customer's automation what to do. The automation reads all of them, so their names and shapes may not change.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from provisioning.bundle import Bundle, Part
from provisioning.forges import names
from provisioning.problems import Problem, ProblemsFound
from provisioning.yaml_reader import decode

Kind = Literal["environment", "service_instance", "pipeline", "component"]
METADATA = ".proton/deployment-metadata.json"
VALUES = "proton.auto.tfvars.json"
DELETED = "<proton-resource-deleted>"

_MANAGED = """\
/*
This file is managed by AWS Proton. Any changes made directly to this file will be overwritten the next time AWS Proton performs an update.

To manage this resource, see AWS Proton Resource: {arn}

If the resource is no longer accessible within AWS Proton, it may have been deleted and may require manual cleanup.
*/

"""  # noqa: E501
_LET_GO = """\
/*
This file is no longer managed by AWS Proton. The associated resource has been deleted in Proton.
*/

"""
_HEADER = re.compile(r"/\*\nThis file is (?:no longer )?managed by AWS Proton\..*?\*/\n\n?", re.DOTALL)
_ARN = re.compile(r"arn:aws[a-z-]*:proton:[a-z0-9-]*:[0-9]{12}:[A-Za-z0-9_/-]+", re.ASCII)


@dataclass(frozen=True)
class Resource:
    """What is deployed. ``arn`` is its ARN, ``template_arn`` its template's without a version; ``environment_arn`` is
    for service instances and components, the service's two for attached components."""

    kind: Kind
    arn: str
    deployment: str
    template_arn: str = ""
    major_version: str = ""
    minor_version: str = ""
    environment_arn: str = ""
    service_arn: str = ""
    service_instance_arn: str = ""


@dataclass(frozen=True)
class Place:
    """Names that a resource's folder is made of; those that its kind does not have are empty."""

    kind: Kind
    environment: str = ""
    service: str = ""
    instance: str = ""
    component: str = ""


def folder(place: Place, tree: Collection[str]) -> str:
    """The resource's folder in a repository that has the paths ``tree``.

    Everything lies below environments/ where the repository has such a folder. AWS Proton documented a component's
    folder as <environment>/<component> and wrote <environment>/components/<component>: the one that is there stays.
    """
    top = "environments/" if _has(tree, "environments") else ""
    match place.kind:
        case "environment":
            found = place.environment
        case "service_instance":
            found = f"{place.environment}/{place.service}-{place.instance}"
        case "pipeline":
            found = f"{place.service}/pipeline"
        case _:
            documented = f"{place.environment}/{place.component}"
            written = f"{place.environment}/components/{place.component}"
            other = _has(tree, f"{top}{place.environment}/components") and not _has(tree, top + documented)
            found = written if _has(tree, top + written) or other else documented
    return names.folder_path(top + found)


def _has(tree: Collection[str], folder: str) -> bool:
    return any(path.startswith(folder + "/") for path in tree)


def sources(bundle: Bundle, part: Part) -> dict[str, str]:
    """The Terraform files that a part's manifest names, by their names in the resource's folder."""
    wanted = {entry.file for entry in part.manifest.entries if entry.template_language == "terraform"}
    found = {}
    for path, content in bundle.files.items():
        directory, _, name = path.rpartition("/")
        if directory == part.directory and (name in wanted or ("*" in wanted and name.endswith(".tf"))):
            text, problems = decode(content, file=path)
            if text is None:
                raise ProblemsFound(problems)
            found[name] = text
    return found


def files(
    resource: Resource, sources: Mapping[str, str], context: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, str]:
    """Every file of a resource's folder by its path in there.

    ``sources`` are the bundle's .tf files, ``context`` is one of provisioning.context, ``tags`` become ``proton_tags``.
    Raises ProblemsFound when a source has a name that is reserved.
    """
    variables = f"proton.{resource.kind}.variables.tf"
    taken = [name for name in sources if name in (variables, VALUES) or name.startswith(".proton/")]
    if taken:
        raise ProblemsFound(Problem("", "this name is reserved for generated files", file=name) for name in taken)
    header = _MANAGED.format(arn=_known_arn(resource.arn))
    values = _values(resource.kind, context)
    return {
        **{names.file_path(name): header + text for name, text in sources.items()},
        variables: header + _declarations(resource.kind, values),
        VALUES: proton_json({**values, "proton_tags": dict(tags), "//": resource.arn}),
        METADATA: proton_json(_metadata(resource)),
    }


def deletion(existing: Mapping[str, str]) -> dict[str, str]:
    """What a deletion changes in a resource's folder: the files stay, but nobody manages them any more. {} where there
    is nothing, or where it was said before."""
    try:
        metadata = json.loads(existing[METADATA])
    except (KeyError, ValueError):
        return {}
    if not isinstance(metadata, dict) or metadata.get("isResourceDeleted") is True:
        return {}
    rest = {key: value for key, value in metadata.items() if key not in ("deploymentId", "isResourceDeleted")}
    changed = {METADATA: proton_json({"deploymentId": DELETED, "isResourceDeleted": True, **rest})}
    for path, text in existing.items():
        if path.endswith(".tf") and _HEADER.match(text):
            changed[path] = _LET_GO + _HEADER.sub("", text, count=1)
    return changed


def is_managed(text: str) -> bool:
    """Whether a file says that it is managed from here."""
    return bool(_HEADER.match(text))


def owner(metadata: str) -> str:
    """The ARN of the resource that a folder's metadata names; "" when it was deleted or names none."""
    try:
        found = json.loads(metadata)
        about = found.get("resourceMetadata") or found.get("componentMetadata")
        return "" if found.get("isResourceDeleted") else str(about["arn"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def resource_part(arn: str) -> str:
    """``service/web/service-instance/dev`` of an ARN."""
    return arn.split(":", 5)[-1]


def proton_json(value: Any) -> str:
    """JSON as AWS Proton wrote it: two spaces, `` : `` after a key, lists on one line, no newline at the end."""
    return _json(value, "")


def _json(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return "{ }"
        pairs = (f"{inner}{json.dumps(str(key))} : {_json(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"
    if isinstance(value, list | tuple):
        return f"[ {', '.join(_json(item, indent) for item in value)} ]" if value else "[ ]"
    return json.dumps(value, ensure_ascii=False)


def _values(kind: Kind, context: Mapping[str, Any]) -> dict[str, Any]:
    """The context in AWS Proton's order of keys."""
    match kind:
        case "environment":
            environment = context["environment"]
            return {"environment": {"name": environment["name"], "inputs": environment["inputs"]}}
        case "service_instance":
            instance = context["service_instance"]
            return {
                "environment": _environment(context["environment"]),
                "service": _service(context["service"]),
                "service_instance": {
                    "name": instance["name"],
                    "inputs": instance["inputs"],
                    "components": _components(instance["components"]),
                },
            }
        case "pipeline":
            return {
                "service_instances": [
                    {
                        "name": instance["name"],
                        "inputs": instance["inputs"],
                        "outputs": instance["outputs"],
                        "environment": _environment(instance["environment"]),
                    }
                    for instance in context["service_instances"]
                ],
                "service": _service(context["service"]),
                "pipeline": {"inputs": context["pipeline"]["inputs"]},
            }
        case _:
            attached = {key: context[key] for key in ("service", "service_instance") if key in context}
            return {
                "component": {"name": context["component"]["name"]},
                "environment": _environment(context["environment"]),
                **attached,
            }


def _environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {key: environment[key] for key in ("account_id", "name", "outputs")}


def _service(service: Mapping[str, Any]) -> dict[str, Any]:
    return {key: service[key] for key in ("name", "repository_connection_arn", "repository_id", "branch_name")}


def _components(components: Mapping[str, Any]) -> dict[str, Any]:
    """{} without a component."""
    default = components.get("default", {})
    return {"default": {"name": default["name"], "outputs": default["outputs"]}} if "name" in default else {}


def _metadata(resource: Resource) -> dict[str, Any]:
    about: dict[str, Any] = {"arn": resource.arn}
    if resource.kind == "component":
        about["environmentArn"] = resource.environment_arn
        if resource.service_arn:
            about["serviceArn"] = resource.service_arn
            about["serviceInstanceArn"] = resource.service_instance_arn
        about["componentType"] = "default"
    else:
        about["templateArn"] = resource.template_arn
        about["templateMajorVersion"] = str(resource.major_version)
        about["templateMinorVersion"] = str(resource.minor_version)
        if resource.kind == "service_instance":
            about["environmentArn"] = resource.environment_arn
    key = "componentMetadata" if resource.kind == "component" else "resourceMetadata"
    return {"deploymentId": resource.deployment, "isResourceDeleted": False, key: about}


_ENVIRONMENT_TYPE = "object({\n    account_id = string\n    name       = string\n    outputs    = map(string)\n  })"
_SERVICE_TYPE = """\
object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })"""
_TAGS = 'variable "proton_tags" {\n  type    = map(string)\n  default = null\n}\n'


def _declarations(kind: Kind, values: Mapping[str, Any]) -> str:
    match kind:
        case "environment":
            inputs = _inputs(values["environment"]["inputs"])
            blocks = [_variable("environment", f"object({{\n    inputs = {inputs}\n    name   = string\n  }})")]
        case "service_instance":
            inputs = _inputs(values["service_instance"]["inputs"])
            instance = (
                f"object({{\n    name       = string\n    inputs     = {inputs}\n    components = map(any)\n  }})"
            )
            blocks = [
                _variable("environment", _ENVIRONMENT_TYPE),
                _variable("service", _SERVICE_TYPE, optional=False),
                _variable("service_instance", instance),
            ]
        case "pipeline":
            inputs = _inputs(*(instance["inputs"] for instance in values["service_instances"]))
            own = _inputs(values["pipeline"]["inputs"])
            blocks = [
                _variable("service_instances", _INSTANCES_TYPE.replace("INPUTS", inputs), optional=False),
                _variable("service", _SERVICE_TYPE),
                _variable("pipeline", f"object({{\n    inputs = {own}\n  }})"),
            ]
        case _:
            inputs = _inputs(values.get("service_instance", {}).get("inputs", {}))
            blocks = [
                _variable("component", "object({\n    name = string\n  })", optional=False),
                _variable("environment", _ENVIRONMENT_TYPE, optional=False),
                _variable("service", "object({\n    name = string\n  })"),
                _variable("service_instance", f"object({{\n    name   = string\n    inputs = {inputs}\n  }})"),
            ]
    return "\n".join([*blocks, _TAGS])


_INSTANCES_TYPE = """\
list(
    object({
      name    = string
      inputs  = INPUTS
      outputs = map(string)
      environment = object({
        account_id = string
        name       = string
        outputs    = map(string)
      })
    })
  )"""


def _variable(name: str, kind: str, *, optional: bool = True) -> str:
    default = "  default = null\n" if optional else ""
    return f'variable "{name}" {{\n  type = {kind}\n{default}}}\n'


def _inputs(*inputs: Mapping[str, Any]) -> str:
    """The type of inputs. A map of strings cannot hold lists and objects; AWS Proton wrote ``any`` in its last year."""
    values: Iterable[Any] = (value for one in inputs for value in one.values())
    return "any" if any(isinstance(value, Mapping | list | tuple) for value in values) else "map(string)"


def _known_arn(arn: str) -> str:
    """An ARN that can stand in a comment."""
    if not _ARN.fullmatch(arn):
        raise ValueError(f"{arn!r} is not the ARN of a resource")
    return arn
