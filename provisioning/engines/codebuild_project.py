"""The CodeBuild project of an environment: what it should be, and whether it is."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel

from provisioning.commands.plan import CommandPlan

_NOT_OURS = {"name", "source", "artifacts", "serviceRole", "tags", "environment"}


def wanted_project(name: str, role: str, plan: CommandPlan, tags: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of CreateProject and UpdateProject. Properties of the manifest are written as CloudFormation names
    them (``VpcConfig``), and are merged in as the API names them (``vpcConfig``)."""
    properties = _typed(_api_names(plan.project_properties), _shape())
    environment = {
        "type": "LINUX_CONTAINER",
        "computeType": "BUILD_GENERAL1_SMALL",
        **(properties.get("environment") or {}),
        "image": plan.image,
    }
    return {
        "name": name,
        "description": "Made by Deuteron: commands of template bundles run here.",
        "serviceRole": role,
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": environment,
        "tags": [{"key": key, "value": value} for key, value in sorted(tags.items()) if key == "proton:account"],
        **{key: value for key, value in properties.items() if key not in _NOT_OURS},
    }


def differs(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether what is wanted is not there yet. What AWS adds by itself does not count, and neither does the image,
    which every build names anew: two instances that differ in it would change the project in turns for ever."""
    environment = {key: value for key, value in wanted["environment"].items() if key != "image"}
    rest = {key: value for key, value in wanted.items() if key != "tags"}
    return not _within({**rest, "environment": environment}, there)


def _within(wanted: Any, there: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(_within(value, there.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and len(wanted) == len(there) and all(map(_within, wanted, there))
    return bool(wanted == there)


@cache
def _shape() -> Any:
    """The arguments of CreateProject, as the API describes them."""
    path = botocore.__path__[0] + "/data"
    model = Loader(extra_search_paths=[path]).load_service_model("codebuild", "service-2")
    return ServiceModel(model).operation_model("CreateProject").input_shape


def _typed(value: Any, shape: Any) -> Any:
    """Numbers and truth values that came as text, as CloudFormation takes them too."""
    if isinstance(value, Mapping) and shape.type_name == "structure":
        return {key: _typed(item, shape.members[key]) if key in shape.members else item for key, item in value.items()}
    if isinstance(value, list) and shape.type_name == "list":
        return [_typed(item, shape.member) for item in value]
    if isinstance(value, str) and shape.type_name == "integer" and value.strip().isdecimal():
        return int(value)
    if isinstance(value, str) and shape.type_name == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def _api_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_lower(str(key)): _api_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_api_names(item) for item in value]
    return value


def _lower(name: str) -> str:
    """``VpcConfig`` is ``vpcConfig``; what begins with several capitals is an abbreviation."""
    return name[:1].lower() + name[1:]
