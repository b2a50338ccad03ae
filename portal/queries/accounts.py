"""Reading AWS accounts: those with a name, and those in which something runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from portal.models import AwsAccount, Environment, EnvironmentAccountConnection, Template
from portal.queries.usage import Summary, UsageRow, summary


def names() -> dict[str, str]:
    """{account id: its name or ""}, by id: the management account, named ones, and those in use or connected."""
    found = dict.fromkeys([settings.PORTAL_ACCOUNT_ID], "")
    connected = EnvironmentAccountConnection.objects.filter(deleted_at__isnull=True).order_by()
    used = Environment.objects.order_by().values_list("target_account_id", flat=True)
    found |= dict.fromkeys(used.union(connected.values_list("environment_account_id", flat=True)), "")
    found |= dict(AwsAccount.objects.values_list("account_id", "name"))
    return dict(sorted(found.items()))


def roles() -> dict[str, str]:
    """{ARN: its account} of the provisioning roles that environments use."""
    found = Environment.objects.order_by("proton_service_role_arn").exclude(proton_service_role_arn="")
    return {arn: f"in {account}" for arn, account in found.values_list("proton_service_role_arn", "target_account_id")}


@dataclass(frozen=True)
class AccountUse:
    """One account and what runs in it. ``templates`` has each template with its count, the most used first."""

    account_id: str
    name: str
    is_management: bool
    summary: Summary
    templates: tuple[tuple[Template, int], ...]


def uses(rows: Sequence[UsageRow]) -> list[AccountUse]:
    """Every known account with its part of ``rows``."""
    return [_use(account_id, name, rows) for account_id, name in names().items()]


def _use(account_id: str, name: str, rows: Sequence[UsageRow]) -> AccountUse:
    mine = [row for row in rows if row.account_id == account_id]
    counts = Counter(row.template.pk for row in mine)
    templates = {row.template.pk: row.template for row in mine}
    return AccountUse(
        account_id=account_id,
        name=name,
        is_management=account_id == settings.PORTAL_ACCOUNT_ID,
        summary=summary(mine),
        templates=tuple((templates[pk], count) for pk, count in counts.most_common()),
    )
