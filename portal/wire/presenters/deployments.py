"""Deployments as the wire shows them. Rows are dictionaries of ``queries.deployments.shown``."""

from collections.abc import Mapping
from typing import Any

from portal import arns
from portal.enums import DeploymentTargetType
from portal.models import Deployment
from portal.models.fields import opened

UNION = {
    DeploymentTargetType.ENVIRONMENT: "environment",
    DeploymentTargetType.SERVICE_INSTANCE: "serviceInstance",
    DeploymentTargetType.SERVICE_PIPELINE: "servicePipeline",
    DeploymentTargetType.COMPONENT: "component",
}


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """AWS Proton: the pointers are the target's at the time of the record, when this was its last attempt."""
    before = row["succeeded_before"]
    return {
        "id": str(row["id"]),
        "arn": arns.deployment(row["id"]),
        "deploymentStatus": row["status"],
        "targetArn": row["target_arn"],
        "targetResourceType": row["target_type"],
        "targetResourceCreatedAt": row["target_created_at"],
        "environmentName": row["environment_name"] or row["pipeline_environment"] or "",
        "serviceName": row["service_name"] or None,
        "serviceInstanceName": row["instance_name"] or None,
        "componentName": row["component_name"] or None,
        "createdAt": row["created_at"],
        "lastModifiedAt": row["last_modified_at"],
        "completedAt": row["completed_at"],
        "lastAttemptedDeploymentId": str(row["id"]),
        "lastSucceededDeploymentId": None if before is None else str(before),
    }


def deployment(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` is a whole one."""
    row = opened(Deployment, row, "initial_state", "target_state")
    return {
        **summary(row),
        "deploymentStatusMessage": row["status_message"] or None,
        "initialState": _state(row, "initial_state"),
        "targetState": _state(row, "target_state"),
    }


def _state(row: Mapping[str, Any], which: str) -> dict[str, Any] | None:
    """One member, by the kind of target; None for what was not there, or will not be."""
    state = row[which]
    if not state:
        return None
    kind = DeploymentTargetType(row["target_type"])
    if kind == DeploymentTargetType.COMPONENT:
        shown = {
            "serviceName": state.get("service_name"),
            "serviceInstanceName": state.get("service_instance_name"),
            "serviceSpec": state.get("service_spec") or None,
            "templateFile": state.get("template_file"),
        }
        return {UNION[kind]: shown}
    shown = {
        "spec": state["spec"],
        "templateName": state["template_name"],
        "templateMajorVersion": state["template_major_version"],
        "templateMinorVersion": state["template_minor_version"],
        "lastSuccessfulEnvironmentDeploymentId": state.get("last_successful_environment_deployment_id"),
        "lastSuccessfulServicePipelineDeploymentId": state.get("last_successful_service_pipeline_deployment_id"),
        "lastSuccessfulComponentDeploymentIds": state.get("last_successful_component_deployment_ids"),
    }
    return {UNION[kind]: shown}
