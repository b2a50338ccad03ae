"""Linked repositories as the wire shows them."""

from collections.abc import Mapping
from typing import Any

from portal import arns
from portal.models import Repository


def summary(row: Repository) -> dict[str, Any]:
    return {"arn": row.arn, "connectionArn": row.connection_arn, "name": row.name, "provider": row.provider}


def repository(row: Repository) -> dict[str, Any]:
    return {**summary(row), "encryptionKey": row.encryption_key or None}


def branch(kept: Mapping[str, str] | None) -> dict[str, Any] | None:
    """A branch of a linked repository, from {provider, name, branch}."""
    return None if kept is None else {**kept, "arn": arns.repository(kept["provider"], kept["name"])}
