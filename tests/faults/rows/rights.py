"""Who may what: everybody at every door, and people who lose their rights while their work waits."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.arena import Arena
from tests.faults.rows.base import Bench, Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
LEAKS_OF_A_CONTROL = 20  # it has shown what it is for


@dataclass(frozen=True)
class Question:
    """What one person asks of one door. ``ask`` says "allowed", "refused", "not offered" or "broken"."""

    door: str
    name: str
    who: str
    wanted: str
    ask: Callable[[], str]


def matrix(bench: Bench, size: Size) -> Result:
    """Every address, operation and start of a job, asked by everybody about their own team's things and the others'."""
    open_portal(bench.directory, simulation={"seconds": 0, "outputs": {"QueueUrl": "https://queue"}})
    unprotected.take_off(bench.without)
    from django.db import connection, transaction

    _local_forge(bench.directory)
    world = _World()
    questions = list(_fewer([question for door in DOORS for question in door(world)], bench, int(size["allowed"])))
    refusals = [question for question in questions if question.wanted != "allowed"]
    leaks: list[str] = []
    shut_out, broken = [], []
    written = _Written()
    for question in questions:
        if bench.without and len(leaks) >= LEAKS_OF_A_CONTROL:
            break
        with transaction.atomic(), connection.execute_wrapper(written):
            written.tables.clear()
            try:
                found = question.ask()
            except Exception as error:
                found = f"broken: {type(error).__name__} {error}"
            transaction.set_rollback(True)
        if found == "refused" and written.tables and question.door != "job":
            leaks.append(f"{question.door} {question.name} refused {question.who} and wrote to {written.tables}")
        said = f"{question.door} {question.name}, {question.who}: {found}, not {question.wanted}"
        if found.startswith("broken"):
            broken.append(said)
        elif question.wanted != "allowed" and found == "allowed":
            leaks.append(said)
        elif found != question.wanted:
            shut_out.append(said)
    doors = {door: sum(question.door == door for question in questions) for door in {q.door for q in questions}}
    return Result(
        faults={"questions": len(questions), "to_be_refused": len(refusals), **doors},
        harm={
            "leaks": len(leaks),
            "shut_out": len(shut_out),
            "broken": len(broken),
            "not_covered": len(world.uncovered),
        },
        figures={"examples": [*leaks[:8], *shut_out[:8], *broken[:4], *world.uncovered[:8]]},
    )


def _fewer(questions: list[Question], bench: Bench, allowed: int) -> Iterator[Question]:
    """Everything that must be refused; of what must be allowed only so many for each address, drawn by the seed."""
    bench.random.shuffle(questions)
    seen: Counter[tuple[str, str]] = Counter()
    for question in questions:
        seen[question.door, question.name] += question.wanted == "allowed"
        if question.wanted != "allowed" or seen[question.door, question.name] <= allowed:
            yield question


class _Written:
    """Which tables were written to. Sessions and sign-ins are nobody's property."""

    def __init__(self) -> None:
        self.tables: set[str] = set()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        match = re.match(r"(?:INSERT (?:OR IGNORE )?INTO|UPDATE|DELETE FROM) \"(\w+)\"", sql)
        if match and match[1] != "django_session" and not sql.startswith('UPDATE "portal_user" SET "last_login"'):
            self.tables.add(match[1])
        return execute(sql, params, many, context)


def _local_forge(directory: Path) -> None:
    """Repositories are kept below the directory, as in `make run`."""
    from django.conf import settings

    from portal import forges

    settings.EMBEDDED, settings.DATA_DIR = True, directory
    forges.forget()


class _World:
    """Two teams with a service, a deployment, a draft and a key each; and people of every role in both."""

    def __init__(self) -> None:
        from django.test import Client

        from portal.actions import drafts, people
        from portal.enums import Role, TemplateKind
        from portal.models import Environment, Service
        from tests.factories import rows
        from tests.rules import test_access

        self.uncovered: list[str] = []
        self.table = test_access
        self.own = test_access.a_world()
        cast = self.own.cast
        payments, search = cast["developer"].teams.get(), cast["outsider"].teams.get()
        home = Environment.objects.get(name="home")
        of = rows.version(rows.template(TemplateKind.SERVICE, "finder"), compatible=[home.template])
        piped = rows.version(rows.template(TemplateKind.SERVICE), files=test_access.PIPED, compatible=[home.template])
        theirs = rows.service("lookup", by=cast["outsider"], of=of, spec=rows.service_spec("home"))
        rows.service("ranked", by=cast["outsider"], of=piped, spec=rows.service_spec("home"))
        draft = drafts.start(by=cast["outsider"], template=of.template, version=of)
        key, _ = people.create_access_key(by=cast["outsider"], user=cast["outsider"])
        self.foreign = {
            **self.own.arguments,
            "service": ("lookup",),
            "instance": ("lookup", "dev"),
            "pipeline": ("ranked",),
            "draft": (draft.pk,),
            "deployment": (theirs.instances.get().latest_id,),
            "key-revoke": (key.pk,),
        }
        self.people = {
            "a viewer of the team": (cast["viewer"], "viewer", "viewer"),
            "a viewer of the other team": (rows.person("v2", Role.VIEWER, [search]), "viewer", "viewer"),
            "the developer": (cast["developer"], "developer", "outsider"),
            "the other team's developer": (cast["outsider"], "outsider", "developer"),
            "a colleague": (rows.person("d2", Role.DEVELOPER, [payments]), "colleague", "outsider"),
            "the other's colleague": (rows.person("d3", Role.DEVELOPER, [search]), "outsider", "colleague"),
            "a platform engineer of the team": (rows.person("p2", Role.PLATFORM, [payments]), "platform", "platform"),
            "a platform engineer of the others": (rows.person("p3", Role.PLATFORM, [search]), "platform", "platform"),
            "an admin": (cast["admin"], "admin", "admin"),
            "an admin who left": (rows.person("gone", Role.ADMIN, is_active=False), "nobody", "nobody"),
            "a stranger": (None, "nobody", "nobody"),
        }  # fmt: skip
        self.clients = {}
        for who, (person, _, _) in self.people.items():
            self.clients[who] = Client(raise_request_exception=False)
            if person is not None:
                self.clients[who].force_login(person)
        self.services = {"own": Service.objects.get(name="web"), "foreign": theirs}
        self.piped = {name: Service.objects.get(name=name) for name in ("delivered", "ranked")}
        self.home = home

    def allowed(self, whom: set[str] | None, role: str) -> str:
        """By the words of the table, in which "developer" is the one whose draft, key and service it is."""
        if whom is None:
            return "not offered"
        if role == "colleague":  # what belongs to the team, and not to the person
            role = "developer" if whom >= self.table.TEAM else "outsider"
        return "allowed" if role in whom else "refused"


def _pages(world: _World) -> Iterator[Question]:
    """Every address that Django knows, by the table of the tests."""
    from django.urls import get_resolver

    known = world.table.names(get_resolver().url_patterns)
    world.uncovered += sorted(known - set(world.table.TABLE) - world.table.PUBLIC)
    for name, whom in world.table.TABLE.items():
        for side, arguments in (("own", world.own.arguments), ("foreign", world.foreign)):
            address = world.table.World({}, arguments, {}).address(name)
            if side == "foreign" and address == world.own.address(name):
                continue  # it belongs to nobody
            for who, (_, own, foreign) in world.people.items():
                role = own if side == "own" else foreign
                for method, column in (("get", 0), ("post", 1)):
                    wanted = "refused" if role == "nobody" else world.allowed(whom[column], role)
                    ask = partial(_asked_of_page, world.clients[who], method, address)
                    yield Question("page", f"{method} {name} ({side})", who, wanted, ask)


def _asked_of_page(client: Any, method: str, address: str) -> str:
    from django.urls import reverse

    from tests.rules.test_access import verdict

    response = getattr(client, method)(address)
    if response.status_code == 302 and response["Location"].partition("?")[0] == reverse("sign-in"):
        return "refused"
    return verdict(response.status_code)


# Operations of the API by name: who may, and what they are asked about. The first that matches.
WEB = {"name": "web"}
DEV = {"serviceName": "web", "name": "dev", "serviceInstanceName": "dev"}
OPERATIONS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (r"(Get|List)\w+", "EVERYONE", {}),
    (r"\w*Template\w*|\w*AccountSettings", "ADMIN", {}),
    (r"(Tag|Untag)Resource", "ADMIN", {}),  # of a template here
    (r"CreateService", "DEVELOPERS", {}),
    (r"CreateServiceInstance", "PLATFORM", DEV),
    (r"(Update|Cancel)ServiceInstance(Deployment)?", "TEAM", DEV),
    (r"(Update|Cancel)ServicePipeline(Deployment)?", "TEAM", {"serviceName": "delivered"}),
    (r"(Update|Delete)Service", "TEAM", WEB),
    (r"CreateComponent", "TEAM", {"serviceName": "web", "serviceInstanceName": "dev"}),
    (r"(Update|Delete|Cancel)Component(Deployment)?", "TEAM", {"name": "bucket", "componentName": "bucket"}),
    (r"NotifyResource\w*", "PLATFORM", {"resourceArn": "arn:aws:proton:us-east-1:123456789012:environment/home"}),
    (r"\w*Environment\w*|\w*Repository\w*|\w*SyncConfig\w*|DeleteDeployment", "PLATFORM", {}),
)


def _operations(world: _World) -> Iterator[Question]:
    """Every operation of the API that has a handler."""
    from portal.wire.registry import handlers

    for name, operation in handlers().items():
        found = next(((who, about) for pattern, who, about in OPERATIONS if re.fullmatch(pattern, name)), None)
        if found is None:
            world.uncovered.append(name)
            continue
        whom, about = getattr(world.table, found[0]), found[1]
        for who, (person, own, _) in world.people.items():
            known = person is not None and person.is_active
            wanted = world.allowed(whom, own) if known else "refused"
            if person is not None:
                yield Question("operation", name, who, wanted, partial(_asked_of_operation, person, operation, about))


KNOWN_MEMBERS: dict[str, Any] = {
    "serviceName": "web",
    "environmentName": "home",
    "name": "nothing",
    "resourceArn": "arn:aws:proton:us-east-1:123456789012:environment-template/{template}",
    "majorVersion": "1",
    "minorVersion": "0",
    "source": {"s3": {"bucket": "bundles", "key": "bundle.tar.gz"}},
    "tags": [],
    "tagKeys": ["a"],
    "spec": "proton: EnvironmentSpec\nspec: {cluster_name: other}\n",
}


def _asked_of_operation(person: Any, operation: Any, about: dict[str, str]) -> str:
    """Everything after the signature. Whatever else is wrong with the request: it is told to those only who may."""
    from django.test import RequestFactory

    from portal.models import Environment
    from portal.wire import gateway
    from portal.wire.errors import AwsError
    from portal.wire.registry import Caller

    template = Environment.objects.get(name="home").template.name
    members = {
        name: _member(name, shape, template)
        for name, shape in operation.input.members.items()
        if name in operation.input.required_members
    }
    members |= {name: value for name, value in about.items() if name in operation.input.members}
    request = RequestFactory().post(
        "/",
        json.dumps(members),
        content_type=gateway.CONTENT_TYPE,
        HTTP_X_AMZ_TARGET=f"AwsProton20200720.{operation.name}",
    )
    call = gateway.Call(request, caller=Caller(person, "123456789012"))
    try:
        for step in gateway.STEPS:
            if step.__name__ != "authenticate":
                step(call)
    except AwsError as error:
        refused = error.name == "AccessDeniedException" or "Ask " in error.message
        return "broken" if error.status >= 500 else "refused" if refused else "allowed"
    return "allowed"


KNOWN_SHAPES = {
    "RepositoryName": "acme/nothing",
    "Arn": "arn:aws:codestar-connections:us-east-1:123456789012:connection/nothing",
}


def _member(name: str, shape: Any, template: str) -> Any:
    if name != "resourceArn" and shape.name in KNOWN_SHAPES:
        return KNOWN_SHAPES[shape.name]
    if name in KNOWN_MEMBERS:
        known = KNOWN_MEMBERS[name]
        return known.format(template=template) if name == "resourceArn" else known
    if name == "templateName":
        return template
    if shape.type_name == "structure":
        wanted = shape.required_members or list(shape.members)[:1]
        return {key: _member(key, inner, template) for key, inner in shape.members.items() if key in wanted}
    if shape.type_name == "list":
        return [_member("", shape.member, template)]
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return {"integer": 1, "boolean": True}.get(shape.type_name, "x")


def _jobs(world: _World) -> Iterator[Question]:
    """Work that is queued in somebody's name, whoever wrote the row: it starts only for those who may."""
    pipeline = {side: service.pipeline for side, service in zip(("own", "foreign"), world.piped.values(), strict=True)}
    targets = [
        ("environment-update", "own", world.home),
        *(("instance-update", side, service.instances.get()) for side, service in world.services.items()),
        *(("pipeline-update", side, row) for side, row in pipeline.items()),
    ]
    for (name, side, target), (who, (person, own, foreign)) in itertools.product(targets, world.people.items()):
        if person is None:
            continue
        role = own if side == "own" else foreign
        wanted = "refused" if role == "nobody" else world.allowed(world.table.TABLE[name][1], role)
        for kind in ("update", "delete") if target != world.home else ("update",):  # a home that is in use stays
            ask = partial(_started, person, target, kind)
            yield Question("job", f"{kind} by {name} ({side})", who, wanted, ask)
    for who, (person, own, foreign) in world.people.items():
        if person is None:
            continue
        for side, role in (("own", own), ("foreign", foreign)):
            wanted = "refused" if role == "nobody" else world.allowed(world.table.TABLE["service-delete"][1], role)
            yield Question(
                "job", f"edit of a service ({side})", who, wanted, partial(_edited, person, world.services[side])
            )
        wanted = "refused" if own == "nobody" else world.allowed(world.table.ADMIN, own)
        yield Question("job", "registration", who, wanted, partial(_registered, person))


def _started(person: Any, target: Any, kind: str) -> str:
    from portal.actions import runs, starting
    from portal.models import Component, Deployment

    target.refresh_from_db()
    if kind == "delete":
        Component.objects.filter(instance__arn=target.arn).update(instance=None)  # as an edit asks for
        row = starting.start_removal(by=person, target=target)
    else:
        done = target.deployed
        row = starting.start(
            by=person, target=target, kind=kind, version=target.version, spec=target.spec, inputs=done.inputs
        )
    runs.drive(row.pk)
    row = Deployment.objects.get(pk=row.pk)
    if row.intent_at is None and "may not change" in row.status_message:
        return "refused"
    return "allowed"


def _edited(person: Any, service: Any) -> str:
    from portal.actions import edits, service_changes
    from portal.models import Deployment, ServiceChange

    before = Deployment.objects.count()
    change = edits.begin(person, service, ServiceChange.Kind.DELETE, phase=ServiceChange.Phase.REMOVALS)
    service_changes.drive(change.pk)
    return "allowed" if Deployment.objects.count() > before else "refused"


def _registered(person: Any) -> str:
    from django.db.models.functions import Now

    from portal.actions import registrations
    from portal.models import TemplateVersion
    from tests.factories import rows

    version = rows.version(rows.template(), status="REGISTRATION_IN_PROGRESS")
    TemplateVersion.objects.filter(pk=version.pk).update(registered_by=person, due_at=Now())
    registrations.drive(version.pk)
    version.refresh_from_db()
    return "allowed" if version.status == "DRAFT" else "refused"


# Each says what it asks of whom: the REST door and webhooks are added here when they come.
DOORS: tuple[Callable[[_World], Iterator[Question]], ...] = (_pages, _operations, _jobs)


# Rights that go while work waits

BEGINNINGS = {"CreateChangeSet", "ExecuteChangeSet", "DeleteStack", "CancelUpdateStack", "CreateStack", "UpdateStack"}
MOMENTS = ("queued", "planned", "under way")
KINDS = ("create", "update", "delete")


@dataclass
class Case:
    """One request of one person who loses the right to it at a moment of its life."""

    name: str
    kind: str
    moment: str
    how: str
    person: Any
    deployment: Any = None
    lost_at: float = 0.0

    def lose(self, work: Work) -> None:
        """Once; in whatever thread sees that the moment has come."""
        from django.db import connection

        if self.lost_at:
            return
        self.lost_at = time.time()
        HOWS[self.how](self.person)
        self.lost_at = time.time()
        connection.close()


def _demote(person: Any) -> None:
    type(person).objects.filter(pk=person.pk).update(role="viewer")


def _deactivate(person: Any) -> None:
    type(person).objects.filter(pk=person.pk).update(is_active=False)


def _remove(person: Any) -> None:
    type(person).objects.filter(pk=person.pk).delete()


HOWS: dict[str, Callable[[Any], None]] = {"role": _demote, "account": _deactivate, "existence": _remove}


def revoked(arena: Arena, work: Work, size: Size) -> Result:
    from portal.models import Deployment, User

    cases = []
    for number in range(int(size["times"])):
        kind, moment = KINDS[number % 3], MOMENTS[number // 3 % 3]
        if kind == "delete" and moment == "planned":
            moment = "queued"  # nothing is planned before a stack is deleted
        person = User.objects.create(username=f"leaver-{number}", role="platform", password="!")
        cases.append(Case(f"rev-{number}-", kind, moment, sorted(HOWS)[number % len(HOWS)], person))
    for case in cases:
        if case.kind != "create":
            work.create(case.name)
    work.wait(size["seconds"] / 2)
    by_name = {case.name: case for case in cases}

    def watch(action: str, stack: str, call: Any) -> None:
        case = next((case for name, case in by_name.items() if f"-{name}" in stack), None)
        if case is None or case.deployment is None:
            return
        planned = case.moment == "planned" and action == "CreateChangeSet"
        if planned or (case.moment == "under way" and action in ("ExecuteChangeSet", "DeleteStack")):
            case.lose(work)

    arena.liar.after = watch
    admin = work.admin
    for case in cases:
        work.admin = case.person
        acts: dict[str, Callable[[str], Any]] = {
            "create": work.create,
            "update": partial(work.update, revision=2),
            "delete": work.delete,
        }
        case.deployment = acts[case.kind](case.name).deployment
        if case.moment == "queued":
            case.lose(work)
    work.admin = admin
    left = work.wait(size["seconds"] / 2)
    work.lost_rights.update({case.deployment: case.lost_at for case in cases if case.lost_at})
    ended = {row.pk: row for row in Deployment.objects.filter(pk__in=[case.deployment for case in cases])}
    begun = wrong = 0
    examples = []
    for case in cases:
        calls = [entry for entry in arena.liar.entries if str(case.deployment) in entry.token + entry.change_set]
        calls = [entry for entry in calls if entry.action in BEGINNINGS and not entry.token.endswith("-clean")]
        late = [entry.action for entry in calls if entry.at > case.lost_at and case.lost_at]
        done = any(entry.action in ("ExecuteChangeSet", "DeleteStack") and entry.status < 400 for entry in calls)
        row = ended[case.deployment]
        want = {True: ("SUCCEEDED", "DELETE_COMPLETE"), False: ("FAILED", "DELETE_FAILED")}[done]
        told = done or "who asked for this" in row.status_message
        if len(late) > 1 or "ExecuteChangeSet" in late:
            begun += 1
            examples.append(f"{case.kind} {case.moment}: {late} after the right was lost")
        if row.status not in want or not told:
            wrong += 1
            examples.append(f"{case.kind} {case.moment}: {row.status} {row.status_message[:80]}")
    requests, asked = _sessions(int(size["sessions"]))
    registered, refused = _registrations(int(size["registrations"]), size["seconds"] / 4)
    lost = Counter(case.moment for case in cases if case.lost_at)
    return Result(
        faults={
            **{f"lost_while_{moment.replace(' ', '_')}": lost[moment] for moment in MOMENTS},
            "sessions": asked,
            "registrations_ended": registered + refused,
        },
        harm={
            "begun_without_right": begun,
            "wrong_ends": wrong,
            "requests_without_right": requests,
            "registered_without_right": registered,
            "stuck": left,
        },
        figures={"examples": examples[:8]},
    )


def _sessions(count: int) -> tuple[int, int]:
    """Requests that were answered to people whose session, role or account was gone; and how many were asked."""
    from django.conf import settings
    from django.contrib.sessions.models import Session
    from django.test import Client
    from django.urls import reverse

    from portal.models import User

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    ends: dict[str, Callable[[Any], Any]] = {
        "role": _demote,
        "account": _deactivate,
        "existence": _remove,
        "session": lambda person: Session.objects.all().delete(),
        "password": lambda person: (person.set_password("another one"), person.save()),
    }
    answered = asked = 0
    for number in range(count):
        for name, end in ends.items():
            person = User.objects.create(username=f"visitor-{number}-{name}", role="admin", password="!")
            client = Client()
            client.force_login(person)
            address = reverse("template-new")
            before = client.get(address).status_code
            assert before == 200, before
            end(person)
            asked += 1
            answered += client.get(address).status_code == 200
    return answered, asked


def _registrations(count: int, seconds: float) -> tuple[int, int]:
    """Versions that were registered after whoever sent them was no admin any more; and how many were refused."""
    from portal.actions import registrations
    from portal.models import AuditEvent, TemplateVersion, User
    from tests.factories import rows
    from tests.factories.bundles import environment_files, tar_gz

    sent = {}
    for number in range(count):
        person = User.objects.create(username=f"author-{number}", role="admin", password="!")
        version = registrations.register_version(by=person, template=rows.template(), data=tar_gz(environment_files()))
        _demote(person)
        sent[version.pk] = time.time()
    until = time.monotonic() + seconds
    open_ones = TemplateVersion.objects.filter(pk__in=sent, status="REGISTRATION_IN_PROGRESS")
    while open_ones.exists() and time.monotonic() < until:
        time.sleep(0.2)
    late = 0
    for version in TemplateVersion.objects.filter(pk__in=sent):
        done = AuditEvent.objects.filter(action="template_version.registered", target=version.arn).first()
        late += done is not None and done.at.timestamp() > sent[version.pk]
    return late, TemplateVersion.objects.filter(pk__in=sent, status="REGISTRATION_FAILED").count()


ROWS = [
    Row(
        5,
        "everybody at every door, their own things and others'",
        matrix,
        ("rights",),
        small={"allowed": 1, "seconds": 90},
        full={"allowed": 20, "seconds": 90},
        arena=None,
    ),
    Row(
        31,
        "rights that are taken away while work is queued or waits",
        revoked,
        ("recheck",),
        small={"times": 9, "sessions": 1, "registrations": 1, "seconds": 60},
        full={"times": 360, "sessions": 40, "registrations": 40, "seconds": 900},
        patience=30,
        arena={"seconds": 0.8},
    ),
]
