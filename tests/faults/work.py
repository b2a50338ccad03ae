"""Work for workers: environments that are made, changed and deleted, and a diary of what was accepted.

The template makes one queue whose visibility timeout is the ``revision``, and says it as an output: so that the
emulator itself tells which deployment was applied last.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

SCHEMA = """\
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: "EnvironmentInput"
  types:
    EnvironmentInput:
      type: object
      properties:
        queue: {type: string}
        revision: {type: number}
      required: [queue, revision]
"""
TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{ environment.inputs.queue }}'
      VisibilityTimeout: {{ environment.inputs.revision }}
Outputs:
  Revision:
    Value: '{{ environment.inputs.revision }}'
"""


_VARIABLES: dict[str, Any] = {"env": {"variables": {"LEDGER": "{{ environment.inputs.cluster_name }}"}}}


@dataclass(frozen=True)
class Accepted:
    """One request that the product took on."""

    at: float
    kind: str
    name: str
    arn: str
    revision: int
    deployment: UUID


@dataclass
class Work:
    """Requests of one admin. ``refused`` counts those that the product refused.

    ``joins``: the admin and the template are there, or are going to be: another process makes them.
    """

    accounts: tuple[str, ...] = ("123456789012",)
    accepted: list[Accepted] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    joins: bool = False
    lost_rights: dict[UUID, float] = field(default_factory=dict)  # when the person behind a deployment lost the right
    commands: Any = None  # the template version of run_commands, once it was made

    def __post_init__(self) -> None:
        if not self.joins:
            self.prepare()

    def prepare(self) -> None:
        from tests.factories import rows

        self.admin = rows.person("admin")
        self.version = rows.version(rows.template(), files=rows.environment_files(schema=SCHEMA, code=TEMPLATE))

    @cached_property
    def admin(self) -> Any:
        from portal.models import User

        return User.objects.get(username="admin")

    @cached_property
    def version(self) -> Any:
        from portal.models import TemplateVersion

        return TemplateVersion.objects.select_related("template").get()

    def spec(self, name: str, revision: int) -> str:
        return f"proton: EnvironmentSpec\nspec: {{queue: {name}, revision: {revision}}}\n"

    def create(self, name: str, revision: int = 1, **more: Any) -> Any:
        from portal.actions import environments

        more.setdefault("account_id", self.accounts[len(self.accepted) % len(self.accounts)])
        made = environments.create(
            by=self.admin,
            name=name,
            template=self.version.template,
            spec=self.spec(name, revision),
            major=1,
            **more,
        )
        return self._accept("create", made, revision)

    def run_commands(self, name: str, ledger: Path) -> None:
        """An environment whose own command leaves a file of its name in a folder. The diary has stacks only."""
        from portal.actions import environments
        from tests.factories import command_bundles, rows

        if self.commands is None:
            command = "mktemp -p $LEDGER {{ environment.name }}.XXXXXX && sleep 0.5"
            files = command_bundles.environment_files(command, **_VARIABLES)
            self.commands = rows.version(rows.template(), files=files)
        spec = f"proton: EnvironmentSpec\nspec: {{cluster_name: {ledger}}}\n"
        environments.create(by=self.admin, name=name, template=self.commands.template, spec=spec, major=1)

    def update(self, name: str, revision: int) -> Any:
        from portal.actions import environments
        from portal.models import Environment

        changed = environments.update(
            by=self.admin,
            environment=Environment.objects.get(name=name),
            deployment_type="CURRENT_VERSION",
            spec=self.spec(name, revision),
        )
        return self._accept("update", changed, revision)

    def delete(self, name: str) -> Any:
        from portal.actions import environments
        from portal.models import Environment

        return self._accept(
            "delete", environments.delete(by=self.admin, environment=Environment.objects.get(name=name)), 0
        )

    def cancel(self, name: str) -> Any:
        from portal.actions import deployments
        from portal.models import Environment

        return deployments.cancel(by=self.admin, target=Environment.objects.select_related("latest").get(name=name))

    def retry(self, name: str) -> Any:
        from portal.actions import deployments
        from portal.models import Environment

        target = Environment.objects.select_related("latest").get(name=name)
        assert target.latest is not None
        revision = int(target.latest.inputs["revision"]) if target.latest.kind != "delete" else 0
        again = deployments.retry(by=self.admin, deployment=target.latest)
        target.refresh_from_db()
        return self._accept(again.kind, target, revision)

    def _accept(self, kind: str, environment: Any, revision: int) -> Accepted:
        from portal.models import Deployment

        latest = Deployment.objects.get(pk=environment.latest_id)
        entry = Accepted(time.time(), kind, environment.name, environment.arn, revision, latest.pk)
        self.accepted.append(entry)
        return entry

    def tried(self, what: Any, *arguments: Any, **more: Any) -> Any | None:
        """The result, or None when the product refused; what it refused is counted by kind."""
        from portal.errors import PortalError

        try:
            return what(*arguments, **more)
        except PortalError as refusal:
            name = type(refusal).__name__
            self.refused[name] = self.refused.get(name, 0) + 1
            return None

    # Waiting

    def running(self) -> int:
        """Deployments that neither ended nor ask for a person."""
        from portal.enums import RUNNING
        from portal.models import Deployment

        return Deployment.objects.filter(status__in=RUNNING).exclude(phase="attention").count()

    def wait(self, seconds: float, names: Iterable[str] | None = None) -> int:
        """Until nothing runs, or only so long; how many still run then. ``names``: only these environments."""
        until = time.monotonic() + seconds
        wanted = None if names is None else set(names)
        while time.monotonic() < until:
            left = self.running() if wanted is None else self._running_of(wanted)
            if not left:
                return 0
            time.sleep(0.15)
        return self.running() if wanted is None else self._running_of(wanted)

    def _running_of(self, names: set[str]) -> int:
        from portal.enums import RUNNING
        from portal.models import Deployment

        found = Deployment.objects.filter(status__in=RUNNING, environment_name__in=names)
        return found.exclude(phase="attention").count()

    def ended(self) -> dict[UUID, str]:
        """The status of each accepted deployment."""
        from portal.models import Deployment

        return dict(Deployment.objects.values_list("pk", "status"))
