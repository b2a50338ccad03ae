"""Instances of services: where they fit, adding one, deploying another spec or version of one."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Case, F, PositiveIntegerField, Value, When
from django.db.models.functions import Now

from portal import arns, quotas
from portal.actions import audit, edits, specs, versions
from portal.actions.names import check_name
from portal.actions.starting import require_not_going, start
from portal.actions.tags import checked
from portal.enums import DeploymentKind, DeploymentUpdateType, ServiceStatus
from portal.errors import Conflict, Invalid, NotFound, QuotaExceeded
from portal.models import Environment, Service, ServiceChange, ServiceInstance, TemplateVersion, User
from portal.models.fields import at_rest
from portal.queries import templates as template_queries
from portal.queries.rights import require_change
from provisioning.problems import Problem, pointer
from provisioning.spec import Spec, dump_spec, with_instance


def environment_problems(spec: Spec, version: TemplateVersion, names: set[str] | None = None) -> list[Problem]:
    """Why instances of the spec (only those named, if given) cannot go into their environments."""
    allowed = {(row.template_name, row.major) for row in version.compatible_environments.all()}
    rows = Environment.objects.select_related("template", "version", "latest__version")
    there = {row.name: row for row in rows.filter(name__in={entry.environment for entry in spec.instances})}
    found = []
    for index, entry in enumerate(spec.instances):
        if names is None or entry.name in names:
            problem = _misfit(entry.environment, there.get(entry.environment), version, allowed)
            if problem:
                found.append(Problem(pointer("instances", index, "environment"), problem))
    return found


def _misfit(
    name: str, environment: Environment | None, version: TemplateVersion, allowed: set[tuple[str, int]]
) -> str | None:
    if environment is None:
        return f"There is no environment named {name}."
    if environment.latest and environment.latest.kind == DeploymentKind.DELETE:
        return f"Environment {name} is being deleted."
    if environment.deployed_id is None:
        return f"Environment {name} is not deployed yet: wait for it."
    shown = environment.shown_version
    if shown is not None and (environment.template.name, shown.major) in allowed:
        return None
    fits = ", ".join(f"{template} {major}" for template, major in sorted(allowed))
    runs = f"{environment.template.name} {shown.major if shown else '?'}"
    return f"Environment {name} ({runs}) does not fit: {version} needs {fits}."


def refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(" ".join(problem.message for problem in problems), problems)


def add_instances(
    by: User,
    service: Service,
    spec: Spec,
    text: str,
    version: TemplateVersion,
    names: set[str],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Rows and first deployments of the named instances, their environments locked against deletion meanwhile.

    AWS Proton: an instance inherits the tags that its service has at the time. ``tags`` replaces these. Where the
    service has others already, ``keep_order`` says where the new ones stand.
    """
    wanted = {entry.environment for entry in spec.instances if entry.name in names}
    locked = {row.name: row for row in Environment.objects.select_for_update().filter(name__in=wanted).order_by("pk")}
    refuse(environment_problems(spec, version, names))
    for position, entry in enumerate(spec.instances):
        if entry.name not in names:
            continue
        instance = ServiceInstance.objects.create(
            service=service,
            name=entry.name,
            arn=arns.service_instance(service.name, entry.name),
            environment=locked[entry.environment],
            position=position,
            tags=service.tags if tags is None else tags,
        )
        start(
            by=by,
            target=instance,
            kind=DeploymentKind.CREATE,
            version=version,
            spec=text,
            inputs=specs.instance_inputs(spec, entry.name, version),
        )


def keep_order(service: Service, spec: Spec) -> None:
    """Instances stand in the order of the service's whole spec, which is the order that a pipeline reads them in."""
    places = [When(name=entry.name, then=Value(position)) for position, entry in enumerate(spec.instances)]
    if places:
        service.instances.update(position=Case(*places, default=F("position"), output_field=PositiveIntegerField()))


def check_count(count: int) -> None:
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


def version_in_use(service: Service) -> TemplateVersion | None:
    """The highest version that an instance runs. AWS Proton: a service has a pipeline when its version has one."""
    shown = [row.shown_version for row in service.instances.select_related("version", "latest__version")]
    found = [version for version in shown if version is not None]
    return max(found, key=lambda version: (version.major, version.minor), default=None)


def locked_service(service: Service) -> Service:
    """The row of now, locked until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    rows = Service.objects.select_for_update(of=("self",)).select_related("template", "team")
    locked = rows.filter(pk=service.pk).first()
    if locked is None:
        raise NotFound(f"service {service.name} does not exist any more")
    return locked


def create(
    *,
    by: User,
    service: Service,
    name: str,
    spec: str,
    major: int | None = None,
    minor: int | None = None,
    tags: Mapping[str, str] | None = None,
    client_token: str = "",
) -> ServiceInstance:
    """Add one instance that ``spec`` (a whole ServiceSpec) describes; its environment comes from there.

    Only its own entry matters. ``tags`` come on top of those that it inherits from the service.
    """
    check_name(name, "instance")
    if major is None and minor is not None:
        raise Invalid("A minor version alone names none.", [Problem("/version", "Give the major version, too.")])
    with transaction.atomic():
        locked = locked_service(service)
        require_change(by, locked)
        if locked.is_busy:
            raise Conflict(f"{locked.name} is busy: {locked.get_status_display().lower()}. Wait for its end.")
        if locked.instances.filter(name=name).exists():
            raise Conflict(f"{locked.name} has an instance named {name} already.")
        check_count(locked.instances.count() + 1)
        document = specs.read(spec, "service", stored=locked.spec, instance=name)
        _, entry = specs.find_instance(document, name)
        version = (
            template_queries.resolve(by, locked.template, major, minor)
            if major is not None
            else default_version(by, locked)
        )
        specs.instance_inputs(document, name, version)
        previous = locked.spec
        whole = with_instance(specs.stored(locked.spec, "service"), entry)
        merged = dump_spec(whole)
        add_instances(by, locked, document, merged, version, {name}, checked({**locked.tags, **(tags or {})}))
        keep_order(locked, whole)
        locked.instances.filter(name=name).update(last_client_token=client_token)
        locked.spec, locked.status, locked.status_message = merged, ServiceStatus.UPDATE_IN_PROGRESS, ""
        locked.last_modified_at = Now()
        locked.save()
        edits.begin(
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


def update(
    *,
    by: User,
    instance: ServiceInstance,
    deployment_type: str,
    spec: str | None = None,
    major: int | None = None,
    minor: int | None = None,
    client_token: str = "",
) -> ServiceInstance:
    """Deploy another spec or version of one instance. ``spec`` is a whole ServiceSpec; only its own entry matters."""
    with transaction.atomic():
        service = locked_service(instance.service)
        require_change(by, service)
        if DeploymentUpdateType(deployment_type) == DeploymentUpdateType.NONE:
            return instance
        rows = ServiceInstance.objects.select_related("environment", "latest__version", "version")
        locked = rows.filter(pk=instance.pk).first()
        if locked is None:
            raise NotFound(f"service {service.name} has no instance {instance.name} any more")
        locked.service = service
        edits.require_free(locked)
        require_not_going(locked)
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
        document = specs.read(text, "service", stored=service.spec, instance=locked.name)
        _, entry = specs.find_instance(document, locked.name)
        if entry.environment != locked.environment.name:
            index, _ = specs.find_instance(document, locked.name)
            message = f"{locked.name} stays in environment {locked.environment.name}: add another instance instead."
            raise Invalid(message, [Problem(pointer("instances", index, "environment"), message)])
        only = Spec(document.kind, {}, (entry,), None)
        refuse(environment_problems(only, version))
        inputs = specs.instance_inputs(document, locked.name, version)
        merged = dump_spec(with_instance(specs.stored(service.spec, "service"), entry))
        kind = DeploymentKind.UPDATE if locked.deployed_id else DeploymentKind.CREATE
        start(
            by=by,
            target=locked,
            kind=kind,
            version=version,
            spec=merged,
            inputs=inputs,
            allow_replace_empty=kind == DeploymentKind.CREATE,
        )
        if client_token:
            rows.filter(pk=locked.pk).update(last_client_token=client_token)
        Service.objects.filter(pk=service.pk).update(**at_rest(service, spec=merged), last_modified_at=Now())
        audit.record(by=by, action="service_instance.update", target=locked.arn, version=version.number)
        edits.resume(by=by, target=locked)
    return locked
