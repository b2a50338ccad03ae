"""docker-compose.yml and Dockerfile as far as the tests need them: what is started, with which settings and files."""

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.aws import ROOT

VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


@dataclass(frozen=True)
class Service:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Missing(Exception):
    """A variable that has to be set is not."""


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}`` and ``$$``, as docker compose reads them."""

    def value(match: "re.Match[str]") -> str:
        name, how, rest = match.groups()
        if name is None:
            return "$"
        found = env.get(name, "")
        if not found and how == ":?":
            raise Missing(f"{name}: {rest}")
        return found or (rest if how == ":-" else "")

    return VARIABLE.sub(value, text)


def document() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(found, dict)
    return found


def services(env: Mapping[str, str]) -> dict[str, Service]:
    """Every service that has a command. A setting without a value is taken from ``env``, or left out."""
    found = {}
    for name, service in document()["services"].items():
        environment = {}
        for key, value in (service.get("environment") or {}).items():
            if value is None and key in env:
                environment[key] = env[key]
            elif value is not None:
                environment[key] = interpolate(str(value), env)
        command = tuple(interpolate(str(part), env) for part in service.get("command", ()))
        if command:
            found[name] = Service(name, command, environment)
    return found


def instructions() -> list[list[str]]:
    """The Dockerfile's instructions, continued lines joined: [["FROM", "node", …], …]."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [[line.split(None, 1)[0].upper(), *_words(line.split(None, 1)[1])] for line in lines]


def _words(text: str) -> list[str]:
    if text.startswith("["):
        return [str(word) for word in json.loads(text)]
    return shlex.split(text)


def last_stage() -> list[list[str]]:
    found = instructions()
    starts = [number for number, words in enumerate(found) if words[0] == "FROM"]
    return found[starts[-1] :]


def lay_out(folder: Path) -> None:
    """Copy to ``folder`` what the last stage copies to its working directory; what is built comes from here."""
    for instruction in last_stage():
        if instruction[0] != "COPY":
            continue
        *paths, target = [word for word in instruction[1:] if not word.startswith("--")]
        for path in paths:
            if path == "/opt/venv":  # the tests' own, which PATH leads to
                continue
            source = ROOT / path.removeprefix("/app/")
            if source.is_dir():
                shutil.copytree(source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / target)
