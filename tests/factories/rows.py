"""Rows, made through the actions wherever these are the way in; deployments run on the in-memory engine."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from django.utils import timezone

from portal.actions import components, connections, environments, runs, service_changes, services
from portal.actions.registrations import store_bundle
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.models import (
    CompatibleEnvironment,
    Component,
    Deployment,
    Environment,
    EnvironmentAccountConnection,
    Service,
    Team,
    Template,
    TemplateMajor,
    TemplateVersion,
    User,
)
from provisioning.bundle import Kind, read_bundle

_number = count(1)

ENVIRONMENT_SCHEMA = """\
schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "EnvironmentInput"
  types:
    EnvironmentInput:
      type: object
      properties:
        vpc_cidr: {type: string, title: "CIDR block", description: "Of the network", default: 10.0.0.0/16}
        cluster_name: {type: string, minLength: 2}
      required: [cluster_name]
"""
ENVIRONMENT_TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{ environment.inputs.cluster_name }}'
Outputs:
  QueueUrl:
    Value: !Ref Queue
"""
SERVICE_SCHEMA = """\
schema:
  format:
    openapi: "3.0.0"
  service_input_type: "ServiceInput"
  types:
    ServiceInput:
      type: object
      properties:
        image: {type: string}
        port: {type: number, default: 8080, minimum: 1, maximum: 65535}
      required: [image]
"""
SERVICE_TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{ service.name }}-{{ service_instance.name }}'
      Tags:
        - Key: image
          Value: '{{ service_instance.inputs.image }}'
"""
PIPELINE_SCHEMA = (
    SERVICE_SCHEMA.replace(
        '  service_input_type: "ServiceInput"\n',
        '  service_input_type: "ServiceInput"\n  pipeline_input_type: "PipelineInput"\n',
    )
    + """\
    PipelineInput:
      type: object
      properties:
        unit_test_command: {type: string, default: "make test"}
"""
)
PIPELINE_TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: 'pipeline-{{ service.name }}'
"""
MANIFEST = """\
infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"""
COMPONENT_TEMPLATE = """\
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: '{{ environment.name }}-{{ component.name }}'
Outputs:
  BucketName:
    Value: !Ref Bucket
"""
COMPONENT_ROLE = "arn:aws:iam::123456789012:role/components"
ENVIRONMENT_SPEC = "proton: EnvironmentSpec\nspec:\n  cluster_name: main\n"


def person(username: str = "", role: str = Role.ADMIN, teams: Iterable[Team] = (), **fields: Any) -> User:
    name = username or f"person{next(_number)}"
    user = User.objects.create_user(name, password="correct horse", role=role, **fields)
    user.teams.set(teams)
    return user


def team(name: str = "") -> Team:
    return Team.objects.create(name=name or f"team-{next(_number)}")


def template(kind: str = TemplateKind.ENVIRONMENT, name: str = "", **fields: Any) -> Template:
    return Template.objects.create(kind=kind, name=name or f"template-{next(_number)}", **fields)


def environment_files(schema: str = ENVIRONMENT_SCHEMA, code: str = ENVIRONMENT_TEMPLATE) -> dict[str, bytes]:
    return {
        "schema/schema.yaml": schema.encode(),
        "infrastructure/manifest.yaml": MANIFEST.encode(),
        "infrastructure/cloudformation.yaml": code.encode(),
    }


def service_files(schema: str = SERVICE_SCHEMA, code: str = SERVICE_TEMPLATE, pipeline: str = "") -> dict[str, bytes]:
    files = {
        "schema/schema.yaml": schema.encode(),
        "instance_infrastructure/manifest.yaml": MANIFEST.encode(),
        "instance_infrastructure/cloudformation.yaml": code.encode(),
    }
    if pipeline:
        files["pipeline_infrastructure/manifest.yaml"] = MANIFEST.encode()
        files["pipeline_infrastructure/cloudformation.yaml"] = pipeline.encode()
    return files


def version(
    of: Template,
    number: str = "1.0",
    files: dict[str, bytes] | None = None,
    status: str = TemplateVersionStatus.PUBLISHED,
    compatible: Iterable[Template] = (),
) -> TemplateVersion:
    """A registered version, without the lint that registration does."""
    kind: Kind = "environment" if of.kind == TemplateKind.ENVIRONMENT else "service"
    if files is None:
        files = environment_files() if kind == "environment" else service_files()
    bundle, problems = read_bundle(files, kind, customer_managed=of.customer_managed)
    assert bundle is not None, problems
    major, minor = (int(part) for part in number.split("."))
    known, _ = TemplateMajor.objects.get_or_create(template=of, major=major)
    known.next_minor = max(known.next_minor, minor + 1)
    known.save()
    row = TemplateVersion.objects.create(
        template=of,
        major=major,
        minor=minor,
        status=status,
        schema=bundle.schema_text,
        bundle=store_bundle(bundle),
        has_pipeline=bundle.has_pipeline,
        published_at=timezone.now() if status == TemplateVersionStatus.PUBLISHED else None,
    )
    for other in compatible:
        CompatibleEnvironment.objects.create(version=row, template_name=other.name, major=1)
    return row


def run_everything(rounds: int = 50) -> None:
    """Drive deployments and service changes until nothing is due, as workers would."""
    for _ in range(rounds):
        waiting = list(Deployment.objects.filter(due_at__isnull=False).values_list("pk", flat=True))
        for pk in waiting:
            runs.drive(pk)
        from portal.models import ServiceChange

        changes = list(ServiceChange.objects.filter(finished_at__isnull=True).values_list("pk", flat=True))
        for pk in changes:
            service_changes.drive(pk)
        if not waiting and not changes:
            return


def environment(
    name: str = "", by: User | None = None, of: TemplateVersion | None = None, **fields: Any
) -> Environment:
    """A deployed environment. Needs the ``simulated`` fixture."""
    of = of or version(template())
    made = environments.create(
        by=by or person(),
        name=name or f"environment-{next(_number)}",
        template=of.template,
        spec=fields.pop("spec", ENVIRONMENT_SPEC),
        major=of.major,
        minor=of.minor,
        **fields,
    )
    run_everything()
    return Environment.objects.get(pk=made.pk)


OTHER_ACCOUNT = "210987654321"
OTHER_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/deuteron"


def connection(
    name: str = "", account_id: str = OTHER_ACCOUNT, status: str = "CONNECTED", by: User | None = None, **fields: Any
) -> EnvironmentAccountConnection:
    """A connection with a role, in the status that is named; no AWS is asked."""
    made = connections.request(
        by=by or person(),
        account_id=account_id,
        management_account_id="123456789012",
        environment_name=name or f"environment-{next(_number)}",
        **{"role_arn": f"arn:aws:iam::{account_id}:role/deuteron", **fields},
    )
    EnvironmentAccountConnection.objects.filter(pk=made.pk).update(status=status)
    made.refresh_from_db()
    return made


def service_spec(environment: str, *instances: str, image: str = "app:1") -> str:
    entries = "".join(
        f"  - name: {name}\n    environment: {environment}\n    spec: {{image: '{image}'}}\n"
        for name in instances or ("dev",)
    )
    return f"proton: ServiceSpec\ninstances:\n{entries}"


def service(
    name: str = "", by: User | None = None, of: TemplateVersion | None = None, spec: str = "", **fields: Any
) -> Service:
    """A deployed service with one instance "dev" in an environment of its own. Needs the ``simulated`` fixture."""
    if of is None:
        home = environment()
        of = version(template(TemplateKind.SERVICE), compatible=[home.template])
        spec = spec or service_spec(home.name)
    made = services.create(
        by=by or person(),
        name=name or f"service-{next(_number)}",
        template=of.template,
        spec=spec,
        major=of.major,
        minor=of.minor,
        **fields,
    )
    run_everything()
    return Service.objects.get(pk=made.pk)


def open_service(name: str = "web", home: str = "home", by: User | None = None, **fields: Any) -> Service:
    """A deployed service whose instance "dev" takes a component, in an environment that takes components."""
    place = environment(home, component_role_arn=COMPONENT_ROLE)
    files = fields.pop("files", None)
    of = version(template(TemplateKind.SERVICE), files=files, compatible=[place.template])
    TemplateVersion.objects.filter(pk=of.pk).update(supported_component_sources=["DIRECTLY_DEFINED"])
    of.refresh_from_db()
    return service(name, by=by, of=of, spec=fields.pop("spec", service_spec(home)), **fields)


def component(name: str = "", by: User | None = None, **fields: Any) -> Component:
    """A deployed component. Name an environment that takes components, or a service and instance."""
    made = components.create(
        by=by or person(),
        name=name or f"component-{next(_number)}",
        manifest=fields.pop("manifest", MANIFEST),
        template_file=fields.pop("template_file", COMPONENT_TEMPLATE),
        **fields,
    )
    run_everything()
    return Component.objects.get(pk=made.pk)
