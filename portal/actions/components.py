"""Creating, updating and deleting components. AWS Proton: directly defined components."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from portal import arns, quotas
from portal.actions import audit, edits, specs
from portal.actions.instances import locked_service
from portal.actions.names import check_name, check_texts, unless_taken
from portal.actions.places import no_component_role
from portal.actions.starting import require_not_going, require_quiet, start, start_removal
from portal.actions.tags import checked
from portal.actions.targets import engine_for
from portal.enums import DeploymentKind, DeploymentUpdateType
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import Component, Environment, Service, ServiceInstance, User
from portal.queries import components as queries
from portal.queries import templates as template_queries
from portal.queries.environments import takes_components
from portal.queries.rights import require_change, require_components
from provisioning.components import MAX_TEMPLATE, component_manifest
from provisioning.problems import Problem
from provisioning.spec import CURRENT_VALUE, dump_spec
from provisioning.spec_values import check_inputs


@dataclass(frozen=True)
class _Content:
    """What one deployment of a component deploys."""

    template_file: str
    spec: str
    inputs: dict[str, Any]


def _refuse(path: str, message: str) -> None:
    raise Invalid(message, [Problem(path, message)])


def create(
    *,
    by: User,
    name: str,
    manifest: str,
    template_file: str,
    environment_name: str = "",
    service_name: str = "",
    instance_name: str = "",
    service_spec: str = "",
    description: str = "",
    client_token: str = "",
    tags: dict[str, str] | None = None,
) -> Component:
    """Make a component and start its first deployment, on its own in an environment or attached to an instance.

    ``service_spec`` is a ServiceSpec with an entry of the instance, whose inputs the template reads; without one it
    reads those that the instance runs with. It inherits the tags of the instance, or else of the environment, and
    ``tags`` come on top. ``client_token`` is kept to be shown.
    Raises Invalid with every problem of the texts, NotFound, Conflict (a name that is taken, an instance that has a
    component or is busy), Forbidden, QuotaExceeded.
    """
    require_components(by)
    if not by.is_platform and not instance_name:
        raise Forbidden("On their own in an environment, components are made by platform engineers. Ask one of them.")
    if service_name and instance_name:
        require_change(by, _instance(service_name, instance_name))  # first: what is wrong is told to those who may
    check_name(name, "component")
    check_texts(description=description)
    _check_pair(service_name, instance_name)
    _check_texts(manifest, template_file)
    if not (environment_name or instance_name):
        _refuse("/environment_name", "Name an environment, or a service and its instance.")
    with transaction.atomic():
        instance = _attachable(by, service_name, instance_name) if instance_name else None
        environment = _locked_environment(environment_name or (instance.environment.name if instance else ""))
        component = Component(
            name=name,
            arn=arns.component(name),
            description=description,
            environment=environment,
            manifest=manifest,
            last_client_request_token=client_token,
            tags=checked({**(instance or environment).tags, **(tags or {})}),
            created_by=by,
        )
        engine_for(component, None)
        _attach(component, instance)
        content = _content(component, template_file, service_spec, stored="")
        if Component.objects.count() >= quotas.COMPONENTS:
            raise QuotaExceeded(f"There are {quotas.COMPONENTS} components already: delete one first.")
        unless_taken(component.save, f"A component named {name} exists already. Choose another name.")
        audit.record(by=by, action="component.create", target=component.arn, instance=str(instance or ""))
        _start(by, component, DeploymentKind.CREATE, content)
    return component


def update(
    *,
    by: User,
    component: Component,
    deployment_type: str,
    description: str | None = None,
    service_name: str | None = None,
    instance_name: str | None = None,
    service_spec: str | None = None,
    template_file: str | None = None,
    client_token: str = "",
) -> Component:
    """With NONE change the description only; with CURRENT_VERSION deploy another template file or spec, attach it, or
    detach it (both names ""). None leaves a member as it is.

    Attaching and detaching take effect at once; template file and spec of the component change when the deployment
    succeeds. From one instance to another it moves in two steps. Raises Invalid, and Conflict while something runs.
    """
    check_texts(description=description)
    kind = DeploymentUpdateType(deployment_type)
    if kind not in (DeploymentUpdateType.NONE, DeploymentUpdateType.CURRENT_VERSION):
        _refuse("/deployment_type", "A component has no versions: use CURRENT_VERSION, or NONE for its description.")
    if (service_name is None) != (instance_name is None):
        _refuse("/instance_name", "Name a service and its instance together, or neither.")
    _check_pair(service_name or "", instance_name or "")
    others = (service_name, instance_name, service_spec, template_file)
    if kind == DeploymentUpdateType.NONE and any(value is not None for value in others):
        _refuse("/deployment_type", "With NONE only the description can change: use CURRENT_VERSION.")
    if instance_name and component.instance is not None:
        _require_same(component, service_name or "", instance_name)
    with transaction.atomic():
        instance = _attachable(by, service_name or "", instance_name, component) if instance_name else None
        locked = _locked(component)
        require_change(by, locked)
        if client_token:
            locked.last_client_request_token = client_token
        if description is not None:
            locked.description = description
        if kind == DeploymentUpdateType.NONE:
            _save(locked)
            audit.record(by=by, action="component.edit", target=locked.arn)
        else:
            _deploy(by, locked, instance, instance_name, service_spec, template_file)
    return locked


def _deploy(
    by: User,
    component: Component,
    instance: ServiceInstance | None,
    instance_name: str | None,
    service_spec: str | None,
    template_file: str | None,
) -> None:
    """``instance_name``: None keeps the attachment, "" ends it, else it is ``instance``'s."""
    require_not_going(component)
    require_quiet(component)  # also what it is about to be detached from
    if instance_name == "":
        component.team = component.instance.service.team if component.instance else component.team
        component.instance = None
    _attach(component, instance)
    stored = queries.content_of(component)
    text = stored.template_file if template_file is None else template_file
    _check_texts(component.manifest, text)
    spec = stored.spec if service_spec is None else service_spec
    content = _content(component, text, spec, stored=stored.spec)
    _save(component)
    audit.record(by=by, action="component.update", target=component.arn, instance=str(component.instance or ""))
    _start(by, component, DeploymentKind.UPDATE if component.deployed_id else DeploymentKind.CREATE, content)


def delete(*, by: User, component: Component) -> Component:
    """Start its removal. While it is being deleted a repeat changes nothing. Raises Conflict with every reason."""
    with transaction.atomic():
        locked = _locked(component)
        require_change(by, locked)
        if locked.is_busy and locked.latest and locked.latest.kind == DeploymentKind.DELETE:
            return locked
        reasons = queries.blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{locked.name} cannot be deleted. " + " ".join(reasons))
        start_removal(by=by, target=locked)
        audit.record(by=by, action="component.delete", target=locked.arn)
    return locked


def _check_pair(service_name: str, instance_name: str) -> None:
    if bool(service_name) != bool(instance_name):
        _refuse("/instance_name", "Name a service and its instance together, or neither.")


def _check_texts(manifest: str, template_file: str) -> None:
    """Raises Invalid with every problem of manifest and template file."""
    problems = list(component_manifest(manifest)[1])
    if not template_file.strip():
        problems.append(Problem("/template_file", "The template file is empty."))
    elif len(template_file) > MAX_TEMPLATE:
        message = f"The template file has {len(template_file)} characters; the most is {MAX_TEMPLATE}."
        problems.append(Problem("/template_file", message))
    elif "\0" in template_file:
        problems.append(Problem("/template_file", "A text cannot hold the character NUL."))
    if problems:
        raise Invalid(" ".join(problem.message for problem in problems), problems)


def _locked_environment(name: str) -> Environment:
    """Locked against its deletion. Raises NotFound, or Conflict for one that takes no components now."""
    environment = Environment.objects.select_for_update(of=("self",)).filter(name=name).first()
    if environment is None:
        raise NotFound(f"environment {name} does not exist")
    if environment.latest and environment.latest.kind == DeploymentKind.DELETE:
        raise Conflict(f"Environment {name} is being deleted.")
    if environment.deployed_id is None:
        raise Conflict(f"Environment {name} is not deployed yet: wait for it.")
    if not takes_components(environment):
        _refuse("/environment_name", no_component_role(environment))
    return environment


def _instance(service_name: str, instance_name: str) -> ServiceInstance:
    rows = ServiceInstance.objects.select_related("service__team", "environment", "version__template", "latest")
    found = rows.filter(service__name=service_name, name=instance_name).first()
    if found is None:
        raise NotFound(f"service {service_name} has no instance {instance_name}")
    return found


def _attachable(by: User, service_name: str, instance_name: str, component: Component | None = None) -> ServiceInstance:
    """The instance to attach to, its service locked. Raises NotFound, Forbidden, Invalid, or Conflict."""
    found = _instance(service_name, instance_name)
    found.service = locked_service(found.service)
    require_change(by, found)
    attached = queries.attached_to(found)
    if attached is not None and component is not None and attached.pk == component.pk:
        return found
    if attached is not None:
        raise Conflict(f"{found} has a component already: {attached.name}. Detach that first.")
    edits.require_settled(found)
    require_not_going(found)
    if found.deployed_id is None:
        raise Conflict(f"{found} is not deployed yet: wait for it.")
    if not queries.supports(found.version):
        message = f"Components cannot attach to {found}: {found.version} does not list DIRECTLY_DEFINED. Ask an admin."
        _refuse("/instance_name", message)
    return found


def _require_same(component: Component, service_name: str, instance_name: str) -> None:
    """AWS Proton: a component moves to another instance in two steps. Raises Conflict."""
    at = component.instance
    if at is not None and (at.service.name, at.name) != (service_name, instance_name):
        raise Conflict(f"{component.name} is attached to {at}. Detach it first, then attach it.")


def _attach(component: Component, instance: ServiceInstance | None) -> None:
    """Raises Invalid for an instance in another environment."""
    if instance is None:
        return
    if instance.environment_id != component.environment_id:
        message = f"{instance} runs in {instance.environment.name}, the component in {component.environment.name}."
        _refuse("/instance_name", message)
    component.instance, component.team = instance, instance.service.team


def _locked(component: Component) -> Component:
    """The row of now, locked until the transaction ends, after the service that it is attached to.

    Raises NotFound when it was deleted meanwhile.
    """
    at = Component.objects.filter(pk=component.pk).values_list("instance__service", flat=True).first()
    Service.objects.select_for_update().filter(pk=at).first()
    rows = Component.objects.select_for_update(of=("self",)).select_related(
        "environment", "instance__service__team", "latest", "deployed"
    )
    locked = rows.filter(pk=component.pk).first()
    if locked is None:
        raise NotFound(f"component {component.name} does not exist any more")
    if at != (locked.instance.service_id if locked.instance else None):
        raise Conflict(f"{component.name} was attached or detached meanwhile. Look again.")
    return locked


def _save(component: Component) -> None:
    component.last_modified_at = Now()
    component.save()
    component.refresh_from_db(fields=["last_modified_at"])


def _content(component: Component, template_file: str, spec: str, *, stored: str) -> _Content:
    """``stored``: the spec that ``${Proton::CURRENT_VAL}`` refers to. Raises Invalid."""
    instance = component.instance
    if instance is None:
        if spec:
            _refuse("/service_spec", "A spec gives inputs of the instance that a component is attached to.")
        return _Content(template_file, "", {})
    if not spec:
        return _Content(template_file, "", dict(instance.deployed.inputs) if instance.deployed else {})
    try:
        document = specs.read(spec, "service", stored=stored)
        _, entry = specs.find_instance(document, instance.name)
    except Invalid as wrong:
        raise Invalid(
            wrong.message, [Problem("/service_spec", one.message, one.line) for one in wrong.problems]
        ) from None
    schema = template_queries.schema_of(instance.version).service if instance.version else None
    defaults, _ = check_inputs({}, schema, path="")
    text = dump_spec(document) if CURRENT_VALUE in spec else spec
    return _Content(template_file, text, {**defaults, **entry.inputs})


def _start(by: User, component: Component, kind: str, content: _Content) -> None:
    start(
        by=by,
        target=component,
        kind=kind,
        version=None,
        spec=content.spec,
        inputs=content.inputs,
        template_file=content.template_file,
        allow_replace_empty=kind == DeploymentKind.CREATE and component.latest is not None,
    )
