"""Services and their pipelines as the wire shows them. Rows are dictionaries of ``queries.services.shown``."""

from collections.abc import Mapping
from typing import Any

from portal.models import Service, ServicePipeline
from portal.models.fields import opened
from portal.wire.presenters.attempts import attempts

PIPELINE = "pipeline_"


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "arn": row["arn"],
        "name": row["name"],
        "description": row["description"] or None,
        "status": row["status"],
        "statusMessage": row["status_message"] or None,
        "createdAt": row["created_at"],
        "lastModifiedAt": row["last_modified_at"],
        "templateName": row["template_name"],
    }


def service(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` is a whole one."""
    row = opened(Service, row, "spec")
    return {
        **summary(row),
        "spec": row["spec"],
        "branchName": row["branch_name"] or None,
        "repositoryConnectionArn": row["repository_connection_arn"] or None,
        "repositoryId": row["repository_id"] or None,
        "pipeline": pipeline(row),
    }


def pipeline(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The pipeline of a whole row, None where the service has none."""
    if row[f"{PIPELINE}arn"] is None:
        return None
    own = {name.removeprefix(PIPELINE): value for name, value in row.items() if name.startswith(PIPELINE)}
    return {
        **attempts(own),
        "arn": own["arn"],
        "createdAt": own["created_at"],
        "spec": opened(ServicePipeline, own, "spec")["spec"] or None,
        "templateName": row["template_name"],
    }
