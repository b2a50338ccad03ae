"""What one run is asked to do, and what became of it; both live as JSON in the run's folder."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """``seconds`` of the wall clock; ``memory`` and ``disk`` in bytes; ``output`` in bytes of log."""

    seconds: float = 3600.0
    memory: int = 2 * 1024**3
    disk: int = 1024**3
    processes: int = 256
    output: int = 5_000_000


@dataclass(frozen=True)
class Callback:
    """Where ``aws proton notify-resource-deployment-status-change`` leads: the portal, with a key for this run only."""

    endpoint: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False, default="")


@dataclass(frozen=True)
class Request:
    """``files`` by path below the folder that the commands run in; ``secrets`` are values that no log may show.

    ``hosts`` are what the network of the run reaches: "host:port", or ".domain:port" for all below a domain.
    ``sandbox`` False runs the commands without one: only where an admin allows it.
    """

    commands: tuple[str, ...]
    files: Mapping[str, bytes]
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    hosts: tuple[str, ...] = ()
    limits: Limits = Limits()
    callback: Callback | None = None
    sandbox: bool = True

    def dump(self) -> str:
        files = {name: base64.b64encode(content).decode() for name, content in self.files.items()}
        return json.dumps({**asdict(replace(self, files={})), "files": files})

    @classmethod
    def load(cls, text: str) -> "Request":
        raw = json.loads(text)
        callback = raw.pop("callback")
        return cls(
            **{
                **raw,
                "commands": tuple(raw["commands"]),
                "files": {name: base64.b64decode(content) for name, content in raw["files"].items()},
                "secrets": tuple(raw["secrets"]),
                "hosts": tuple(raw["hosts"]),
                "limits": Limits(**raw["limits"]),
            },
            callback=Callback(**callback) if callback else None,
        )


@dataclass(frozen=True)
class Result:
    """``code`` is the exit code of the first command that failed, or 0. ``reason`` says why it is not 0 when the run
    was ended from outside. ``outputs`` is the text of ``proton-outputs.json``, "" when there is none."""

    code: int
    reason: str = ""
    outputs: str = ""
    seconds: float = 0.0


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """In one step: whoever reads sees all of it or nothing."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(value))
    new.replace(path)
