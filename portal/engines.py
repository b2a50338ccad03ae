"""How the portal reaches its engines and AWS: built once per process from the settings. A leaf beside the actions."""

from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from provisioning.engines.base import Engine, Target
from provisioning.engines.registry import Engines
from provisioning.engines.session import Sessions

if TYPE_CHECKING:
    from provisioning.render.pool import RenderPool


@cache
def sessions() -> Sessions:
    return Sessions(account_keys=settings.EMBEDDED)


@cache
def _engines() -> Engines:
    return Engines(sessions())


def engine(name: str) -> Engine:
    """The engine of that name: "cloudformation", "memory" or "none". Raises KeyError for any other."""
    return _engines()[name]


def s3_client() -> Any:
    """An S3 client of the management account."""
    return sessions().client("s3", Target(settings.PORTAL_ACCOUNT_ID, settings.PORTAL_REGION))


def render_pool() -> "RenderPool":
    """The process's warm, limited children."""
    from provisioning.render.pool import default_pool

    return default_pool()
