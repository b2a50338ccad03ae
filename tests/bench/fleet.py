"""Service instances by the hundred thousand: ``python -m tests.bench.fleet FIRST LAST`` adds them to a database.

Reads the settings of the environment. With FIRST 0 it migrates first, and makes a person with an access key, one
environment and one service instance, each deployed; every other row is a copy of these, made in SQL. Prints the key as
a JSON object.
"""

import json
import subprocess
import sys
from typing import Any

from tests.aws import ROOT

ACCOUNT = "123456789012"
ENVIRONMENTS = 100
PER_SERVICE = 10  # instances
BATCH = 10_000
ENVIRONMENT, SERVICE = "'environment-' || lpad(({})::text, 3, '0')", "'service-' || lpad(({})::text, 6, '0')"  # in SQL
SPEC = "proton: ServiceSpec\npipeline: {}\ninstances:\n  - name: instance-0\n    environment: environment-000\n" + (
    "    spec: {image: 'registry/app:1', port: 8080, cpu: 256, memory: 512, copies: 2}\n"
)


def grow(environment: dict[str, str], first: int, last: int) -> dict[str, str]:
    """Instances number ``first`` to ``last`` - 1, in another process; says what that printed."""
    args = [sys.executable, "-m", "tests.bench.fleet", str(first), str(last)]
    made = subprocess.run(args, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=900)
    return dict(json.loads(made.stdout))


def service_name(number: int) -> str:
    """Of the instance with this number."""
    return f"service-{number // PER_SERVICE:06d}"


def instance_name(number: int) -> str:
    return f"instance-{number % PER_SERVICE}"


def environment_name(number: int) -> str:
    return f"environment-{number % ENVIRONMENTS:03d}"


def copies(row: Any, first: int, last: int, **values: str) -> None:
    """Copies of ``row``, one for each number g from ``first`` to ``last`` - 1; ``values`` are SQL, the key is new."""
    from django.db import connection

    values = {"spec": "''"} | values  # a token is of its row alone
    columns = [field.column for field in row._meta.concrete_fields if field.column in values or not field.primary_key]
    selected = ", ".join(values.get(column, f'p."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {row._meta.db_table} ({names}) SELECT {selected} "
            f"FROM {row._meta.db_table} p, generate_series(%s, %s) g WHERE p.{row._meta.pk.column} = %s",
            [first, last - 1, row.pk],
        )
    give_specs(row)


def give_specs(row: Any) -> None:
    """Copies of ``row`` get its spec, each sealed for itself."""
    from django.db import connection

    from portal.secrets import Place

    table, spec = row._meta.db_table, row._meta.get_field("spec")
    key = row._meta.pk if spec.bound_to == ("pk",) else row._meta.get_field(*spec.bound_to)
    kind = "uuid" if key is row._meta.pk else "text"
    found = list(type(row).objects.filter(spec="").values_list(key.name, flat=True))
    with connection.cursor() as cursor:
        for batch in (found[start : start + BATCH] for start in range(0, len(found), BATCH)):
            tokens = [spec.seal(row.spec, Place(table, "spec", str(one))).value for one in batch]
            cursor.execute(
                f"UPDATE {table} t SET spec = v.spec FROM unnest(%s::{kind}[], %s::text[]) AS v (key, spec) "
                f"WHERE t.{key.column} = v.key",
                [batch, tokens],
            )


def prototypes() -> dict[str, str]:
    """The person and their key, the environments, and instance number 0 with all that it stands on."""
    from portal import arns
    from portal.actions import people
    from portal.enums import ServiceStatus, TemplateKind
    from portal.models import Environment, Service, ServiceInstance
    from tests.factories import rows

    person = rows.person("alice")
    of = rows.version(rows.template(name="network"))
    home = Environment.objects.create(
        name=environment_name(0),
        arn=arns.environment(environment_name(0)),
        description="Where applications run",
        template=of.template,
        version=of,
        spec=rows.ENVIRONMENT_SPEC,
        target_account_id=ACCOUNT,
        region="us-east-1",
        proton_service_role_arn=f"arn:aws:iam::{ACCOUNT}:role/proton",
    )
    deploy(home, environment_name=home.name, target_type="ENVIRONMENT")
    version = rows.version(rows.template(TemplateKind.SERVICE, name="web"), compatible=[of.template])
    service = Service.objects.create(
        name=service_name(0),
        arn=arns.service(service_name(0)),
        template=version.template,
        spec=SPEC,
        status=ServiceStatus.ACTIVE,
    )
    instance = ServiceInstance.objects.create(
        name=instance_name(0),
        arn=arns.service_instance(service_name(0), instance_name(0)),
        service=service,
        environment=home,
        version=version,
        spec=SPEC,
    )
    deploy(
        instance,
        environment_name=home.name,
        service_name=service.name,
        instance_name=instance.name,
        target_type="SERVICE_INSTANCE",
    )
    key, secret = people.create_access_key(by=person, user=person)
    return {"key_id": key.key_id, "secret": secret}


def deploy(target: Any, **fields: str) -> None:
    """One attempt, which succeeded."""
    from django.utils import timezone

    from portal.models import Deployment

    version = target.version
    target.latest = target.deployed = Deployment.objects.create(
        target_arn=target.arn,
        target_created_at=target.created_at,
        kind="create",
        status="SUCCEEDED",
        phase="finished",
        version=version,
        bundle=version.bundle,
        template_name=version.template.name,
        template_major=version.major,
        template_minor=version.minor,
        spec=target.spec,
        account_id=ACCOUNT,
        region="us-east-1",
        actor_name="alice",
        completed_at=timezone.now(),
        **fields,
    )
    target.save()


def environments() -> None:
    """Copies of environment number 0."""
    from portal.models import Environment

    home = Environment.objects.select_related("latest").get()
    name, attempt = ENVIRONMENT.format("g"), "md5('environment ' || g)::uuid"
    arn = f"replace(p.{{}}, '{home.name}', {name})"
    copies(home.latest, 1, ENVIRONMENTS, id=attempt, environment_name=name, target_arn=arn.format("target_arn"))
    copies(home, 1, ENVIRONMENTS, name=name, arn=arn.format("arn"), latest_id=attempt, deployed_id=attempt)


def instances(first: int, last: int) -> None:
    """Copies of instance number 0, and of its service and deployment."""
    from portal.models import Environment, ServiceInstance

    instance = ServiceInstance.objects.select_related("service", "latest").get(
        service__name=service_name(0), name=instance_name(0)
    )
    homes = list(Environment.objects.order_by("name").values_list("pk", flat=True))
    service, name = SERVICE.format(f"g / {PER_SERVICE}"), f"'instance-' || mod(g, {PER_SERVICE})"
    arn = f"'{instance.service.arn.removesuffix(service_name(0))}' || {service} || '/service-instance/' || {name}"
    attempt, later = "md5('instance ' || g)::uuid", "p.created_at + g * interval '1 millisecond'"
    own = SERVICE.format("g")
    copies(
        instance.service,
        max(1, first // PER_SERVICE),
        last // PER_SERVICE,
        name=own,
        arn=f"replace(p.arn, '{service_name(0)}', {own})",
    )
    copies(
        instance.latest,
        max(1, first),
        last,
        id=attempt,
        target_arn=arn,
        service_name=service,
        instance_name=name,
        environment_name=ENVIRONMENT.format(f"mod(g, {ENVIRONMENTS})"),
        created_at=later,
    )
    copies(
        instance,
        max(1, first),
        last,
        arn=arn,
        name=name,
        latest_id=attempt,
        deployed_id=attempt,
        service_id=f"(SELECT s.id FROM portal_service s WHERE s.name = {service})",
        environment_id=f"(ARRAY{homes})[1 + mod(g, {ENVIRONMENTS})]",
        created_at=later,
    )


def main(first: int, last: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    made = {}
    if not first:
        call_command("migrate", verbosity=0)
        made = prototypes()
        environments()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # references are right, and need no look-up
        instances(first, last)
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps(made))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
