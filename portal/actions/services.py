"""Creating, editing and deleting services, and deploying their instances and pipeline."""

from django.db import transaction
from django.db.models.functions import Now

from portal import arns, nudges, quotas, tasks
from portal.actions import audit, deployments, specs, versions
from portal.actions.names import check_name, check_texts, unless_taken
from portal.enums import (
    DeploymentKind,
    DeploymentUpdateType,
    Role,
    ServiceStatus,
    TemplateKind,
)
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import (
    Environment,
    Service,
    ServiceChange,
    ServiceInstance,
    ServicePipeline,
    Team,
    Template,
    TemplateVersion,
    User,
)
from portal.queries import services as queries
from portal.queries import templates as template_queries
from provisioning.problems import Problem, pointer
from provisioning.spec import Spec, dump_spec, parse_spec, with_instance


def _may_own(by: User, team: Team | None) -> None:
    if not by.at_least(Role.DEVELOPER):
        raise Forbidden("Services are made by developers. Ask an admin for that role.")
    if team is not None and not by.is_platform and not by.teams.filter(pk=team.pk).exists():
        raise Forbidden(f"You are not in team {team.name}. Ask one of its members, or an admin to add you.")


def _own_team(by: User) -> Team | None:
    return by.teams.order_by("name").first()


def environment_problems(spec: Spec, version: TemplateVersion, names: set[str] | None = None) -> list[Problem]:
    """Why instances of the spec (only those named, if given) cannot go into their environments."""
    problems = []
    allowed = {(row.template_name, row.major) for row in version.compatible_environments.all()}
    for index, entry in enumerate(spec.instances):
        if names is not None and entry.name not in names:
            continue
        path = pointer("instances", index, "environment")
        environment = (
            Environment.objects.select_related("template", "version", "latest").filter(name=entry.environment).first()
        )
        if environment is None:
            problems.append(Problem(path, f"There is no environment named {entry.environment}."))
            continue
        shown = environment.shown_version
        if environment.latest and environment.latest.kind == DeploymentKind.DELETE:
            problems.append(Problem(path, f"Environment {environment.name} is being deleted."))
        elif environment.deployed_id is None:
            problems.append(Problem(path, f"Environment {environment.name} is not deployed yet: wait for it."))
        elif shown is None or (environment.template.name, shown.major) not in allowed:
            fits = ", ".join(f"{name} {major}" for name, major in sorted(allowed))
            problems.append(
                Problem(
                    path,
                    f"Environment {environment.name} ({environment.template.name} {shown.major if shown else '?'}) "
                    f"does not fit: {version} needs {fits}.",
                )
            )
    return problems


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(" ".join(problem.message for problem in problems), problems)


def _add_instances(
    by: User, service: Service, spec: Spec, text: str, version: TemplateVersion, names: set[str]
) -> None:
    """Rows and first deployments of the named instances, their environments locked against deletion meanwhile."""
    wanted = {entry.environment for entry in spec.instances if entry.name in names}
    locked = {row.name: row for row in Environment.objects.select_for_update().filter(name__in=wanted).order_by("pk")}
    _refuse(environment_problems(spec, version, names))
    for position, entry in enumerate(spec.instances):
        if entry.name not in names:
            continue
        instance = ServiceInstance.objects.create(
            service=service,
            name=entry.name,
            arn=arns.service_instance(service.name, entry.name),
            environment=locked[entry.environment],
            position=position,
        )
        deployments.start(
            by=by,
            target=instance,
            kind=DeploymentKind.CREATE,
            version=version,
            spec=text,
            inputs=specs.instance_inputs(spec, entry.name, version),
        )


def _change(by: User, service: Service, kind: str, **fields: object) -> ServiceChange:
    change = unless_taken(
        lambda: ServiceChange.objects.create(
            service=service, kind=kind, actor=by, actor_name=by.username, due_at=Now(), **fields
        ),
        f"{service.name} is being changed. Wait for the end of that.",
    )
    nudges.after_commit(tasks.drive_service_change, change.pk)
    return change


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

    Raises Invalid with every problem, Conflict when the name is taken, QuotaExceeded past 20 instances.
    """
    team = team or _own_team(by)
    _may_own(by, team)
    check_name(name, "service")
    check_texts(description=description)
    if template.kind != TemplateKind.SERVICE:
        raise Invalid(f"{template.name} is an environment template: a service needs a service template.")
    version = template_queries.resolve(by, template, major, minor)
    document = specs.read(spec, "service")
    specs.check(document, version)
    _refuse(environment_problems(document, version))
    _check_count(len(document.instances))
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
        _add_instances(by, service, document, spec, version, names)
        if version.has_pipeline:
            ServicePipeline.objects.create(service=service, arn=arns.service_pipeline(service.name))
        _change(by, service, ServiceChange.Kind.CREATE, version=version, spec=spec, adds=sorted(names))
    return service


def _check_count(count: int) -> None:
    if count > quotas.INSTANCES_PER_SERVICE:
        raise QuotaExceeded(f"A service has at most {quotas.INSTANCES_PER_SERVICE} instances.")


def default_version(by: User, service: Service) -> TemplateVersion:
    """The version of instances that are added later: the highest major that an instance runs, its recommended minor."""
    shown = [row.shown_version for row in service.instances.select_related("version", "latest__version")]
    majors = [version.major for version in shown if version is not None]
    pipeline = getattr(service, "pipeline", None)
    if not majors and pipeline is not None and pipeline.shown_version is not None:
        majors = [pipeline.shown_version.major]
    if not majors:
        recommended = template_queries.recommended(service.template)
        if recommended is None:
            raise Conflict(f"{service.template.name} has no published version.")
        return recommended
    return template_queries.resolve(by, service.template, max(majors), None)


def _locked(service: Service) -> Service:
    locked = Service.objects.select_for_update(of=("self",)).select_related("template", "team").get(pk=service.pk)
    return locked


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
    _may_change(by, service)
    check_texts(description=description)
    if team is not None:
        _may_own(by, team)
    with transaction.atomic():
        locked = _locked(service)
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


def _may_change(by: User, service: Service) -> None:
    if by.is_platform:
        return
    mine = (
        service.team_id in {team.pk for team in by.teams.all()} if service.team_id else service.created_by_id == by.pk
    )
    if not (by.is_developer and mine):
        owner = f"team {service.team.name}" if service.team else "a platform engineer"
        raise Forbidden(f"You may not change {service.name}. Ask {owner}.")


def _edit_instances(by: User, service: Service, text: str) -> None:
    if service.is_busy:
        raise Conflict(f"{service.name} is busy: {service.get_status_display().lower()}. Wait for its end.")
    document = specs.read(text, "service", stored=service.spec)
    have = {row.name: row for row in service.instances.select_related("latest")}
    listed = {entry.name for entry in document.instances}
    adds, removes = listed - set(have), set(have) - listed
    busy = [name for name in removes if have[name].is_busy]
    if busy:
        raise Conflict(f"{', '.join(sorted(busy))}: a deployment is running. Wait for its end.")
    _check_count(len(have) + len(adds) - len(removes))
    _refuse(_changed_inputs(document, service, listed & set(have)))
    version = default_version(by, service) if adds else None
    if version is not None:
        new = Spec(document.kind, {}, tuple(e for e in document.instances if e.name in adds), document.pipeline)
        specs.check(new, version)
        _add_instances(by, service, document, text, version, adds)
    previous, service.spec = service.spec, dump_spec(document)
    service.status, service.status_message = ServiceStatus.UPDATE_IN_PROGRESS, ""
    _change(
        by,
        service,
        ServiceChange.Kind.UPDATE,
        version=version,
        spec=service.spec,
        previous_spec=previous,
        adds=sorted(adds),
        removes=sorted(removes),
    )


def _changed_inputs(new: Spec, service: Service, kept: set[str]) -> list[Problem]:
    """AWS Proton: UpdateService must not change inputs of kept instances or of the pipeline."""
    old = parse_spec(service.spec, "service")[0]
    if old is None:
        return []
    before = {entry.name: entry for entry in old.instances}
    problems = [
        Problem(
            pointer("instances", index),
            f"{entry.name} is kept: change its inputs or environment on its own page, not while editing the service.",
        )
        for index, entry in enumerate(new.instances)
        if entry.name in kept
        and entry.name in before
        and (dict(entry.inputs), entry.environment) != (dict(before[entry.name].inputs), before[entry.name].environment)
    ]
    if new.pipeline is not None and (new.pipeline or {}) != (old.pipeline or {}):
        problems.append(Problem("/pipeline", "The pipeline's inputs are changed on the pipeline's page, not here."))
    return problems


def create_instance(
    *,
    by: User,
    service: Service,
    name: str,
    spec: str,
    major: int | None = None,
    minor: int | None = None,
) -> ServiceInstance:
    """Add one instance that ``spec`` (a whole ServiceSpec) describes; its environment comes from there."""
    _may_change(by, service)
    check_name(name, "instance")
    with transaction.atomic():
        locked = _locked(service)
        if locked.is_busy:
            raise Conflict(f"{locked.name} is busy: {locked.get_status_display().lower()}. Wait for its end.")
        if locked.instances.filter(name=name).exists():
            raise Conflict(f"{locked.name} has an instance named {name} already.")
        _check_count(locked.instances.count() + 1)
        document = specs.read(spec, "service", stored=locked.spec)
        _, entry = specs.find_instance(document, name)
        version = (
            template_queries.resolve(by, locked.template, major, minor)
            if major is not None
            else default_version(by, locked)
        )
        specs.instance_inputs(document, name, version)
        previous = locked.spec
        merged = dump_spec(with_instance(specs.stored(locked.spec, "service"), entry))
        _add_instances(by, locked, document, spec, version, {name})
        locked.spec, locked.status, locked.status_message = merged, ServiceStatus.UPDATE_IN_PROGRESS, ""
        locked.last_modified_at = Now()
        locked.save()
        _change(
            by,
            locked,
            ServiceChange.Kind.UPDATE,
            version=version,
            spec=merged,
            previous_spec=previous,
            adds=[name],
        )
        audit.record(by=by, action="service_instance.create", target=arns.service_instance(locked.name, name))
    return locked.instances.get(name=name)


def update_instance(
    *,
    by: User,
    instance: ServiceInstance,
    deployment_type: str,
    spec: str | None = None,
    major: int | None = None,
    minor: int | None = None,
) -> ServiceInstance:
    """Deploy another spec or version of one instance. ``spec`` is a whole ServiceSpec; only its own entry matters."""
    _may_change(by, instance.service)
    if DeploymentUpdateType(deployment_type) == DeploymentUpdateType.NONE:
        return instance
    with transaction.atomic():
        service = _locked(instance.service)
        locked = ServiceInstance.objects.select_related("environment", "latest__version", "version").get(pk=instance.pk)
        locked.service = service
        if service.status == ServiceStatus.DELETE_IN_PROGRESS:
            raise Conflict(f"{service.name} is being deleted.")
        base = locked.shown_version
        if base is None:
            raise Conflict(f"{locked} was never deployed and its template version is gone: delete it.")
        version = versions.target(
            by=by,
            template=service.template,
            current=base,
            deployment_type=deployment_type,
            major=major,
            minor=minor,
        )
        text = spec or service.spec
        document = specs.read(text, "service", stored=service.spec)
        _, entry = specs.find_instance(document, locked.name)
        if entry.environment != locked.environment.name:
            index, _ = specs.find_instance(document, locked.name)
            message = f"{locked.name} stays in environment {locked.environment.name}: add another instance instead."
            raise Invalid(message, [Problem(pointer("instances", index, "environment"), message)])
        only = Spec(document.kind, {}, (entry,), None)
        _refuse(environment_problems(only, version))
        inputs = specs.instance_inputs(document, locked.name, version)
        merged = dump_spec(with_instance(specs.stored(service.spec, "service"), entry))
        kind = DeploymentKind.UPDATE if locked.deployed_id else DeploymentKind.CREATE
        deployments.start(
            by=by,
            target=locked,
            kind=kind,
            version=version,
            spec=merged,
            inputs=inputs,
            allow_replace_empty=kind == DeploymentKind.CREATE,
        )
        Service.objects.filter(pk=service.pk).update(spec=merged, last_modified_at=Now())
        audit.record(by=by, action="service_instance.update", target=locked.arn, version=version.number)
        from portal.actions import service_changes

        service_changes.resume(by=by, service=service)
    return locked


def update_pipeline(
    *,
    by: User,
    service: Service,
    deployment_type: str,
    spec: str,
    major: int | None = None,
    minor: int | None = None,
) -> ServicePipeline:
    """Deploy another spec or version of the pipeline. Only the spec's ``pipeline`` matters."""
    _may_change(by, service)
    pipeline = ServicePipeline.objects.filter(service=service).select_related("version", "latest__version").first()
    if pipeline is None:
        raise NotFound(f"{service.name} has no pipeline")
    if DeploymentUpdateType(deployment_type) == DeploymentUpdateType.NONE:
        return pipeline
    with transaction.atomic():
        locked = _locked(service)
        pipeline.service = locked
        base = pipeline.shown_version or default_version(by, locked)
        version = versions.target(
            by=by,
            template=locked.template,
            current=base,
            deployment_type=deployment_type,
            major=major,
            minor=minor,
        )
        document = specs.read(spec or locked.spec, "service", stored=locked.spec)
        inputs = specs.pipeline_inputs(document, version)
        current = specs.stored(locked.spec, "service")
        merged = dump_spec(Spec(current.kind, {}, current.instances, document.pipeline))
        deployments.start(
            by=by,
            target=pipeline,
            kind=DeploymentKind.UPDATE if pipeline.deployed_id else DeploymentKind.CREATE,
            version=version,
            spec=merged,
            inputs=inputs,
        )
        Service.objects.filter(pk=locked.pk).update(spec=merged, last_modified_at=Now())
        audit.record(by=by, action="service_pipeline.update", target=pipeline.arn, version=version.number)
    return pipeline


def delete(*, by: User, service: Service) -> Service:
    """Start removing all instances and the pipeline. A repeat while it runs changes nothing. Raises Conflict."""
    _may_change(by, service)
    with transaction.atomic():
        locked = _locked(service)
        if locked.status == ServiceStatus.DELETE_IN_PROGRESS:
            return locked
        reasons = queries.blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{locked.name} cannot be deleted. " + " ".join(reasons))
        locked.status, locked.status_message = ServiceStatus.DELETE_IN_PROGRESS, ""
        locked.last_modified_at = Now()
        locked.save()
        names = list(locked.instances.values_list("name", flat=True))
        _change(by, locked, ServiceChange.Kind.DELETE, phase=ServiceChange.Phase.REMOVALS, removes=names)
        audit.record(by=by, action="service.delete", target=locked.arn)
    locked.refresh_from_db()
    return locked
