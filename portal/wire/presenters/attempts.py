"""What environments, instances, pipelines and components show alike. Rows are those of ``queries.attempts.columns``."""

from collections.abc import Iterable, Mapping
from typing import Any

from portal.enums import DeploymentStatus
from portal.models import Output, ProvisionedResource

ENGINES = {"CLOUDFORMATION", "TERRAFORM"}  # AWS Proton has no other value: CodeBuild's own stack is CloudFormation's


def progress(row: Mapping[str, Any]) -> dict[str, Any]:
    """Status and deployments."""
    return {
        "deploymentStatus": row["status"] or DeploymentStatus.IN_PROGRESS,
        "deploymentStatusMessage": row["status_message"] or None,
        "lastAttemptedDeploymentId": _text(row["attempted_id"]),
        "lastSucceededDeploymentId": _text(row["succeeded_id"]),
    }


def attempts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Status, times, deployments and version. Before a first attempt, or success, its time is that of the creation."""
    found = progress(row)
    found["lastDeploymentAttemptedAt"] = row["attempted_at"] or row["created_at"]
    found["lastDeploymentSucceededAt"] = row["succeeded_at"] or row["created_at"]
    found["templateMajorVersion"] = str(row["major"] or 0)
    found["templateMinorVersion"] = str(row["minor"] or 0)
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def outputs(found: Iterable[Output]) -> list[dict[str, str]]:
    return [{"key": output.key, "valueString": output.value} for output in found]


def resources(found: Iterable[ProvisionedResource]) -> list[dict[str, str]]:
    return [
        {
            "name": resource.name,
            "identifier": resource.identifier,
            "provisioningEngine": resource.engine if resource.engine in ENGINES else "CLOUDFORMATION",
        }
        for resource in found
    ]
