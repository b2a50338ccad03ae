"""Services and their pipelines as the wire shows them. Rows are dictionaries of ``queries.services.shown``."""

from collections.abc import Mapping
from typing import Any

from portal.enums import RUNNING, DeploymentStatus, ServiceStatus
from portal.models import Service, ServicePipeline
from portal.models.fields import opened
from portal.wire.presenters.attempts import attempts

PIPELINE = "pipeline_"
EDITED = {ServiceStatus.CREATE_IN_PROGRESS, ServiceStatus.UPDATE_IN_PROGRESS}  # and the pipeline will be deployed


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
    """The pipeline of a whole row, None where the service has none.

    AWS Proton: it is in progress from the beginning of its service's edit, so that who waits for it does not find its
    old success.
    """
    if row[f"{PIPELINE}arn"] is None:
        return None
    own = {name.removeprefix(PIPELINE): value for name, value in row.items() if name.startswith(PIPELINE)}
    if row["status"] in EDITED and own["status"] not in RUNNING:
        own["status"], own["status_message"] = DeploymentStatus.IN_PROGRESS, ""
    return {
        **attempts(own),
        "arn": own["arn"],
        "createdAt": own["created_at"],
        "spec": opened(ServicePipeline, own, "spec")["spec"] or None,
        "templateName": row["template_name"],
    }
