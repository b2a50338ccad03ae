"""AWS accounts and the management account's settings."""

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from portal.actions import audit, repositories
from portal.actions.roles import require_account_id, require_roles
from portal.enums import Role
from portal.errors import Forbidden, Invalid
from portal.models import AccountSettings, AwsAccount, User
from provisioning.problems import Problem


def name_account(*, by: User, account_id: str, name: str) -> AwsAccount:
    """Say in a word what an account is for. Raises Invalid for anything but twelve digits."""
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Accounts are named by platform engineers. Ask a platform engineer.")
    require_account_id(account_id, path="/account_id")
    with transaction.atomic():
        account, _ = AwsAccount.objects.update_or_create(account_id=account_id, defaults={"name": name.strip()[:100]})
        audit.record(by=by, action="account.name", target=f"account/{account_id}", name=account.name)
    return account


def update_settings(
    *,
    by: User,
    pipeline_service_role_arn: str | None = None,
    pipeline_codebuild_role_arn: str | None = None,
    pipeline_provisioning_repository: Mapping[str, str] | None = None,
    delete_pipeline_provisioning_repository: bool = False,
    developers_use_components: bool | None = None,
) -> AccountSettings:
    """What pipelines are provisioned with: roles of the management account, or the {provider, name, branch} of a linked
    repository; and whether developers may use components. "" clears a role, the flag the repository; None leaves a
    member as it is."""
    if not by.at_least(Role.ADMIN):
        raise Forbidden("Settings are changed by admins. Ask an admin.")
    wanted = {
        "pipeline_service_role_arn": pipeline_service_role_arn,
        "pipeline_codebuild_role_arn": pipeline_codebuild_role_arn,
    }
    require_roles({name: arn or "" for name, arn in wanted.items()}, settings.PORTAL_ACCOUNT_ID)
    if pipeline_provisioning_repository is not None and delete_pipeline_provisioning_repository:
        message = "Either give a repository for pipelines or delete it, not both."
        raise Invalid(message, [Problem("/repository", message)])
    with transaction.atomic():
        row = AccountSettings.get()
        for name, value in wanted.items():
            if value is not None:
                setattr(row, name, value)
        detail: dict[str, object] = {}
        if delete_pipeline_provisioning_repository:
            row.pipeline_provisioning_repository, detail["repository"] = None, ""
        elif pipeline_provisioning_repository is not None:
            chosen = repositories.linked(pipeline_provisioning_repository, "/repository")
            row.pipeline_provisioning_repository, detail["repository"] = chosen, chosen["name"]
        if developers_use_components is not None and developers_use_components != row.developers_use_components:
            row.developers_use_components = detail["developers_use_components"] = developers_use_components
        row.save()
        audit.record(by=by, action="settings.update", target="settings", **detail)
    return row
