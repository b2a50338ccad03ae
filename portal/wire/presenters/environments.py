"""Environments as the wire shows them. Rows are dictionaries of ``queries.environments.shown``."""

from collections.abc import Mapping
from typing import Any

from portal.models import Environment
from portal.models.fields import opened
from portal.wire.presenters.attempts import attempts
from portal.wire.presenters.repositories import branch


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **attempts(row),
        "arn": row["arn"],
        "name": row["name"],
        "description": row["description"] or None,
        "createdAt": row["created_at"],
        "templateName": row["template_name"],
        "provisioning": row["provisioning"] or None,
        "environmentAccountConnectionId": None if row["connection_id"] is None else str(row["connection_id"]),
        "environmentAccountId": row["target_account_id"],
        "protonServiceRoleArn": row["proton_service_role_arn"] or None,
        "componentRoleArn": row["component_role_arn"] or None,
    }


def environment(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` is a whole one."""
    row = opened(Environment, row, "spec")
    return {
        **summary(row),
        "codebuildRoleArn": row["codebuild_role_arn"] or None,
        "provisioningRepository": branch(row["provisioning_repository"]),
        "spec": row["spec"] or None,
    }
