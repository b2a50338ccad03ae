"""The settings of the management account."""

from collections.abc import Mapping
from typing import Any

from portal.actions import accounts as actions
from portal.enums import Role
from portal.models import AccountSettings
from portal.wire.presenters.repositories import branch
from portal.wire.registry import Caller, operation

Reply = Mapping[str, Any]


def _shown(row: AccountSettings) -> Reply:
    """AWS Proton: a fresh account has settings, which are empty."""
    return {
        "accountSettings": {
            "pipelineServiceRoleArn": row.pipeline_service_role_arn or None,
            "pipelineCodebuildRoleArn": row.pipeline_codebuild_role_arn or None,
            "pipelineProvisioningRepository": branch(row.pipeline_provisioning_repository),
        }
    }


@operation("GetAccountSettings", Role.VIEWER)
def get_account_settings(caller: Caller) -> Reply:
    return _shown(AccountSettings.get())


@operation("UpdateAccountSettings", Role.ADMIN)
def update_account_settings(
    caller: Caller,
    *,
    delete_pipeline_provisioning_repository: bool | None = None,
    pipeline_codebuild_role_arn: str | None = None,
    pipeline_provisioning_repository: Mapping[str, str] | None = None,
    pipeline_service_role_arn: str | None = None,
) -> Reply:
    """Members that are not sent stay as they are; "" clears a role."""
    return _shown(
        actions.update_settings(
            by=caller.user,
            pipeline_service_role_arn=pipeline_service_role_arn,
            pipeline_codebuild_role_arn=pipeline_codebuild_role_arn,
            pipeline_provisioning_repository=pipeline_provisioning_repository,
            delete_pipeline_provisioning_repository=bool(delete_pipeline_provisioning_repository),
        )
    )
