"""The ``settings`` block of a CodeBuild manifest, checked as far as a bundle can be checked without rendering it."""

from collections.abc import Callable, Iterator, Mapping
from types import NoneType
from typing import Any

from provisioning.problems import Problem, pointer

Check = Callable[[Any], str | None]


def check_settings(settings: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """AWS Proton: image, runtimes, env, provision, deprovision, project_properties and the older input_type."""
    for key, value in settings.items():
        check = _CHECKS.get(key)
        if check is None:
            yield Problem(
                path + pointer(key),
                f"{key} is no setting of a CodeBuild manifest; it is ignored.",
                None,
                "warning",
            )
        elif value is not None and (message := check(value)):
            yield Problem(path + pointer(key), f"{key} {message}.")
    if not settings.get("provision"):
        yield Problem(
            path,
            "settings need provision: a list of commands that create and update the infrastructure.",
        )
    if not settings.get("deprovision"):
        yield Problem(
            path,
            "Without deprovision nothing is removed when the resource is deleted.",
            None,
            "warning",
        )


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
