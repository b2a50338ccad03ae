"""What happens in a portal before and after its backup: python -m tests.servers.moving_on prepare|before|after

Runs with the environment of a server. Deployments are driven here, as a worker would.
"""

import sys
import time

import django

ENVIRONMENTS = ("stays", "updated", "deleted")


def finish() -> None:
    from portal import poller
    from portal.enums import RUNNING
    from portal.models import Deployment

    until = time.monotonic() + 40
    while Deployment.objects.filter(status__in=RUNNING).exists():
        if time.monotonic() > until:
            raise SystemExit(str(Deployment.objects.filter(status__in=RUNNING).values_list("doing", flat=True)))
        poller.look_once()
        time.sleep(0.1)


def make(name: str) -> None:
    from portal.actions import environments
    from portal.models import Template, User

    template = Template.objects.get(name="queue")
    spec = f"proton: EnvironmentSpec\nspec: {{cluster_name: {name}}}\n"
    environments.create(by=User.objects.get(), name=name, template=template, spec=spec, major=1, minor=0)


def prepare() -> None:
    from tests.factories import rows

    rows.person("ada")
    rows.version(rows.template(name="queue"))


def before() -> None:
    prepare()
    for name in ENVIRONMENTS:
        make(name)
    finish()
    make("under-way")


def after() -> None:
    from portal.actions import environments
    from portal.models import Environment, Template, User
    from tests.factories import rows

    finish()
    time.sleep(1.1)  # the emulator's clock has seconds
    ada = User.objects.get()
    longer = rows.ENVIRONMENT_TEMPLATE.replace("    Properties:\n", "    Properties:\n      DelaySeconds: 5\n")
    newer = rows.version(Template.objects.get(name="queue"), "1.1", rows.environment_files(code=longer))
    environments.update(
        by=ada, environment=Environment.objects.get(name="updated"), deployment_type="MINOR_VERSION", minor=newer.minor
    )
    environments.delete(by=ada, environment=Environment.objects.get(name="deleted"))
    make("newer")
    finish()


if __name__ == "__main__":
    django.setup()
    {"prepare": prepare, "before": before, "after": after}[sys.argv[1]]()
