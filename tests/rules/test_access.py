"""Every address with every role and a stranger. An address that is not in the table fails the test."""

from dataclasses import dataclass

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from portal.actions import accounts, drafts, people
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.models import AccountSettings, TemplateVersion, User
from tests.factories import forges, rows

pytestmark = pytest.mark.django_db

EVERYONE = {"viewer", "outsider", "developer", "platform", "admin"}
DEVELOPERS = {"outsider", "developer", "platform", "admin"}
TEAM = {"developer", "platform", "admin"}
PLATFORM = {"platform", "admin"}
ADMIN = {"admin"}
OWNER = {"developer"}
PIPED = rows.service_files(schema=rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
NOBODY: set[str] = set()
NOT_OFFERED = None  # the address does not take this method

# name of the address: who may GET it, who may POST to it
TABLE = {
    "dashboard": (EVERYONE, NOT_OFFERED),
    "usage-csv": (EVERYONE, NOT_OFFERED),
    "templates": (EVERYONE, NOT_OFFERED),
    "template-new": (ADMIN, ADMIN),
    "template": (EVERYONE, NOT_OFFERED),
    "template-edit": (ADMIN, ADMIN),
    "template-delete": (ADMIN, ADMIN),
    "version-new": (ADMIN, ADMIN),
    "version": (EVERYONE, NOT_OFFERED),
    "version-edit": (ADMIN, ADMIN),
    "version-publish": (ADMIN, ADMIN),
    "version-delete": (ADMIN, ADMIN),
    "version-trust": (ADMIN, ADMIN),
    "environments": (EVERYONE, NOT_OFFERED),
    "environment-new": (PLATFORM, PLATFORM),
    "environment": (EVERYONE, NOT_OFFERED),
    "environment-edit": (PLATFORM, PLATFORM),
    "environment-update": (EVERYONE, PLATFORM),
    "environment-delete": (PLATFORM, PLATFORM),
    "environment-cancel": (NOT_OFFERED, PLATFORM),
    "services": (EVERYONE, NOT_OFFERED),
    "service-new": (DEVELOPERS, DEVELOPERS),
    "service": (EVERYONE, NOT_OFFERED),
    "service-edit": (TEAM, TEAM),
    "service-delete": (TEAM, TEAM),
    "instance": (EVERYONE, NOT_OFFERED),
    "instance-edit": (EVERYONE, NOT_OFFERED),
    "instance-update": (EVERYONE, TEAM),
    "instance-cancel": (NOT_OFFERED, TEAM),
    "pipeline-edit": (EVERYONE, NOT_OFFERED),
    "pipeline-update": (EVERYONE, TEAM),
    "pipeline-cancel": (NOT_OFFERED, TEAM),
    "components": (EVERYONE, NOT_OFFERED),
    "component-new": (DEVELOPERS, DEVELOPERS),
    "component": (EVERYONE, NOT_OFFERED),
    "component-edit": (TEAM, TEAM),
    "component-update": (TEAM, TEAM),
    "component-detach": (NOT_OFFERED, TEAM),
    "component-delete": (TEAM, TEAM),
    "component-cancel": (NOT_OFFERED, TEAM),
    "repositories": (EVERYONE, PLATFORM),
    "repository-new": (PLATFORM, PLATFORM),
    "repository": (EVERYONE, NOT_OFFERED),
    "repository-test": (NOT_OFFERED, PLATFORM),
    "repository-unlink": (NOT_OFFERED, PLATFORM),
    "repository-files": (EVERYONE, NOT_OFFERED),
    "repository-file": (EVERYONE, NOT_OFFERED),
    "repository-pull": (EVERYONE, NOT_OFFERED),
    "repository-pull-merge": (NOT_OFFERED, PLATFORM),
    "repository-pull-close": (NOT_OFFERED, PLATFORM),
    "resources-redeploy": (NOT_OFFERED, PLATFORM),
    "password": (EVERYONE, EVERYONE),
    "secret-names": (PLATFORM, NOT_OFFERED),  # of an environment; developers ask for those of services
    "draft": (OWNER, NOT_OFFERED),
    "draft-details": (OWNER, OWNER),
    "draft-inputs": (OWNER, OWNER),
    "draft-review": (OWNER, NOT_OFFERED),
    "draft-field": (NOT_OFFERED, OWNER),
    "draft-submit": (NOT_OFFERED, OWNER),
    "draft-discard": (NOT_OFFERED, OWNER),
    "deployments": (EVERYONE, NOT_OFFERED),
    "deployment": (EVERYONE, NOT_OFFERED),
    "deployment-log": (EVERYONE, NOT_OFFERED),
    "deployment-cancel": (NOT_OFFERED, TEAM),
    "deployment-retry": (NOT_OFFERED, TEAM),
    "deployment-attention": (NOT_OFFERED, TEAM),
    "pull-requests": (EVERYONE, NOT_OFFERED),
    "pull-requests-confirm": (NOT_OFFERED, EVERYONE),
    "pull-requests-do": (NOT_OFFERED, EVERYONE),
    "accounts": (EVERYONE, PLATFORM),
    "account-edit": (PLATFORM, PLATFORM),
    "connections": (EVERYONE, NOT_OFFERED),
    "connection-new": (PLATFORM, PLATFORM),
    "connection": (EVERYONE, NOT_OFFERED),
    "connection-test": (NOT_OFFERED, PLATFORM),
    "connection-accept": (NOT_OFFERED, PLATFORM),
    "connection-reject": (NOT_OFFERED, PLATFORM),
    "connection-edit": (PLATFORM, PLATFORM),
    "connection-delete": (PLATFORM, PLATFORM),
    "settings": (EVERYONE, NOT_OFFERED),
    "roles": (EVERYONE, ADMIN),
    "settings-components": (EVERYONE, ADMIN),
    "settings-pipelines": (EVERYONE, ADMIN),
    "people": (EVERYONE, NOT_OFFERED),
    "person-new": (ADMIN, ADMIN),
    "person": (EVERYONE, ADMIN),
    "person-totp-reset": (NOT_OFFERED, ADMIN),
    "person-link": (NOT_OFFERED, ADMIN),
    "person-unlink": (NOT_OFFERED, ADMIN),
    "totp": (EVERYONE, NOT_OFFERED),
    "totp-start": (EVERYONE, EVERYONE),
    "totp-confirm": (EVERYONE, EVERYONE),
    "totp-codes": (EVERYONE, EVERYONE),
    "totp-off": (EVERYONE, EVERYONE),
    "teams": (EVERYONE, NOT_OFFERED),
    "team-new": (ADMIN, ADMIN),
    "team": (EVERYONE, ADMIN),
    "team-delete": (NOT_OFFERED, ADMIN),
    "audit": (PLATFORM, NOT_OFFERED),
    "keys": (EVERYONE, NOT_OFFERED),
    "key-new": (NOT_OFFERED, EVERYONE),
    "key-revoke": (NOT_OFFERED, OWNER | ADMIN),
}
PUBLIC = {
    "sign-in",
    "sign-in-code",
    "openid_connect_login",
    "openid_connect_callback",
    "sign-out",
    "health-live",
    "health-ready",
    "metrics",
    "sts",  # signed, no session
    "webhook-github",  # signed, no session
}


def names(patterns: list[URLPattern | URLResolver]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found |= names(pattern.url_patterns)
        elif pattern.name:
            found.add(pattern.name)
    return found


@dataclass
class World:
    """A team's service in an environment, a connection that waits, and one person of each kind."""

    clients: dict[str, Client]
    arguments: dict[str, tuple]
    cast: dict[str, User]

    def address(self, name: str) -> str:
        for prefix in sorted(self.arguments, key=len, reverse=True):
            if name == prefix or name.startswith(prefix + "-"):
                return reverse(name, args=self.arguments[prefix])
        return reverse(name)


@pytest.fixture
def world(simulated, local_forge) -> World:
    return a_world()


def a_world(admin: User | None = None) -> World:
    """Needs the in-memory engine, and the forge of this machine."""
    payments, search = rows.team("payments"), rows.team("search")
    home = rows.environment("home", component_role_arn=rows.COMPONENT_ROLE)
    of = rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])
    cast = {
        "viewer": rows.person("viewer", Role.VIEWER, [payments]),
        "outsider": rows.person("outsider", Role.DEVELOPER, [search]),
        "developer": rows.person("dev", Role.DEVELOPER, [payments]),
        "platform": rows.person("platform", Role.PLATFORM),
        "admin": admin or rows.person("admin", Role.ADMIN),
    }
    service = rows.service("web", by=cast["developer"], of=of, spec=rows.service_spec("home"))
    piped = rows.version(rows.template(TemplateKind.SERVICE), files=PIPED, compatible=[home.template])
    rows.service("delivered", by=cast["developer"], of=piped, spec=rows.service_spec("home"))
    TemplateVersion.objects.filter(pk=of.pk).update(supported_component_sources=["DIRECTLY_DEFINED"])
    accounts.update_settings(by=cast["admin"], developers_use_components=True)
    rows.component("bucket", by=cast["developer"], service_name="web", instance_name="dev")
    repository = ("GITHUB", "acme", "infra")
    pull = forges.pull_request(service.instances.get().latest, forges.repository(cast["platform"]))
    draft = drafts.start(by=cast["developer"], template=of.template, version=of)
    key, _ = people.create_access_key(by=cast["developer"], user=cast["developer"])
    clients = {"stranger": Client()}
    for name, person in cast.items():
        clients[name] = Client()
        clients[name].force_login(person)
    return World(
        clients,
        {
            "template": ("ENVIRONMENT", home.template.name),
            "template-new": (),
            "version": ("ENVIRONMENT", home.template.name, 1, 0),
            "version-new": ("ENVIRONMENT", home.template.name),
            "environment": ("home",),
            "environment-new": (),
            "service": ("web",),
            "service-new": (),
            "instance": ("web", "dev"),
            "pipeline": ("delivered",),
            "component": ("bucket",),
            "component-new": (),
            "draft": (draft.pk,),
            "repository": repository,
            "repository-new": (),
            "repository-file": (*repository, "README.md"),
            "repository-pull": (*repository, pull.number),
            "deployment": (service.instances.get().latest_id,),
            "account-edit": ("123456789012",),
            "connection": (rows.connection("other", status="PENDING", role_arn="").pk,),
            "connection-new": (),
            "person": ("viewer",),
            "person-new": (),
            "team": ("search",),
            "team-new": (),
            "key-new": (),
            "key-revoke": (key.pk,),
        },
        cast,
    )


def verdict(status: int) -> str:
    if status in (403, 404):
        return "refused"
    if status == 405:
        return "not offered"
    return "broken" if status >= 500 else "allowed"


def expected(allowed: set[str] | None, who: str) -> str:
    if allowed is None:
        return "not offered"
    return "allowed" if who in allowed else "refused"


def test_every_address_is_in_the_table():
    from portal.urls import urlpatterns

    assert names(get_resolver().url_patterns) == set(TABLE) | PUBLIC
    assert len(urlpatterns) > 0


def asked(world: World, method: str, column: int) -> tuple[dict, dict]:
    """What every address said to everybody, and what the table says; each request is undone."""
    found, wanted = {}, {}
    for name, allowed in TABLE.items():
        for who in sorted(EVERYONE):
            with transaction.atomic():
                found[name, who] = verdict(getattr(world.clients[who], method)(world.address(name)).status_code)
                transaction.set_rollback(True)
            wanted[name, who] = expected(allowed[column], who)
    return found, wanted


def test_every_page_opens_for_whom_the_table_names_and_nobody_else(world):
    found, wanted = asked(world, "get", 0)
    assert found == wanted


def test_every_action_is_for_whom_the_table_names_and_nobody_else(world):
    found, wanted = asked(world, "post", 1)
    assert found == wanted


def test_a_stranger_is_sent_to_sign_in_from_everywhere(world):
    found = {
        (name, method): getattr(world.clients["stranger"], method)(world.address(name)).headers.get("Location", "")
        for name in TABLE
        for method in ("get", "post")
    }
    assert {key: place.partition("?")[0] for key, place in found.items()} == dict.fromkeys(found, reverse("sign-in"))


def test_components_are_closed_to_developers_until_an_admin_opens_them(world):
    AccountSettings.objects.update(developers_use_components=False)
    names = [name for name, (get, _) in TABLE.items() if name.startswith("component-") and get is not None]
    found = {who: {world.clients[who].get(world.address(name)).status_code for name in names} for who in EVERYONE}
    assert found == {"viewer": {403}, "outsider": {403}, "developer": {403}, "platform": {200}, "admin": {200}}


def test_drafts_are_invisible_to_those_who_may_not_use_them(world):
    draft = rows.version(rows.template(name="secret"), status=TemplateVersionStatus.DRAFT)
    address = reverse("version", args=("ENVIRONMENT", "secret", draft.major, draft.minor))
    found = {who: world.clients[who].get(address).status_code for who in sorted(EVERYONE)}
    assert found == {"admin": 200, "developer": 404, "outsider": 404, "platform": 200, "viewer": 404}
