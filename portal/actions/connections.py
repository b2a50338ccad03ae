"""Environment account connections: asked for by an environment account, decided by the management account.

``account_id`` is the account that a caller speaks for. Over the API it is the access key's; in the browser platform
engineers and admins may speak for either side, and the page says for which.
"""

import secrets
import uuid
from dataclasses import asdict

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import arns, engines, quotas
from portal.actions import audit
from portal.actions.names import check_name, unless_taken
from portal.actions.roles import require_account_id, require_roles
from portal.enums import ConnectVerdict, EnvironmentAccountConnectionStatus, Role
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, Unavailable
from portal.models import Environment, EnvironmentAccountConnection, User
from provisioning.engines.base import EngineUnavailable
from provisioning.engines.trust import Finding, connect_test
from provisioning.problems import Problem

Connection = EnvironmentAccountConnection
Status = EnvironmentAccountConnectionStatus
PASSED = {ConnectVerdict.SAFE, ConnectVerdict.UNCHECKED, ConnectVerdict.NOTHING}
REASONS = {
    ConnectVerdict.OPEN: "A role can be assumed without the connection's external id, so others could use it, too. "
    "Paste the trust policy of the connection's page into the role.",
    ConnectVerdict.CLOSED: "A role cannot be assumed with the connection's external id. "
    "Make the role, and paste the trust policy of the connection's page into it.",
}


def _only_platform(by: User) -> None:
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Account connections are made and decided by platform engineers. Ask a platform engineer.")


def _speaks_for(account_id: str, connection: Connection, side: str) -> None:
    """Raises NotFound for a stranger, Forbidden for the wrong side of the connection."""
    sides = {"management": connection.management_account_id, "environment": connection.environment_account_id}
    if account_id not in sides.values():
        raise NotFound(f"environment account connection {connection.pk} does not exist")
    if account_id != sides[side]:
        raise Forbidden(f"That is done in the {side} account, {sides[side]}, and you speak for {account_id}.")


def _locked(connection: Connection) -> Connection:
    """The row of now, locked until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    found = Connection.objects.select_for_update().filter(pk=connection.pk, deleted_at__isnull=True).first()
    if found is None:
        raise NotFound(f"environment account connection {connection.pk} does not exist any more")
    return found


def request(
    *,
    by: User,
    account_id: str,
    management_account_id: str,
    environment_name: str,
    role_arn: str = "",
    codebuild_role_arn: str = "",
    component_role_arn: str = "",
    tags: dict[str, str] | None = None,
    client_token: str = "",
) -> Connection:
    """Ask, for environment account ``account_id``, to be let deployed into. Its external id is made here.

    Raises Invalid with every problem, Conflict while the same is asked for already, QuotaExceeded.
    """
    _only_platform(by)
    require_account_id(account_id, path="/environment_account_id")
    check_name(environment_name, "environment", path="/environment_name")
    if management_account_id != settings.PORTAL_ACCOUNT_ID:
        message = f"This portal manages for account {settings.PORTAL_ACCOUNT_ID}, not for {management_account_id}."
        raise Invalid(message, [Problem("/management_account_id", message)])
    if account_id == management_account_id:
        message = "This is the management account itself: environments in it need no connection."
        raise Invalid(message, [Problem("/environment_account_id", message)])
    roles = {
        "role_arn": role_arn,
        "codebuild_role_arn": codebuild_role_arn,
        "component_role_arn": component_role_arn,
    }
    require_roles(roles, account_id)
    key = uuid.uuid4()
    with transaction.atomic():
        mine = Connection.objects.filter(environment_account_id=account_id, deleted_at__isnull=True)
        if mine.count() >= quotas.CONNECTIONS_PER_ENVIRONMENT_ACCOUNT:
            most = quotas.CONNECTIONS_PER_ENVIRONMENT_ACCOUNT
            raise QuotaExceeded(f"Account {account_id} has {most} connections already: delete one first.")
        made = unless_taken(
            lambda: Connection.objects.create(
                id=key,
                arn=arns.environment_account_connection(account_id, key),
                management_account_id=management_account_id,
                environment_account_id=account_id,
                environment_name=environment_name,
                external_id=f"deuteron-{secrets.token_hex(20)}",
                client_token=client_token,
                tags=tags or {},
                requested_by=by,
                **roles,
            ),
            f"A connection of account {account_id} for environment {environment_name} waits for a decision already.",
        )
        audit.record(by=by, action="connection.request", target=made.arn, environment=environment_name)
    return made


def update_roles(
    *,
    by: User,
    account_id: str,
    connection: Connection,
    role_arn: str | None = None,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    reason: str = "",
) -> Connection:
    """Other roles of the same environment account; "" clears one, None leaves it. The next deployment uses them.

    Roles of a connection that is in force are tested first, as for ``accept``.
    """
    _only_platform(by)
    _speaks_for(account_id, connection, "environment")
    wanted = {
        "role_arn": role_arn,
        "codebuild_role_arn": codebuild_role_arn,
        "component_role_arn": component_role_arn,
    }
    changes = {name: arn for name, arn in wanted.items() if arn is not None and arn != getattr(connection, name)}
    require_roles(changes, account_id)
    before = _roles(connection)
    changed = Connection(
        **{field.attname: getattr(connection, field.attname) for field in Connection._meta.concrete_fields}
    )
    for name, arn in changes.items():
        setattr(changed, name, arn)
    finding = None
    if connection.status == Status.CONNECTED and changed.assumed_roles != connection.assumed_roles:
        finding = _passed(by, changed, reason)
    with transaction.atomic():
        locked = _locked(connection)
        if locked.status == Status.REJECTED:
            raise Conflict("A rejected connection stays as it is. Ask for a new one.")
        if not changes:
            return locked
        if _roles(locked) != before or locked.status != connection.status:
            raise Conflict("The connection was changed meanwhile. Look at it again.")
        for name, arn in changes.items():
            setattr(locked, name, arn)
        _forget_test(locked)
        if finding is not None:
            _keep(locked, finding)
        if locked.status == Status.CONNECTED and changed.assumed_roles != connection.assumed_roles:
            locked.reason = reason
        locked.last_modified_at = Now()
        locked.save()
        audit.record(by=by, action="connection.update", target=locked.arn, members=sorted(changes), reason=reason)
    locked.refresh_from_db()
    return locked


def _roles(connection: Connection) -> tuple[str, str, str]:
    return connection.role_arn, connection.codebuild_role_arn, connection.component_role_arn


def _forget_test(connection: Connection) -> None:
    connection.tested_at, connection.verdict, connection.probes = None, "", []


def _keep(connection: Connection, finding: Finding) -> None:
    connection.tested_at = Now()
    connection.verdict = ConnectVerdict(finding.verdict)
    connection.probes = [asdict(probe) for probe in finding.probes]


def _find(connection: Connection) -> Finding:
    """Asks AWS, so never inside a transaction of ours. Raises Unavailable when it does not answer."""
    try:
        return connect_test(
            engines.sessions(),
            connection.assumed_roles,
            region=settings.PORTAL_REGION,
            external_id=connection.external_id,
            name=f"connect-test-{connection.pk}",
            may_be_emulated=settings.EMBEDDED,
        )
    except EngineUnavailable as trouble:
        raise Unavailable(f"AWS did not answer the connect test: {trouble}") from trouble


def _recorded(by: User, connection: Connection, finding: Finding) -> Connection:
    """Write what was found, unless the roles changed meanwhile: then it was found about others."""
    with transaction.atomic():
        locked = _locked(connection)
        if _roles(locked) != _roles(connection):
            raise Conflict("The roles were changed while they were tested. Test again.")
        _keep(locked, finding)
        locked.save(update_fields=["tested_at", "verdict", "probes"])
        audit.record(by=by, action="connection.test", target=locked.arn, verdict=finding.verdict)
    locked.refresh_from_db()
    return locked


def test(*, by: User, connection: Connection) -> Connection:
    """Assume its roles with the right external id, without one and with a wrong one, and keep what AWS said.

    Changes nothing else. Raises Unavailable when AWS does not answer.
    """
    _only_platform(by)
    return _recorded(by, connection, _find(connection))


def _passed(by: User, connection: Connection, reason: str) -> Finding | None:
    """What the test found, when it lets the connection be; None when AWS did not answer an admin who gave a reason.

    Raises Invalid when it does not, Forbidden when somebody else than an admin gives a reason not to mind.
    """
    if reason and not by.at_least(Role.ADMIN):
        raise Forbidden("Only an admin may accept roles that did not pass the connect test. Ask an admin.")
    if len(reason) > 500:
        raise Invalid("reason", [Problem("/reason", "A reason has at most 500 characters.")])
    try:
        finding = _find(connection)
    except Unavailable:
        if reason:
            return None
        raise
    if not reason and ConnectVerdict(finding.verdict) not in PASSED:
        if connection.status == Status.PENDING:
            _recorded(by, connection, finding)
        message = REASONS[ConnectVerdict(finding.verdict)]
        said = next((probe.said for probe in finding.probes if probe.kind == "right" and probe.said), "")
        message += f" AWS said: {said}" if said and finding.verdict == "closed" else ""
        raise Invalid(message, [Problem("/reason", message)])
    return finding


def accept(*, by: User, account_id: str, connection: Connection, reason: str = "") -> Connection:
    """Let the portal deploy through it. Tested first, unless an admin gives a reason to accept it whatever is found.

    An environment of the same account and name that lost its connection has access again. Accepting twice is once.
    Raises Invalid when the test does not pass (what it found is kept), Conflict when it was rejected.
    """
    _only_platform(by)
    _speaks_for(account_id, connection, "management")
    if connection.status == Status.CONNECTED:
        return connection
    if connection.status == Status.REJECTED:
        raise Conflict("The connection was rejected, and that is final. The environment account asks for a new one.")
    finding = _passed(by, connection, reason)
    with transaction.atomic():
        locked = _locked(connection)
        if locked.status == Status.CONNECTED:
            return locked
        if locked.status == Status.REJECTED or _roles(locked) != _roles(connection):
            raise Conflict("The connection was changed meanwhile. Look at it again.")
        if finding is not None:
            _keep(locked, finding)
        locked.status = Status.CONNECTED
        locked.reason = reason
        locked.last_modified_at = Now()
        locked.save()
        _give_back(locked)
        verdict = finding.verdict if finding is not None else "unknown"
        audit.record(by=by, action="connection.accept", target=locked.arn, verdict=verdict, reason=reason)
    locked.refresh_from_db()
    return locked


def _give_back(connection: Connection) -> None:
    """AWS Proton: an environment whose connection was deleted has access again by a new one of its account and name."""
    Environment.objects.filter(
        name=connection.environment_name,
        target_account_id=connection.environment_account_id,
        connection__deleted_at__isnull=False,
    ).update(connection=connection)


def reject(*, by: User, account_id: str, connection: Connection) -> Connection:
    """Final. One that was accepted can be rejected while no environment uses it. Rejecting twice is once."""
    _only_platform(by)
    _speaks_for(account_id, connection, "management")
    with transaction.atomic():
        locked = _locked(connection)
        if locked.status == Status.REJECTED:
            return locked
        if Environment.objects.filter(connection=locked).exists():
            name = locked.environment_name
            raise Conflict(f"Environment {name} deploys through this connection. Delete the environment first.")
        locked.status = Status.REJECTED
        locked.last_modified_at = Now()
        locked.save(update_fields=["status", "last_modified_at"])
        audit.record(by=by, action="connection.reject", target=locked.arn)
    locked.refresh_from_db()
    return locked


def delete(*, by: User, account_id: str, connection: Connection) -> Connection:
    """Also when it is in use: its environment then has no access until a new one is accepted. Twice is once."""
    _only_platform(by)
    _speaks_for(account_id, connection, "environment")
    with transaction.atomic():
        if Connection.objects.filter(pk=connection.pk, deleted_at__isnull=True).update(
            deleted_at=Now(), last_modified_at=Now()
        ):
            audit.record(by=by, action="connection.delete", target=connection.arn)
    connection.refresh_from_db()
    return connection
