"""The ``settings`` block of a CodeBuild manifest, checked as far as a bundle can be checked without rendering it."""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal

from provisioning.problems import pointer

Check = Callable[[Any], str | None]
Say = Callable[[str, str, Literal["error", "warning"]], None]  # path, message, severity
_OLD_NAMES = {"provisioning": "provision", "deprovisioning": "deprovision"}  # of a published example of AWS's own


def read_settings(settings: Mapping[str, Any], path: str, written: Mapping[str, str], say: Say) -> dict[str, Any]:
    """AWS Proton: image, runtimes, env, provision, deprovision, project_properties and the older input_type.

    Comes back as written, but versions and environment variables are text (``python: 3.10`` is "3.10").
    """
    read: dict[str, Any] = {}
    for key, value in settings.items():
        where = path + pointer(key)
        name = key
        if key in _OLD_NAMES and _OLD_NAMES[key] not in settings:
            name = _OLD_NAMES[key]
            say(where, f"{key} is read as {name}.", "warning")
        check = _CHECKS.get(name)
        if check is None:
            say(where, f"{key} is no setting of a CodeBuild manifest; it is ignored.", "warning")
        elif value is not None and (message := check(value)):
            say(where, f"{key} {message}.", "error")
        read[name] = value
    if isinstance(read.get("runtimes"), Mapping):
        read["runtimes"] = _as_written(read["runtimes"], path + "/runtimes", written)
    environment = read.get("env")
    if isinstance(environment, Mapping) and isinstance(environment.get("variables"), Mapping):
        variables = _as_written(environment["variables"], path + "/env/variables", written)
        read["env"] = {**environment, "variables": variables}
    if not read.get("provision"):
        say(path, "settings need provision: a list of commands that create and update the infrastructure.", "error")
    if not read.get("deprovision"):
        say(path, "Without deprovision nothing is removed when the resource is deleted.", "warning")
    return read


def _as_written(values: Mapping[str, Any], path: str, written: Mapping[str, str]) -> dict[str, Any]:
    return {name: written.get(path + pointer(name), value) for name, value in values.items()}


def _commands(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(command, str) for command in value):
        return "must be a list of commands, each in quotes where it holds a colon"
    return None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be text"


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "must be a mapping"


def _runtimes(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not all(isinstance(version, str | int | float) for version in value.values()):
        return "must map names to versions, such as nodejs: 16"
    return None


def _environment(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not all(isinstance(part, Mapping | NoneType) for part in value.values()):
        return "must hold variables and secrets_manager, each a mapping"
    return None


def _input_type(value: Any) -> str | None:
    return None if value in ("JSON", "HCL") else "must be JSON or HCL"


_CHECKS: dict[str, Check] = {
    "image": _text,
    "runtimes": _runtimes,
    "env": _environment,
    "provision": _commands,
    "deprovision": _commands,
    "project_properties": _mapping,
    "input_type": _input_type,
}
