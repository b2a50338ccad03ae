"""The CodeBuild project of an environment: what it should be, and whether it is."""

from collections.abc import Mapping
from typing import Any

from provisioning.commands.plan import CommandPlan

_NOT_OURS = {"name", "source", "artifacts", "serviceRole", "tags", "environment"}


def wanted_project(name: str, role: str, plan: CommandPlan, tags: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of CreateProject and UpdateProject. Properties of the manifest are written as CloudFormation names
    them (``VpcConfig``), and are merged in as the API names them (``vpcConfig``)."""
    properties = _api_names(plan.project_properties)
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
    """Whether what is wanted is not there yet. What AWS adds by itself does not count."""
    return not _within({key: value for key, value in wanted.items() if key != "tags"}, there)


def _within(wanted: Any, there: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(_within(value, there.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and len(wanted) == len(there) and all(map(_within, wanted, there))
    return bool(wanted == there)


def _api_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_lower(str(key)): _api_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_api_names(item) for item in value]
    return value


def _lower(name: str) -> str:
    """``VpcConfig`` is ``vpcConfig``; what begins with several capitals is an abbreviation."""
    return name[:1].lower() + name[1:]
