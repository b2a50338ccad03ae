"""Reading environment account connections. Deleted ones exist for nobody but the environment that used them."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import Q, QuerySet

from portal.enums import EnvironmentAccountConnectionStatus
from portal.models import (
    AccountSettings,
    Bundle,
    Component,
    Environment,
    EnvironmentAccountConnection,
    TemplateVersion,
    User,
)
from provisioning import policies
from provisioning.archives import read_archive


def visible_to(user: User, *, with_deleted: bool = False) -> QuerySet[EnvironmentAccountConnection]:
    """Everyone who is signed in may read; lists and single rows come from here alike.

    ``with_deleted`` is for repeated deletions, which return what was deleted.
    """
    rows = EnvironmentAccountConnection.objects.select_related("environment", "requested_by")
    rows = rows if with_deleted else rows.filter(deleted_at__isnull=True)
    return rows if user.is_authenticated and user.is_active else rows.none()


def of_account(rows: QuerySet[EnvironmentAccountConnection], account_id: str) -> QuerySet[EnvironmentAccountConnection]:
    """Those that the account is a side of."""
    return rows.filter(Q(management_account_id=account_id) | Q(environment_account_id=account_id))


def received(user: User, account_id: str) -> QuerySet[EnvironmentAccountConnection]:
    """What a management account was asked for (requestedBy MANAGEMENT_ACCOUNT)."""
    return visible_to(user).filter(management_account_id=account_id)


def sent(user: User, account_id: str) -> QuerySet[EnvironmentAccountConnection]:
    """What an environment account asked for (requestedBy ENVIRONMENT_ACCOUNT)."""
    return visible_to(user).filter(environment_account_id=account_id)


def filtered(
    rows: QuerySet[EnvironmentAccountConnection], *, environment_name: str = "", statuses: Iterable[str] = ()
) -> QuerySet[EnvironmentAccountConnection]:
    """Empty values filter nothing."""
    wanted = list(statuses)
    rows = rows.filter(environment_name=environment_name) if environment_name else rows
    return rows.filter(status__in=wanted) if wanted else rows


def free(user: User) -> QuerySet[EnvironmentAccountConnection]:
    """In force, and no environment uses them: what a new environment may be made with."""
    return visible_to(user).filter(status=EnvironmentAccountConnectionStatus.CONNECTED, environment__isnull=True)


def others_for(user: User, environment: Environment) -> QuerySet[EnvironmentAccountConnection]:
    """In force for the same account and name: what an environment may change to, the present one included."""
    rows = visible_to(user).filter(
        status=EnvironmentAccountConnectionStatus.CONNECTED,
        environment_account_id=environment.target_account_id,
        environment_name=environment.name,
    )
    return rows.filter(Q(environment__isnull=True) | Q(environment=environment))


def principal() -> str:
    """The ARN that roles trust: the portal's own identity where it is set, else its whole account."""
    aws = policies.partition(settings.PORTAL_REGION)
    return settings.PORTAL_PRINCIPAL_ARN or f"arn:{aws}:iam::{settings.PORTAL_ACCOUNT_ID}:root"


def services_in_use() -> tuple[str, ...]:
    """IAM namespaces of everything that the newest published version of each major makes, for permission policies."""
    newest: dict[tuple[int, int], str] = {}
    rows = TemplateVersion.objects.filter(published_at__isnull=False, bundle__isnull=False).order_by("minor")
    for template, major, bundle in rows.values_list("template_id", "major", "bundle_id"):
        newest[template, major] = bundle
    bundles = Bundle.objects.filter(pk__in=set(newest.values())).values_list("content", flat=True)
    return policies.services_of(_texts(bundles))


def _texts(contents: Iterable[bytes]) -> Iterable[str]:
    for content in contents:
        for name, data in read_archive(bytes(content)).items():
            if name.endswith((".yaml", ".yml", ".json")):
                yield data.decode("utf-8", errors="replace")


def assumed_roles() -> list[str]:
    """Every role that the portal assumes or is to test, for the policy of its own identity."""
    connected = EnvironmentAccountConnection.objects.filter(deleted_at__isnull=True).exclude(
        status=EnvironmentAccountConnectionStatus.REJECTED
    )
    named = connected.only("role_arn", "codebuild_role_arn", "component_role_arn")
    found = {role for connection in named for role in connection.assumed_roles}
    own = Environment.objects.filter(connection__isnull=True)
    found |= {role for pair in own.values_list("proton_service_role_arn", "component_role_arn") for role in pair}
    kept = Component.objects.filter(environment__connection__isnull=True)  # removed with what they were deployed with
    found |= set(kept.exclude(latest=None).values_list("latest__role_arn", flat=True))
    found.add(AccountSettings.get().pipeline_service_role_arn)
    return sorted(found - {""})
