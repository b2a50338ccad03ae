"""Components as the wire shows them. Rows are dictionaries of ``queries.components.shown``."""

from collections.abc import Mapping
from typing import Any

from portal.models import Component
from portal.models.fields import opened
from portal.wire.presenters.attempts import progress


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """AWS Proton: unlike other resources a component has no time of a success before its first one."""
    return {
        **progress(row),
        "lastDeploymentAttemptedAt": row["attempted_at"],
        "lastDeploymentSucceededAt": row["succeeded_at"],
        "arn": row["arn"],
        "name": row["name"],
        "createdAt": row["created_at"],
        "lastModifiedAt": row["last_modified_at"],
        "environmentName": row["environment_name"],
        "serviceName": row["service_name"],
        "serviceInstanceName": row["instance_name"],
    }


def component(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` is a whole one."""
    row = opened(Component, row, "spec")
    return {
        **summary(row),
        "description": row["description"] or None,
        "serviceSpec": row["spec"] or None,
        "lastClientRequestToken": row["last_client_request_token"] or None,
    }
