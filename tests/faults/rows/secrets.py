"""Secrets are planted, everything is driven, and then they are looked for wherever anything is written."""

import base64
import io
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults import liar_stacks, unprotected
from tests.faults.arena import Arena
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
SCHEMA = """\
schema:
  format: {openapi: "3.0.0"}
  KIND_input_type: "Inputs"
  types:
    Inputs:
      type: object
      properties:
        queue: {type: string, title: Queue}
        revision: {type: number}
        token: {type: string, writeOnly: true, minLength: 8}
        phrase: {type: string, format: password}
        database:
          type: object
          properties:
            user: {type: string}
            password: {type: string, writeOnly: true}
        users:
          type: array
          items: {type: object, properties: {name: {type: string}, key: {type: string, writeOnly: true}}}
      required: [queue, revision]
"""
TEMPLATE = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: '{{ I.queue }}'
      VisibilityTimeout: {{ I.revision }}
      Tags:
        - {Key: token, Value: '{{ I.token }}'}
        - {Key: phrase, Value: {{ I.phrase | tojson }}}
        - {Key: password, Value: '{{ I.database.password }}'}
        - {Key: key, Value: '{{ I.users[0].key }}'}
Outputs:
  Revision:
    Value: '{{ I.revision }}'
"""
UNDOING = ("delete", "discard", "cancel", "revoke", "reject", "detach", "unlink", "merge", "close", "reset", "off")
NAMES = ("token", "phrase", "password", "key")


def _secret(name: str) -> str:
    """Text that every way of writing it changes."""
    noise = base64.b32encode(name.encode() * 3).decode().lower().rstrip("=")[:18]
    return f"cNry-{name}/{noise}+&%é=x"


ENVIRONMENT = {
    "SECRET_KEY": _secret("setting-secret-key") * 3,
    "ENCRYPTION_KEYS": ",".join(base64.urlsafe_b64encode(bytes([n]) * 16 + b"x" * 16).decode() for n in (7, 9)),
    "METRICS_TOKEN": "cNry-metrics-token-8c1e9a",
    "AWS_SECRET_ACCESS_KEY": "cNry/aws+secret/8c1e9a77b1",
    "LOG_LEVEL": "DEBUG",
}  # fmt: skip


def leak(arena: Arena, work: Work, size: Size) -> Result:
    if "discretion" in arena.without.split(","):
        unprotected.take_off(["discretion"])
    hunt = _Hunt(arena)
    for name in ("SECRET_KEY", "METRICS_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        hunt.plant(name, ENVIRONMENT[name])
    for number, key in enumerate(ENVIRONMENT["ENCRYPTION_KEYS"].split(",")):
        hunt.plant(f"encryption key {number}", key)
    with hunt:
        world = _Doors(arena, work, hunt)
        for turn in range(int(size["rounds"])):
            world.deploy(turn)
            left = work.wait(size["seconds"] / 3)
            world.visit(int(size["people"]))
            world.call()
            world.commands()
        hunt.look_into_tables()
    hunt.look_into("log of a worker", arena.log.read_text(errors="replace"))
    from portal.models import DeploymentEvent
    from provisioning.masking import HIDDEN

    places = Counter(place for place, _ in hunt.found)
    return Result(
        faults={
            "secrets": len(hunt.planted),
            "replies": hunt.replies,
            "operations": world.operations,
            "columns": hunt.columns,
            "log_kilobytes": round(arena.log.stat().st_size / 1024 + len(hunt.log.getvalue()) / 1024),
            "broker_commands": hunt.commands,
            "sealed_values": hunt.sealed,
            "told_to_whom_they_belong": hunt.at_home,
            "messages_with_something_hidden": DeploymentEvent.objects.filter(message__contains=HIDDEN).count(),
        },
        harm={"leaks": len(hunt.found), "not_covered": len(world.uncovered), "broken": hunt.broken, "stuck": left},
        figures={
            "places": [f"{place}: {count}" for place, count in places.most_common(12)],
            "examples": [f"{secret} in {place}" for place, secret in sorted(hunt.found)[:12]],
            "uncovered": world.uncovered[:5],
        },
    )


class _Hunt:
    """The secrets, every way of writing them, and where one was found."""

    def __init__(self, arena: Arena):
        self.arena = arena
        self.planted: dict[str, str] = {}
        self.inputs: set[str] = set()  # secrets that are told to whoever may change them
        self.needles: dict[str, str] = {}  # way of writing it: name
        self.found: set[tuple[str, str]] = set()
        self.replies = self.columns = self.commands = self.broken = self.at_home = self.sealed = 0
        self.log = io.StringIO()
        self._stopping = threading.Event()

    def plant(self, name: str, value: str, *, input: bool = False) -> str:
        from provisioning.masking import forms

        self.planted[name] = value
        if input:
            self.inputs.add(name)
        for form in forms(value):
            if len(form) >= 8:
                self.needles[form] = name
        return value

    def look_into(self, place: str, text: str, *, home: bool = False) -> None:
        for needle, name in self.needles.items():
            if needle in text:
                if home and name in self.inputs:
                    self.at_home += 1
                else:
                    self.found.add((place, name))

    def look_into_tables(self) -> None:
        """Every column of every model that can hold text, as it stands in the database."""
        from django.apps import apps
        from django.db import connection, models

        from portal.secrets import is_token

        textual = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
        for model in apps.get_models():
            columns = [field.column for field in model._meta.concrete_fields if isinstance(field, textual)]
            self.columns += len(columns)
            with connection.cursor() as cursor:
                for column in columns:
                    cursor.execute(f'SELECT "{column}" FROM "{model._meta.db_table}"')
                    for (value,) in cursor.fetchall():
                        text = bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                        self.look_into(f"{model.__name__}.{column}", text)
                        self.sealed += is_token(text.strip('"'))

    def __enter__(self) -> "_Hunt":
        handler = logging.StreamHandler(self.log)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        logging.getLogger().addHandler(handler)
        for quiet in logging.getLogger().handlers:
            if quiet is not handler:  # standard error is nobody's log here
                quiet.setLevel(logging.CRITICAL)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopping.set()
        self.look_into("log of the web", self.log.getvalue())

    def _watch(self) -> None:
        """Everything that the broker is told."""
        import redis

        with redis.Redis(unix_socket_path=str(self.arena.socket)).monitor() as monitor:
            for command in monitor.listen():
                self.commands += 1
                self.look_into("broker", str(command))
                if self._stopping.is_set():
                    return


def _known_world(admin: Any) -> Any:
    """The world of the tests about access, all done before a worker sees it: it is deployed in memory."""
    from django.conf import settings
    from django.db import transaction

    from tests.rules import test_access

    settings.SIMULATION = {"seconds": 0, "outputs": {"QueueUrl": "https://queue"}}
    try:
        with transaction.atomic():
            return test_access.a_world(admin)
    finally:
        settings.SIMULATION = None


class _Doors:
    """Everybody at every address, with secrets in what they send."""

    def __init__(self, arena: Arena, work: Work, hunt: _Hunt):
        from django.conf import settings
        from django.test import Client
        from django.test.utils import setup_test_environment

        from portal.actions import people
        from portal.enums import Role, TemplateKind
        from tests.factories import rows

        setup_test_environment()
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        settings.STORAGES = {
            **settings.STORAGES,
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        }
        self.arena, self.work, self.hunt = arena, work, hunt
        self.uncovered: list[str] = []
        self.operations = 0
        self.known = _known_world(work.admin)
        self.people = {role: self.known.cast[role.lower()] for role in Role}
        key, secret = people.create_access_key(by=work.admin, user=work.admin)
        self.key = key.pk, hunt.plant("access key of the API", secret)
        key, secret = people.create_access_key(by=self.people[Role.VIEWER], user=self.people[Role.VIEWER])
        self.viewers_key = key.pk, hunt.plant("access key of a viewer", secret)
        for person in self.people.values():
            person.set_password(hunt.plant(f"password of {person.username}", _secret(f"pw-{person.username}")))
            person.save()
        self.clients = {"a stranger": Client(raise_request_exception=False)}
        for role, person in self.people.items():
            self.clients[role] = Client(raise_request_exception=False)
            self._ask(role, "post", "/sign-in/", {"username": person.username, "password": "wrong " + _secret("typo")})
            secret = hunt.planted[f"password of {person.username}"]
            self._ask(role, "post", "/sign-in/", {"username": person.username, "password": secret})
        files = rows.environment_files(
            schema=SCHEMA.replace("KIND", "environment"), code=TEMPLATE.replace("I.", "environment.inputs.")
        )
        self.of = rows.version(rows.template(name="guarded"), files=files)
        files = rows.service_files(
            schema=SCHEMA.replace("KIND", "service"), code=TEMPLATE.replace("I.", "service_instance.inputs.")
        )
        self.serving = rows.version(
            rows.template(TemplateKind.SERVICE, "serving"), files=files, compatible=[self.of.template]
        )
        self._remember_sessions()
        role_arn = "arn:aws:iam::123456789012:role/deploy"
        arena.liar.trust(role_arn, {"123456789012"})
        self.role_arn = role_arn

    def _remember_sessions(self) -> None:
        """What AWS hands out for a role is a secret, too."""
        assume = self.arena.liar._assume

        def assumed(call: Any, form: Any) -> Any:
            reply = assume(call, form)
            for name in (b"SecretAccessKey", b"SessionToken"):
                for value in re.findall(b"<" + name + b">([^<]{12,})<", reply.body):
                    self.hunt.plant(f"session {name.decode()}", value.decode())
            return reply

        self.arena.liar._assume = assumed  # type: ignore[method-assign]

    # Doing

    def _values(self, of: str, turn: int) -> dict[str, str]:
        return {
            name: self.hunt.plant(f"{name} of {of} {turn}", _secret(f"{name}-{of}-{turn}"), input=True)
            for name in NAMES
        }

    def _spec(self, of: str, turn: int, revision: int, indent: str = "  ") -> str:
        secret = self._values(of, turn)
        return (
            f"{indent}queue: {of}\n{indent}revision: {revision}\n"
            f"{indent}token: '{secret['token']}'\n{indent}phrase: '{secret['phrase']}'\n"
            f"{indent}database: {{user: app, password: '{secret['password']}'}}\n"
            f"{indent}users: [{{name: ada, key: '{secret['key']}'}}]\n"
        )

    def deploy(self, turn: int) -> None:
        """Good and bad ends, with the secret in what AWS says of a failure."""
        from portal.actions import drafts, environments, instances, services
        from portal.enums import Role
        from portal.models import Environment, ServiceInstance

        admin, names = self.work.admin, {"fine": "", "failing": "", "roled": self.role_arn}
        spec = {name: "proton: EnvironmentSpec\nspec:\n" + self._spec(name, turn, 1 + turn) for name in names}
        told = self.hunt.planted[f"token of failing {turn}"]
        liar_stacks.CAUSE = f"Value '{told}' at 'tags.1.member.value' failed to satisfy constraint"
        self.arena.liar.stacks.script("failing", "create", "ROLLBACK_COMPLETE")
        for name, role in names.items():
            if turn == 0:
                self.work.tried(
                    environments.create, by=admin, name=name, template=self.of.template, spec=spec[name], major=1,
                    account_id="123456789012", proton_service_role_arn=role,
                )  # fmt: skip
            else:
                target = Environment.objects.get(name=name)
                self.work.tried(
                    environments.update, by=admin, environment=target, deployment_type="CURRENT_VERSION",
                    spec=spec[name],
                )  # fmt: skip
        self.work.wait(20, names)
        inputs = self._spec("shop", turn, 3 + turn, "      ")
        text = f"proton: ServiceSpec\ninstances:\n  - name: dev\n    environment: fine\n    spec:\n{inputs}"
        if turn == 0:
            developer = self.people[Role.DEVELOPER]
            self.work.tried(
                services.create, by=developer, name="shop", template=self.serving.template, spec=text, major=1
            )
            self.draft = drafts.start(by=developer, template=self.serving.template, version=self.serving)
            self.other_draft = drafts.start(by=admin, template=self.of.template, version=self.of)
        else:
            self.work.tried(
                instances.update, by=admin, instance=ServiceInstance.objects.get(service__name="shop"),
                deployment_type="CURRENT_VERSION",
                spec=text,
            )  # fmt: skip
        bad = _secret(f"hostile-{turn}") + "${AWS::AccountId}"
        self.hunt.plant(f"refused token {turn}", bad[:-17], input=True)
        hostile = spec["fine"].replace(self.hunt.planted[f"token of fine {turn}"], bad)
        self.work.tried(
            environments.create, by=admin, name=f"hostile{turn}", template=self.of.template, spec=hostile, major=1
        )
        time.sleep(0.5)

    # Visiting

    def _ask(self, who: str, method: str, address: str, data: Any = None, **more: Any) -> Any:
        response = getattr(self.clients[who], method)(address, data or {}, **more)
        self.hunt.replies += 1
        self.hunt.broken += response.status_code >= 500
        content = b"".join(response.streaming_content) if response.streaming else response.content
        text = content.decode("utf-8", "replace") + repr(response.headers)
        secret = (response.context or {}).get("secret") if getattr(response, "context", None) else None
        if secret and not isinstance(secret, bool) and address.endswith("/keys/new/"):
            self.hunt.plant(f"access key {len(self.hunt.planted)}", str(secret))
            return response  # shown this once
        self.hunt.look_into(f"{method} {re.sub(r'[0-9a-f-]{36}', 'ID', address)}", text)
        return response

    def _addresses(self) -> Iterator[tuple[str, str]]:
        """Every address that Django knows."""
        from django.urls import NoReverseMatch, get_resolver

        from portal.models import Deployment
        from tests.rules import test_access

        for deployment in Deployment.objects.all():
            arguments = {
                **self.known.arguments,  # and what has secrets instead
                "template": ("ENVIRONMENT", "guarded"),
                "version": ("ENVIRONMENT", "guarded", 1, 0),
                "version-new": ("ENVIRONMENT", "guarded"),
                "environment": (deployment.environment_name or "fine",),
                "service": ("shop",),
                "instance": ("shop", "dev"),
                "draft": (self.draft.pk,),
                "deployment": (deployment.pk,),
            }
            world = test_access.World({}, arguments, {})
            for name in sorted(test_access.names(get_resolver().url_patterns)):
                try:
                    yield name, world.address(name)
                except NoReverseMatch:
                    self.uncovered.append(name)

    def visit(self, people: int) -> None:
        """All pages by so many kinds of people, their parts, errors, and forms that are sent with secrets in them."""
        seen: set[str] = set()
        secrets = {f"/spec/{name}": self.hunt.planted[f"{name} of fine 0"] for name in ("token", "phrase")}
        posted = {**secrets, "/spec/database/password": self.hunt.planted["password of fine 0"], "/spec/queue": "q"}
        posted |= {key.replace("/spec", "/instances/0/spec"): value for key, value in posted.items()}
        posted |= {"/instances/0/name": "dev", "/instances/0/environment": "fine", "name": "typed", "version": "1.0"}
        sent = {**posted, "/spec/revision": "no number", "old": _secret("old"), "new": "short", "password": "short"}
        for name, address in self._addresses():
            if address in seen or name == "sign-out":
                continue
            seen.add(address)
            for who in ["admin", "developer", "a stranger", "viewer", "platform"][:people]:
                self._ask(who, "get", address)
            self._ask("admin", "get", address, HTTP_HX_REQUEST="true")
            if name == "metrics":
                self._ask("a stranger", "get", address, HTTP_AUTHORIZATION="Bearer " + ENVIRONMENT["METRICS_TOKEN"])
            if not any(word in name for word in UNDOING):
                if people > 2:
                    self._ask("developer", "post", address, {**sent, "name": "typed"})
                self._ask("admin", "post", address, {**posted, "/spec/revision": "7", "deployment_type": "preview"})
        self._ask("a stranger", "get", "/nowhere/" + _secret("path")[:5])
        self._ask("admin", "get", "/environments/", HTTP_HOST="evil.example")
        self._ask("admin", "put", "/environments/")

    def call(self) -> None:
        """Every operation of the API that reads, signed by a viewer's key and by an admin's, who may change the specs
        and therefore reads them whole. One that is not answered is not covered."""
        from portal.models import Deployment, Environment
        from portal.wire.discretion import TELL_SPECS
        from tests.faults.reads import reads

        latest = Deployment.objects.filter(environment_name="fine").latest("created_at")
        world = {
            "connection": str(self.known.arguments["connection"][0]),
            "deployment": str(latest.pk),
            "arn": Environment.objects.get(name="fine").arn,
        }
        for whole, (name, body, headers) in (
            (whole, asked)
            for whole, key in ((False, self.viewers_key), (True, self.key))
            for asked in reads(world, *key)
        ):
            self.operations += 1
            response = self.clients["a stranger"].post(
                "/", body, content_type=headers.pop("content-type"), headers=headers
            )
            self.hunt.broken += response.status_code >= 500
            if response.status_code != 200:
                self.uncovered.append(f"{name}: {response.content.decode()[:200]}")
            home = whole and name in TELL_SPECS
            self.hunt.look_into(f"operation {name}", response.content.decode() + repr(response.headers), home=home)

    def commands(self) -> None:
        from django.core.management import call_command, get_commands

        for name in sorted(name for name, app in get_commands().items() if app == "portal"):
            if name in ("vendor_static", "demo", "create_admin"):
                continue  # they make files, samples and people
            out = io.StringIO()
            try:
                call_command(name, stdout=out, stderr=out)
            except SystemExit:
                pass
            except Exception as error:
                out.write(repr(error))
            self.hunt.look_into(f"manage.py {name}", out.getvalue())


ROWS = [
    Row(
        18,
        "secrets are looked for wherever anything is written",
        leak,
        ("discretion",),
        small={"rounds": 1, "people": 2, "seconds": 90},
        full={"rounds": 10, "people": 5, "seconds": 1200},
        patience=60,
        arena={"settings": ENVIRONMENT},
        judged=False,  # services have stacks, too, and some of these deployments are meant to fail
    ),
]
