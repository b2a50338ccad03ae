"""How the portal reaches its engines and AWS: built once per process from the settings. A leaf beside the actions."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings

from portal import forges
from provisioning.commands.plan import CommandPlan
from provisioning.commands.request import Callback, Limits
from provisioning.engines.base import Engine, Job, Target
from provisioning.engines.codebuild import CodeBuildEngine
from provisioning.engines.command import CommandEngine, Surroundings
from provisioning.engines.pull_request import PullRequestEngine
from provisioning.engines.registry import Engines
from provisioning.engines.session import Sessions
from provisioning.engines.workflow import WorkflowEngine
from provisioning.forges.base import Forge, Repository

if TYPE_CHECKING:
    from provisioning.render.pool import RenderPool

MB = 1024**2
# What a run of commands gets, from the actions, which know rows: see portal.actions.surroundings.
_around: dict[str, Callable[..., Any]] = {}


def surround(
    *,
    run: Callable[[Job, CommandPlan], Surroundings],
    callback: Callable[[Job], Callback],
    secrets: Callable[[Job], Sequence[str]],
) -> None:
    """Who gives runs what surrounds them, and builds their key."""
    _around.update(run=run, callback=callback, secrets=secrets)


@cache
def sessions() -> Sessions:
    return Sessions(account_keys=settings.EMBEDDED)


@cache
def _engines() -> Engines:
    return Engines(
        sessions(),
        {
            "command": _command,
            "codebuild": _codebuild,
            "pull-request": lambda: PullRequestEngine(_anywhere),
            "workflow": lambda: WorkflowEngine(_anywhere),
        },
    )


def _anywhere(repository: Repository) -> Forge:
    return forges.forges()(repository)


def _command() -> Engine:
    return CommandEngine(
        settings.DATA_DIR / "runs",
        lambda job, plan: _around["run"](job, plan),  # type: ignore[no-any-return]
        hosts=command_hosts(),
        limits=command_limits(),
        sandbox=not settings.COMMANDS_WITHOUT_SANDBOX,
    )


def _codebuild() -> Engine:
    return CodeBuildEngine(
        sessions(),
        lambda job: _around["callback"](job),  # type: ignore[no-any-return]
        secrets=lambda job: _around["secrets"](job),  # type: ignore[no-any-return]
    )


def command_limits() -> Limits:
    return Limits(
        seconds=settings.COMMAND_TIMEOUT,
        memory=int(settings.COMMAND_MEMORY_MB * MB),
        disk=int(settings.COMMAND_DISK_MB * MB),
        processes=settings.COMMAND_PROCESSES,
        output=int(settings.COMMAND_LOG_MB * MB),
    )


def command_hosts() -> tuple[str, ...]:
    """What runs on the workers reach: AWS's endpoints, the portal, and what an admin added."""
    addresses = [settings.PORTAL_PUBLIC_URL, *aws_endpoints().values()]
    hosts = {_host(address) for address in addresses if address}
    if "AWS_ENDPOINT_URL" not in aws_endpoints():
        hosts.add(".amazonaws.com:443")
    return (*sorted(hosts), *settings.COMMAND_HOSTS)


def aws_endpoints() -> dict[str, str]:
    """boto3's own variables that lead elsewhere than to AWS itself."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL") and value}


def _host(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def engine(name: str) -> Engine:
    """The engine of that name: cloudformation, command, codebuild, pull-request, workflow, memory or none.

    Raises KeyError for any other.
    """
    return _engines()[name]


def s3_client() -> Any:
    """An S3 client of the management account."""
    return sessions().client("s3", Target(settings.PORTAL_ACCOUNT_ID, settings.PORTAL_REGION))


def secrets_client() -> Any:
    """A Secrets Manager client of the management account. Only descriptions are asked for."""
    return sessions().client("secretsmanager", Target(settings.PORTAL_ACCOUNT_ID, settings.PORTAL_REGION))


def render_pool() -> "RenderPool":
    """The process's warm, limited children."""
    from provisioning.render.pool import default_pool

    return default_pool()
