"""Environment account connections as the wire shows them."""

from typing import Any

from portal.models import EnvironmentAccountConnection


def summary(row: EnvironmentAccountConnection) -> dict[str, Any]:
    """AWS Proton: ``roleArn`` is always there, also where a connection is for CodeBuild only."""
    return {
        "id": str(row.pk),
        "arn": row.arn,
        "environmentAccountId": row.environment_account_id,
        "environmentName": row.environment_name,
        "managementAccountId": row.management_account_id,
        "requestedAt": row.requested_at,
        "lastModifiedAt": row.last_modified_at,
        "status": row.status,
        "roleArn": row.role_arn,
        "componentRoleArn": row.component_role_arn or None,
    }


def connection(row: EnvironmentAccountConnection) -> dict[str, Any]:
    return {**summary(row), "codebuildRoleArn": row.codebuild_role_arn or None}
