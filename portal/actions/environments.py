"""Creating, updating and deleting environments."""

import re
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from portal import arns, quotas
from portal.actions import audit, repositories, specs, versions
from portal.actions.names import check_name, check_texts, unless_taken
from portal.actions.starting import require_not_going, start, start_removal
from portal.enums import DeploymentKind, DeploymentUpdateType, Role, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import Environment, Team, Template, User
from portal.queries import environments as queries
from portal.queries import templates as template_queries
from provisioning.problems import Problem
from provisioning.spec import CURRENT_VALUE, dump_spec

ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


def _only_platform(by: User) -> None:
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Environments are made and changed by platform engineers. Ask a platform engineer.")


def account_of(role_arn: str, account_id: str) -> str:
    """The account to deploy into: the role's, else the named one, else the management account. Raises Invalid."""
    if role_arn:
        match = ROLE_ARN.fullmatch(role_arn)
        if not match:
            message = "Give the role's whole ARN, such as arn:aws:iam::123456789012:role/deuteron-provisioning."
            raise Invalid(message, [Problem("/proton_service_role_arn", message)])
        if account_id and account_id != match[2]:
            message = f"The role is in account {match[2]}, not in {account_id}."
            raise Invalid(message, [Problem("/proton_service_role_arn", message)])
        return match[2]
    account_id = account_id or settings.PORTAL_ACCOUNT_ID
    if not re.fullmatch(r"\d{12}", account_id, re.ASCII):
        raise Invalid("account", [Problem("/account_id", "An AWS account id has 12 digits.")])
    if account_id != settings.PORTAL_ACCOUNT_ID and not settings.EMBEDDED:
        message = f"Deploying into account {account_id} needs a role in it."
        raise Invalid(message, [Problem("/proton_service_role_arn", message)])
    return account_id


def _check_component_role(role_arn: str, account_id: str) -> None:
    """Raises Invalid for a role that is not of the environment's account."""
    if not role_arn:
        return
    match = ROLE_ARN.fullmatch(role_arn)
    if not match:
        message = "Give the role's whole ARN, such as arn:aws:iam::123456789012:role/deuteron-components."
    elif match[2] != account_id:
        message = f"Components are deployed beside their environment: the role must be in account {account_id}."
    else:
        return
    raise Invalid(message, [Problem("/component_role_arn", message)])


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
    tags: dict[str, str] | None = None,
) -> Environment:
    """Make an environment and start its first deployment.

    ``spec`` is an EnvironmentSpec as YAML. Without ``minor`` the recommended one. ``provisioning_repository`` is
    {provider, name, branch} of a linked one. Raises Invalid with every problem, Conflict when the name is taken,
    QuotaExceeded.
    """
    _only_platform(by)
    check_name(name, "environment")
    check_texts(description=description)
    if template.kind != TemplateKind.ENVIRONMENT:
        raise Invalid(f"{template.name} is a service template: an environment needs an environment template.")
    version = template_queries.resolve(by, template, major, minor)
    account_id = account_of(proton_service_role_arn, account_id)
    _check_component_role(component_role_arn, account_id)
    document = specs.read(spec, "environment")
    inputs = specs.environment_inputs(document, version)
    with transaction.atomic():
        if Environment.objects.count() >= quotas.ENVIRONMENTS:
            raise QuotaExceeded(f"There are {quotas.ENVIRONMENTS} environments already: delete one first.")
        entered = bool(proton_service_role_arn or codebuild_role_arn)
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
                proton_service_role_arn=proton_service_role_arn,
                codebuild_role_arn=codebuild_role_arn,
                component_role_arn=component_role_arn,
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
) -> Environment:
    """Deploy another spec or version, or with NONE change the details only. None leaves a member as it is.

    Spec and version of the environment change when the deployment succeeds. Raises Conflict while one is running.
    """
    _only_platform(by)
    check_texts(description=description)
    deploys = DeploymentUpdateType(deployment_type) != DeploymentUpdateType.NONE
    with transaction.atomic():
        locked = _locked(environment)
        entered = bool(proton_service_role_arn or codebuild_role_arn)
        present = locked.provisioning_repository
        repositories.of_environment(provisioning_repository, present, entered=entered, is_new=False)
        _set_details(locked, description, team, proton_service_role_arn, component_role_arn)
        _set_roles(locked, codebuild_role_arn=codebuild_role_arn)
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
    rows = Environment.objects.select_for_update(of=("self",)).select_related("template", "latest__version")
    locked = rows.filter(pk=environment.pk).first()
    if locked is None:
        raise NotFound(f"environment {environment.name} does not exist any more")
    return locked


def _set_details(
    environment: Environment,
    description: str | None,
    team: Team | None,
    proton_service_role_arn: str | None,
    component_role_arn: str | None,
) -> None:
    if description is not None:
        environment.description = description
    if team is not None:
        environment.team = team
    if proton_service_role_arn is not None and proton_service_role_arn != environment.proton_service_role_arn:
        if proton_service_role_arn and account_of(proton_service_role_arn, "") != environment.target_account_id:
            message = f"An environment stays in its account: the role must be in {environment.target_account_id}."
            raise Invalid(message, [Problem("/proton_service_role_arn", message)])
        environment.proton_service_role_arn = proton_service_role_arn
    if component_role_arn is not None:
        _check_component_role(component_role_arn, environment.target_account_id)
        environment.component_role_arn = component_role_arn
    environment.save(update_fields=["description", "team", "proton_service_role_arn", "component_role_arn"])


def _set_roles(environment: Environment, **roles: str | None) -> None:
    """The roles of what is provisioned otherwise. None leaves one as it is. Raises Invalid for one elsewhere."""
    given = {name: arn for name, arn in roles.items() if arn is not None}
    for name, arn in given.items():
        match = ROLE_ARN.fullmatch(arn)
        if arn and (match is None or match[2] != environment.target_account_id):
            message = f"The role must be in the environment's account, {environment.target_account_id}."
            raise Invalid(message, [Problem(f"/{name}", message)])
        setattr(environment, name, arn)
    if given:
        environment.save(update_fields=list(given))


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
