"""Creating, updating and deleting environments."""

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from portal import arns, quotas
from portal.actions import audit, repositories, specs, versions
from portal.actions.names import check_name, check_texts, unless_taken
from portal.actions.places import CONNECTION
from portal.actions.roles import require_account_id, require_roles
from portal.actions.starting import require_not_going, start, start_removal
from portal.enums import DeploymentKind, DeploymentUpdateType, Role, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import Environment, EnvironmentAccountConnection, Team, Template, User
from portal.queries import environments as queries
from portal.queries import templates as template_queries
from provisioning.problems import Problem
from provisioning.spec import CURRENT_VALUE, dump_spec

ROLES = ("proton_service_role_arn", "codebuild_role_arn", "component_role_arn")


def _only_platform(by: User) -> None:
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Environments are made and changed by platform engineers. Ask a platform engineer.")


def _problem(path: str, message: str) -> Invalid:
    return Invalid(message, [Problem(path, message)])


def account_without_connection(account_id: str, roles: dict[str, str]) -> str:
    """The account to deploy into without a connection: the management account, which every role must be in.

    With the embedded AWS any account may be named, since its keys open all of them; not with a role. Raises Invalid.
    """
    require_roles(roles, settings.PORTAL_ACCOUNT_ID)
    account_id = account_id or settings.PORTAL_ACCOUNT_ID
    require_account_id(account_id, path="/account_id")
    if account_id != settings.PORTAL_ACCOUNT_ID:
        if any(roles.values()):
            named = next(name for name, arn in roles.items() if arn)
            raise _problem(f"/{named}", f"The role is in account {settings.PORTAL_ACCOUNT_ID}, not in {account_id}.")
        if not settings.EMBEDDED:
            raise _problem(
                "/account_id", f"Deploying into account {account_id} needs an account connection that it asked for."
            )
    return account_id


def _account_of(
    connection: EnvironmentAccountConnection | None, account_id: str, name: str, roles: dict[str, str]
) -> str:
    """The account to deploy into. Raises Invalid for what AWS Proton does not let be combined."""
    if connection is None:
        return account_without_connection(account_id, roles)
    _require_no_roles(roles)
    if account_id and account_id != connection.environment_account_id:
        raise _problem("/account_id", f"The connection leads into account {connection.environment_account_id}.")
    _require_bound(connection, name)
    return connection.environment_account_id


def _require_no_roles(roles: Mapping[str, str | None]) -> None:
    """Raises Invalid for a role that is named beside a connection."""
    for name, arn in roles.items():
        if arn:
            raise _problem(f"/{name}", "The roles come from the account connection: leave this empty.")


def _require_bound(connection: EnvironmentAccountConnection, name: str) -> None:
    """Raises Invalid unless the connection is in force and is for an environment of this name."""
    if not connection.is_usable:
        state = "deleted" if connection.deleted_at else connection.get_status_display().lower()
        raise _problem(CONNECTION, f"This connection is {state}: only a connected one can be used.")
    if connection.environment_name != name:
        raise _problem(CONNECTION, f"This connection is for an environment named {connection.environment_name}.")


def _still_in_force(connection: EnvironmentAccountConnection, name: str) -> EnvironmentAccountConnection:
    """The row of now, locked until the transaction ends, so that nobody rejects it meanwhile."""
    rows = EnvironmentAccountConnection.objects.select_for_update()
    locked = rows.get(pk=connection.pk)
    _require_bound(locked, name)
    return locked


def create(
    *,
    by: User,
    name: str,
    template: Template,
    spec: str,
    major: int,
    minor: int | None = None,
    description: str = "",
    team: Team | None = None,
    account_id: str = "",
    proton_service_role_arn: str = "",
    codebuild_role_arn: str = "",
    component_role_arn: str = "",
    provisioning_repository: Mapping[str, str] | None = None,
    connection: EnvironmentAccountConnection | None = None,
    tags: dict[str, str] | None = None,
) -> Environment:
    """Make an environment and start its first deployment.

    ``spec`` is an EnvironmentSpec as YAML. Without ``minor`` the recommended one. Another account is entered through
    a ``connection`` for this name, and then by its roles only. ``provisioning_repository`` is {provider, name, branch}
    of a linked one, and goes with neither. Raises Invalid with every problem, Conflict when the name is taken,
    QuotaExceeded.
    """
    _only_platform(by)
    check_name(name, "environment")
    check_texts(description=description)
    if template.kind != TemplateKind.ENVIRONMENT:
        raise Invalid(f"{template.name} is a service template: an environment needs an environment template.")
    version = template_queries.resolve(by, template, major, minor)
    roles = dict(zip(ROLES, (proton_service_role_arn, codebuild_role_arn, component_role_arn), strict=True))
    account_id = _account_of(connection, account_id, name, roles)
    document = specs.read(spec, "environment")
    inputs = specs.environment_inputs(document, version)
    with transaction.atomic():
        if Environment.objects.count() >= quotas.ENVIRONMENTS:
            raise QuotaExceeded(f"There are {quotas.ENVIRONMENTS} environments already: delete one first.")
        entered = bool(proton_service_role_arn or codebuild_role_arn or connection)
        repository = repositories.of_environment(provisioning_repository, None, entered=entered, is_new=True)
        environment = unless_taken(
            lambda: Environment.objects.create(
                name=name,
                arn=arns.environment(name),
                description=description,
                template=template,
                team=team,
                target_account_id=account_id,
                region=settings.PORTAL_REGION,
                connection=_still_in_force(connection, name) if connection else None,
                **roles,
                provisioning_repository=repository,
                tags=tags or {},
                created_by=by,
            ),
            f"An environment named {name} exists already. Choose another name.",
        )
        audit.record(by=by, action="environment.create", target=environment.arn, version=version.number)
        start(by=by, target=environment, kind=DeploymentKind.CREATE, version=version, spec=spec, inputs=inputs)
    return environment


def update(
    *,
    by: User,
    environment: Environment,
    deployment_type: str,
    spec: str | None = None,
    major: int | None = None,
    minor: int | None = None,
    description: str | None = None,
    team: Team | None = None,
    proton_service_role_arn: str | None = None,
    codebuild_role_arn: str | None = None,
    component_role_arn: str | None = None,
    provisioning_repository: Mapping[str, str] | None = None,
    connection: EnvironmentAccountConnection | None = None,
) -> Environment:
    """Deploy another spec or version, or with NONE change the details only. None leaves a member as it is.

    A new ``connection`` must lead into the same account and be for this name; an environment without one gets none.

    Spec and version of the environment change when the deployment succeeds. Raises Conflict while one is running.
    """
    _only_platform(by)
    check_texts(description=description)
    deploys = DeploymentUpdateType(deployment_type) != DeploymentUpdateType.NONE
    with transaction.atomic():
        locked = _locked(environment)
        entered = bool(proton_service_role_arn or codebuild_role_arn or connection)
        present = locked.provisioning_repository
        repositories.of_environment(provisioning_repository, present, entered=entered, is_new=False)
        _set_details(locked, description, team)
        roles = dict(zip(ROLES, (proton_service_role_arn, codebuild_role_arn, component_role_arn), strict=True))
        _set_entry(locked, roles, connection)
        if deploys:
            require_not_going(locked)
            base = locked.shown_version
            if base is None:
                raise Conflict(f"{locked.name} was never deployed and its template version is gone: delete it.")
            version = versions.target(
                by=by,
                template=locked.template,
                current=base,
                deployment_type=deployment_type,
                major=major,
                minor=minor,
            )
            stored = locked.spec or (locked.latest.spec if locked.latest else "")
            text = spec or stored
            document = specs.read(text, "environment", stored=stored)
            inputs = specs.environment_inputs(document, version)
            kind = DeploymentKind.UPDATE if locked.deployed_id else DeploymentKind.CREATE
            start(
                by=by,
                target=locked,
                kind=kind,
                version=version,
                spec=dump_spec(document) if CURRENT_VALUE in text else text,
                inputs=inputs,
                allow_replace_empty=kind == DeploymentKind.CREATE,
            )
            audit.record(by=by, action="environment.update", target=locked.arn, version=version.number)
        else:
            audit.record(by=by, action="environment.edit", target=locked.arn)
    return locked


def _locked(environment: Environment) -> Environment:
    """The row of now, locked until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    rows = Environment.objects.select_for_update(of=("self",)).select_related(
        "template", "latest__version", "connection"
    )
    locked = rows.filter(pk=environment.pk).first()
    if locked is None:
        raise NotFound(f"environment {environment.name} does not exist any more")
    return locked


def _set_details(environment: Environment, description: str | None, team: Team | None) -> None:
    if description is not None:
        environment.description = description
    if team is not None:
        environment.team = team
    environment.save(update_fields=["description", "team"])


def _set_entry(
    environment: Environment, roles: dict[str, str | None], connection: EnvironmentAccountConnection | None
) -> None:
    """How its account is entered: by other roles, or through another connection into the same account."""
    if environment.connection is None:
        if connection is not None:
            raise _problem(CONNECTION, "An environment that was made without an account connection never gets one.")
        changes = {name: arn for name, arn in roles.items() if arn is not None and arn != getattr(environment, name)}
        if changes:
            account_without_connection(environment.target_account_id, changes)
            for name, arn in changes.items():
                setattr(environment, name, arn)
            environment.save(update_fields=list(changes))
        return
    _require_no_roles(roles)
    if connection is None or connection.pk == environment.connection_id:
        return
    if connection.environment_account_id != environment.target_account_id:
        raise _problem(CONNECTION, f"An environment stays in its account, {environment.target_account_id}.")
    environment.connection = _still_in_force(connection, environment.name)
    environment.save(update_fields=["connection"])


def delete(*, by: User, environment: Environment) -> Environment:
    """Start its removal. While it is being deleted a repeat changes nothing. Raises Conflict with every reason."""
    _only_platform(by)
    with transaction.atomic():
        locked = _locked(environment)
        if locked.is_busy and locked.latest and locked.latest.kind == DeploymentKind.DELETE:
            return locked
        reasons = queries.blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{locked.name} cannot be deleted. " + " ".join(reasons))
        start_removal(by=by, target=locked)
        audit.record(by=by, action="environment.delete", target=locked.arn)
    return locked
