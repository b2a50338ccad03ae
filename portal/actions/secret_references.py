"""Asking Secrets Manager whether the secrets that inputs name are there. Never in a transaction: it asks AWS."""

import logging
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from portal import engines
from provisioning.engines.session import NoAccess
from provisioning.problems import Problem
from provisioning.secret_references import Names, look
from provisioning.secret_references import names as listed

log = logging.getLogger(__name__)
MOST = 20  # secrets of one form that are asked for


def problems(references: Iterable[tuple[str, str]]) -> list[Problem]:
    """A problem for each (pointer, name) whose secret is not in the management account; a warning when nobody can say.

    Reads descriptions only: no value of a secret reaches this process.
    """
    named = list(references)[:MOST]
    if not named:
        return []
    try:
        client = engines.secrets_client()
    except (NoAccess, ClientError, BotoCoreError) as trouble:
        log.warning("Secrets Manager cannot be asked: %s", trouble)
        return [_unknown(path, name) for path, name in named]
    found = []
    for path, name in named:
        seen = look(client, name)
        if seen == "missing":
            message = f"There is no secret named {name} in Secrets Manager of the management account."
            found.append(Problem(path, message))
        elif seen == "unknown":
            found.append(_unknown(path, name))
    return found


def names(beginning: str) -> Names:
    """Names of secrets of the management account that begin so, as far as the portal may list them."""
    try:
        client = engines.secrets_client()
    except (NoAccess, ClientError, BotoCoreError) as trouble:
        log.warning("Secrets Manager cannot be asked: %s", trouble)
        return Names(trouble="unknown")
    return listed(client, beginning)


def _unknown(path: str, name: str) -> Problem:
    return Problem(path, f"Whether there is a secret named {name} cannot be checked now.", severity="warning")
