"""Bundles whose own commands provision them, and a portal that runs these on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.factories import rows

SCHEMA = """\
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: "Inputs"
  types:
    Inputs:
      type: object
      properties:
        cluster_name: {type: string, default: main}
        password: {type: string, format: password}
"""


def manifest(provision: Sequence[str], deprovision: Sequence[str] = ("echo removed",), **settings: Any) -> bytes:
    entry = {
        "rendering_engine": "codebuild",
        "settings": {"provision": list(provision), "deprovision": list(deprovision), **settings},
    }
    return yaml.safe_dump({"infrastructure": {"templates": [entry]}}, sort_keys=False).encode()


def environment_files(*provision: str, schema: str = SCHEMA, **settings: Any) -> dict[str, bytes]:
    return {
        "schema/schema.yaml": schema.encode(),
        "infrastructure/manifest.yaml": manifest(provision or ("true",), **settings),
        "infrastructure/deploy.sh": b'echo "deploying $1"\n',
    }


def service_files(*provision: str, pipeline: Sequence[str] = (), **settings: Any) -> dict[str, bytes]:
    files = {
        "schema/schema.yaml": (rows.PIPELINE_SCHEMA if pipeline else rows.SERVICE_SCHEMA).encode(),
        "instance_infrastructure/manifest.yaml": manifest(provision or ("true",), **settings),
    }
    if pipeline:
        files["pipeline_infrastructure/manifest.yaml"] = manifest(pipeline)
    return files


def run_here(settings: Any, folder: Path, **changes: Any) -> None:
    """From now on this process runs commands on this machine, as `make run` does."""
    from portal import engines

    settings.COMMAND_RUNNER, settings.EMBEDDED, settings.DATA_DIR = "local", True, folder
    settings.COMMAND_TIMEOUT, settings.COMMAND_MEMORY_MB, settings.COMMAND_DISK_MB = 20, 400, 64
    for name, value in changes.items():
        setattr(settings, name, value)
    engines.sessions.cache_clear()
    engines._engines.cache_clear()


def drive_to_the_end(seconds: float = 40) -> None:
    """Drive everything that is due, again and again, while anything runs."""
    import time

    from portal.enums import RUNNING, DeploymentPhase
    from portal.models import Deployment

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rows.run_everything(1)
        if not Deployment.objects.filter(status__in=RUNNING).exclude(phase=DeploymentPhase.ATTENTION).exists():
            rows.run_everything(2)
            return
        time.sleep(0.05)
