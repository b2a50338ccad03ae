"""Service instances as the wire shows them. Rows are dictionaries of ``queries.instances.shown``."""

from collections.abc import Mapping
from typing import Any

from portal.models import ServiceInstance
from portal.models.fields import opened
from portal.wire.presenters.attempts import attempts


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **attempts(row),
        "arn": row["arn"],
        "name": row["name"],
        "createdAt": row["created_at"],
        "serviceName": row["service_name"],
        "environmentName": row["environment_name"],
        "templateName": row["template_name"],
    }


def instance(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` is a whole one."""
    row = opened(ServiceInstance, row, "spec")
    return {
        **summary(row),
        "spec": row["spec"] or None,
        "lastClientRequestToken": row["last_client_token"] or None,
    }
