"""Creating, editing and deleting services."""

from collections.abc import Mapping
from dataclasses import replace

from django.db import transaction
from django.db.models.functions import Now

from portal import arns, quotas
from portal.actions import audit, edits, pull_request_jobs, specs
from portal.actions.instances import (
    add_instances,
    check_count,
    default_version,
    environment_problems,
    keep_order,
    locked_service,
    refuse,
    version_in_use,
)
from portal.actions.names import check_name, check_texts, unless_taken
from portal.actions.starting import require_not_going
from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, QuotaExceeded
from portal.models import Service, ServiceChange, ServiceInstance, ServicePipeline, Team, Template, User
from portal.queries import components
from portal.queries import services as queries
from portal.queries import templates as template_queries
from portal.queries.rights import require_change
from provisioning.problems import Problem, pointer
from provisioning.spec import Spec, dump_spec


def _may_own(by: User, team: Team | None) -> None:
    if not by.at_least(Role.DEVELOPER):
        raise Forbidden("Services are made by developers. Ask an admin for that role.")
    if team is not None and not by.is_platform and not by.teams.filter(pk=team.pk).exists():
        raise Forbidden(f"You are not in team {team.name}. Ask one of its members, or an admin to add you.")


def _own_team(by: User) -> Team | None:
    return by.teams.order_by("name").first()


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
    branch_name: str = "",
    repository_connection_arn: str = "",
    repository_id: str = "",
    tags: dict[str, str] | None = None,
) -> Service:
    """Make a service, start all instances of its spec, then its pipeline where the version has one.

    A repository goes only with a template that may have a pipeline.
    Raises Invalid with every problem, Conflict when the name is taken, QuotaExceeded past 20 instances.
    """
    team = team or _own_team(by)
    _may_own(by, team)
    check_name(name, "service")
    check_texts(description=description)
    if template.kind != TemplateKind.SERVICE:
        raise Invalid(f"{template.name} is an environment template: a service needs a service template.")
    if template.customer_managed and (branch_name or repository_connection_arn or repository_id):
        message = f"Services of {template.name} have no pipeline, and so no repository."
        raise Invalid(message, [Problem("/repository_id", message)])
    version = template_queries.resolve(by, template, major, minor)
    document = specs.read(spec, "service")
    specs.check(document, version)
    refuse(environment_problems(document, version))
    check_count(len(document.instances))
    with transaction.atomic():
        if Service.objects.count() >= quotas.SERVICES:
            raise QuotaExceeded(f"There are {quotas.SERVICES} services already: delete one first.")
        service = unless_taken(
            lambda: Service.objects.create(
                name=name,
                arn=arns.service(name),
                description=description,
                template=template,
                team=team,
                spec=spec,
                branch_name=branch_name,
                repository_connection_arn=repository_connection_arn,
                repository_id=repository_id,
                tags=tags or {},
                created_by=by,
            ),
            f"A service named {name} exists already. Choose another name.",
        )
        audit.record(by=by, action="service.create", target=service.arn, version=version.number)
        names = {entry.name for entry in document.instances}
        add_instances(by, service, document, spec, version, names)
        if version.has_pipeline:
            pipeline = ServicePipeline.objects.create(service=service, arn=arns.service_pipeline(service.name))
            pull_request_jobs.require_repository(pipeline, version)
        edits.begin(by, service, ServiceChange.Kind.CREATE, version=version, spec=spec, adds=sorted(names))
    return service


def update(
    *,
    by: User,
    service: Service,
    spec: str | None = None,
    description: str | None = None,
    team: Team | None = None,
) -> Service:
    """Edit the description, or give a whole spec: instances it does not list are deleted, new ones are created.

    AWS Proton: inputs of kept instances and of the pipeline must not change here. Raises Conflict while it is busy.
    """
    check_texts(description=description)
    with transaction.atomic():
        locked = locked_service(service)
        require_change(by, locked)
        if locked.status == ServiceStatus.DELETE_IN_PROGRESS:
            raise Conflict(f"{locked.name} is being deleted.")
        if team is not None:
            _may_own(by, team)
        if description is not None:
            locked.description = description
        if team is not None:
            locked.team = team
        locked.last_modified_at = Now()
        if spec is not None:
            _edit_instances(by, locked, spec)
        locked.save()
        audit.record(by=by, action="service.update", target=locked.arn, instances=spec is not None)
    locked.refresh_from_db()
    return locked


def _edit_instances(by: User, service: Service, text: str) -> None:
    if service.is_busy:
        raise Conflict(f"{service.name} is busy: {service.get_status_display().lower()}. Wait for its end.")
    document = specs.read(text, "service", stored=service.spec)
    have = {row.name: row for row in service.instances.select_related("version", "latest__version", "service")}
    listed = {entry.name for entry in document.instances}
    for name in sorted(listed & set(have)):
        require_not_going(have[name])
    adds, removes = listed - set(have), set(have) - listed
    pipeline = ServicePipeline.objects.filter(service=service).select_related("version", "latest__version").first()
    going: list[ServiceInstance | ServicePipeline] = [have[name] for name in sorted(removes)]
    busy = ", ".join(str(row) for row in [*going, *([pipeline] if pipeline else [])] if row.is_busy)
    if busy:
        raise Conflict(f"{busy}: a deployment is running. Wait for its end.")
    attached = components.blocking(service.instances.filter(name__in=removes))
    if attached:
        raise Conflict(" ".join(attached))
    undeletable = sum(have[name].deployment_status == DeploymentStatus.DELETE_FAILED for name in removes)
    check_count(len(have) + len(adds) - len(removes) + undeletable)
    old = specs.stored(service.spec, "service")
    if document.pipeline is None:
        document = replace(document, pipeline=old.pipeline)
    refuse(_changed_inputs(document, old, have, pipeline))
    version = default_version(by, service) if adds else version_in_use(service)
    if version is not None:
        specs.check_instances(document, version, adds)
        if pipeline is None:
            specs.check_pipeline(document, version)
            if version.has_pipeline:
                ServicePipeline.objects.create(service=service, arn=arns.service_pipeline(service.name))
        add_instances(by, service, document, dump_spec(document), version, adds)
    keep_order(service, document)
    previous, service.spec = service.spec, dump_spec(document)
    service.status, service.status_message = ServiceStatus.UPDATE_IN_PROGRESS, ""
    edits.begin(
        by,
        service,
        ServiceChange.Kind.UPDATE,
        version=version,
        spec=service.spec,
        previous_spec=previous,
        adds=sorted(adds),
        removes=sorted(removes),
    )


def _changed_inputs(
    new: Spec, old: Spec, have: Mapping[str, ServiceInstance], pipeline: ServicePipeline | None
) -> list[Problem]:
    """AWS Proton: UpdateService must not change inputs of kept instances or of the pipeline."""
    before = {entry.name: entry for entry in old.instances}
    problems = []
    for index, entry in enumerate(new.instances):
        if entry.name not in have or entry.name not in before:
            continue
        was, version = before[entry.name], have[entry.name].shown_version
        kept = specs.same_inputs(entry.inputs, was.inputs, version, "service")
        if not kept or entry.environment != was.environment:
            message = f"{entry.name} is kept: its inputs and environment change with an update of its own, not here."
            problems.append(Problem(pointer("instances", index), message))
    if pipeline is not None and not specs.same_inputs(
        new.pipeline or {}, old.pipeline or {}, pipeline.shown_version, "pipeline"
    ):
        message = "The inputs of the pipeline change with an update of the pipeline, not of the service."
        problems.append(Problem("/pipeline", message))
    return problems


def delete(*, by: User, service: Service) -> Service:
    """Start removing all instances and the pipeline. A repeat while it runs changes nothing. Raises Conflict."""
    with transaction.atomic():
        locked = locked_service(service)
        require_change(by, locked)
        if locked.status == ServiceStatus.DELETE_IN_PROGRESS:
            return locked
        reasons = queries.blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{locked.name} cannot be deleted. " + " ".join(reasons))
        locked.status, locked.status_message = ServiceStatus.DELETE_IN_PROGRESS, ""
        locked.last_modified_at = Now()
        locked.save()
        names = list(locked.instances.values_list("name", flat=True))
        edits.begin(by, locked, ServiceChange.Kind.DELETE, phase=ServiceChange.Phase.REMOVALS, removes=names)
        audit.record(by=by, action="service.delete", target=locked.arn)
    locked.refresh_from_db()
    return locked
