"""How the portal reaches its engines and AWS: built once per process from the settings. A leaf beside the actions."""

from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from portal import forges
from provisioning.engines.base import Engine, Target
from provisioning.engines.pull_request import PullRequestEngine
from provisioning.engines.registry import Engines
from provisioning.engines.session import Sessions
from provisioning.engines.workflow import WorkflowEngine
from provisioning.forges.base import Forge, Repository

if TYPE_CHECKING:
    from provisioning.render.pool import RenderPool


@cache
def sessions() -> Sessions:
    return Sessions(account_keys=settings.EMBEDDED)


@cache
def _engines() -> Engines:
    def anywhere(repository: Repository) -> Forge:
        return forges.forges()(repository)

    return Engines(
        sessions(),
        {
            "pull-request": lambda: PullRequestEngine(anywhere),
            "workflow": lambda: WorkflowEngine(anywhere),
        },
    )


def engine(name: str) -> Engine:
    """The engine of that name: "cloudformation", "pull-request", "workflow", "memory" or "none".

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
