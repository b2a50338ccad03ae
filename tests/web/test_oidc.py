"""Signing in at a real OpenID Connect provider, through the redirects that a browser follows."""

import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from portal.actions import identities, people
from portal.enums import Role
from portal.errors import Conflict, Forbidden
from portal.models import AuditEvent, ExternalIdentity, User
from tests.aws import free_port
from tests.factories import rows

pytestmark = pytest.mark.django_db
START = "/sign-in/oidc/"


@pytest.fixture(scope="module")
def issuer():
    """A provider in a process of its own. It takes any client, and asks who one wants to be."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                requests.get(f"{address}/.well-known/openid-configuration", timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def provider(issuer, settings):
    settings.OIDC_ISSUER = issuer
    settings.OIDC_CLIENT_ID = "portal"
    settings.OIDC_CLIENT_SECRET = "a client secret"
    settings.OIDC_NAME = "Example Login"
    settings.OIDC_ADMIN_GROUPS = ["ops"]
    settings.OIDC_DEVELOPER_GROUPS = ["dev", "contractors"]
    return issuer


def is_known_as(provider: str, subject: str, **claims) -> None:
    requests.put(f"{provider}/users/{subject}", json=claims, timeout=5).raise_for_status()


def answer_of(provider: str, client: Client, subject: str, path: str = START) -> str:
    """Go to the provider, be ``subject`` there, and come back with this address."""
    there = client.get(path)["Location"]
    assert there.startswith(provider)
    back = requests.post(there, data={"sub": subject}, timeout=5, allow_redirects=False)
    return back.headers["Location"].removeprefix("http://testserver")


def sign_in(provider: str, client: Client, subject: str, path: str = START):
    return client.get(answer_of(provider, client, subject, path))


def who(client: Client) -> str:
    context = client.get("/settings/").context
    return context["user"].username if context else ""


def test_a_stranger_with_a_group_becomes_a_person_with_its_role_and_teams(provider, client, settings):
    settings.OIDC_TEAM_PREFIX = "team-"
    payments = rows.team("payments")
    groups = ["dev", "team-payments", "team-nowhere", "payments"]
    is_known_as(provider, "s-1", preferred_username="maria", email="maria@example.com", groups=groups)
    answer = sign_in(provider, client, "s-1", f"{START}?next=/services/")
    assert (answer.status_code, answer["Location"]) == (302, "/services/")
    maria = User.objects.get()
    assert (maria.username, maria.role, list(maria.teams.all())) == ("maria", Role.DEVELOPER, [payments])
    assert (maria.email, maria.has_usable_password(), who(client)) == ("maria@example.com", False, "maria")
    assert list(AuditEvent.objects.order_by("id").values_list("action", "target")) == [
        ("user.create", "user/maria"),
        ("user.sign_in", "user/maria"),
    ]


def test_groups_decide_anew_at_every_sign_in(provider, client, settings):
    settings.OIDC_TEAM_PREFIX = "team-"
    rows.team("payments")
    is_known_as(provider, "s-2", preferred_username="maria", groups=["ops"])
    sign_in(provider, client, "s-2")
    first = User.objects.get()
    is_known_as(provider, "s-2", preferred_username="renamed", groups=["contractors", "team-payments"])
    other = Client()
    sign_in(provider, other, "s-2")
    now = User.objects.get()
    assert (first.role, now.pk, now.role, now.username) == (Role.ADMIN, first.pk, Role.DEVELOPER, "maria")
    assert [team.name for team in now.teams.all()] == ["payments"]
    assert (who(client), who(other)) == ("", "maria")  # the session with the old role has ended


def test_who_lost_all_groups_is_shut_out_until_they_come_back(provider, client):
    is_known_as(provider, "s-3", preferred_username="maria", groups=["dev"])
    sign_in(provider, client, "s-3")
    is_known_as(provider, "s-3", preferred_username="maria", groups=["canteen"])
    answer = sign_in(provider, Client(), "s-3")
    assert (answer.status_code, "None of your groups at Example Login" in answer.content.decode()) == (403, True)
    assert (User.objects.get().is_active, who(client)) == (False, "")
    is_known_as(provider, "s-3", preferred_username="maria", groups=["dev"])
    again = Client()
    sign_in(provider, again, "s-3")
    assert (User.objects.get().is_active, who(again), who(client)) == (True, "maria", "")


def test_no_group_takes_back_what_an_admin_took(provider, client):
    admin = rows.person("boss")
    is_known_as(provider, "s-4", preferred_username="maria", groups=["dev"])
    sign_in(provider, client, "s-4")
    people.update_user(by=admin, user=User.objects.get(username="maria"), is_active=False)
    answer = sign_in(provider, Client(), "s-4")
    assert (answer.status_code, "You are shut out" in answer.content.decode()) == (403, True)
    assert User.objects.get(username="maria").is_active is False


def test_a_stranger_without_a_group_becomes_nobody(provider, client):
    is_known_as(provider, "s-5", preferred_username="maria")
    assert sign_in(provider, client, "s-5").status_code == 403
    assert (User.objects.count(), who(client)) == (0, "")


def test_a_name_or_an_address_is_no_proof_of_being_somebody(provider, client):
    rows.person("maria", Role.ADMIN, email="maria@example.com")
    is_known_as(
        provider, "s-6", preferred_username="maria", email="maria@example.com", email_verified=True, groups=["ops"]
    )
    answer = sign_in(provider, client, "s-6")
    assert (answer.status_code, "does not take a name for a proof" in answer.content.decode()) == (403, True)
    assert (who(client), ExternalIdentity.objects.count()) == ("", 0)
    is_known_as(provider, "s-7", preferred_username="other", email="maria@example.com", groups=["dev"])
    sign_in(provider, client, "s-7")
    assert (who(client), User.objects.count()) == ("other", 2)


def test_an_admin_links_and_unlinks(provider, client):
    boss, maria = rows.person("boss"), rows.person("maria", Role.VIEWER)
    client.force_login(boss)
    client.post("/settings/people/maria/link/", {"subject": "s-8"})
    is_known_as(provider, "s-8", preferred_username="anything", groups=["dev"])
    hers = Client()
    sign_in(provider, hers, "s-8")
    maria.refresh_from_db()
    assert (who(hers), maria.role) == ("maria", Role.DEVELOPER)
    client.post("/settings/people/maria/unlink/")
    assert (who(hers), ExternalIdentity.objects.count()) == ("", 0)


def test_nobody_links_their_own_page_by_asking_the_provider_for_it(provider, client):
    client.force_login(rows.person("maria", Role.VIEWER))
    is_known_as(provider, "s-13", preferred_username="mallory", groups=["ops"])
    sign_in(provider, client, "s-13", f"{START}?process=connect")
    assert (who(client), ExternalIdentity.objects.get().user.username) == ("mallory", "mallory")


def test_a_person_whose_groups_are_gone_comes_back_with_them_after_an_admin_only_changed_teams(provider, client):
    boss, payments = rows.person("boss"), rows.team("payments")
    is_known_as(provider, "s-14", preferred_username="maria", groups=["dev"])
    sign_in(provider, client, "s-14")
    is_known_as(provider, "s-14", preferred_username="maria", groups=[])
    sign_in(provider, client, "s-14")
    people.update_user(by=boss, user=User.objects.get(username="maria"), teams=[payments], is_active=False)
    is_known_as(provider, "s-14", preferred_username="maria", groups=["dev"])
    sign_in(provider, client, "s-14")
    maria = User.objects.get(username="maria")
    assert (who(client), list(maria.teams.all())) == ("maria", [payments])


def test_one_subject_is_one_person_and_only_admins_link(provider):
    boss, maria = rows.person("boss"), rows.person("maria", Role.PLATFORM)
    identities.link(by=boss, user=maria, subject="s-9")
    with pytest.raises(Conflict, match="Somebody else is linked"):
        identities.link(by=boss, user=boss, subject="s-9")
    with pytest.raises(Forbidden, match="Ask an admin"):
        identities.link(by=maria, user=maria, subject="s-10")


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(provider, client):
    is_known_as(provider, "s-11", preferred_username="maria", groups=["dev"])
    answer = answer_of(provider, client, "s-11")
    stolen = Client().get(answer)
    assert (stolen.status_code, "Begin again" in stolen.content.decode()) == (403, True)
    assert client.get(answer).status_code == 302
    assert Client().get(answer).status_code == 403


def test_the_code_is_bound_to_the_browser_by_pkce(provider, client):
    asked = parse_qs(urlsplit(client.get(START)["Location"]).query)
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    assert sorted(asked["scope"][0].split()) == ["email", "openid", "profile"]


def test_leaving_the_provider_is_a_page_of_ours(provider, client):
    state = parse_qs(urlsplit(client.get(START)["Location"]).query)["state"][0]
    answer = client.get(f"{START}callback/", {"state": state, "error": "access_denied"})
    assert (answer.status_code, "left without signing in" in answer.content.decode()) == (403, True)


@pytest.mark.parametrize("wanted", ["https://evil.example.com/", "//evil.example.com", "javascript:alert(1)"])
def test_afterwards_nobody_is_sent_elsewhere(provider, client, wanted):
    is_known_as(provider, "s-12", preferred_username="maria", groups=["dev"])
    answer = sign_in(provider, client, "s-12", f"{START}?next={wanted}")
    assert answer["Location"] == "/"


def test_a_provider_that_is_down_is_said(client, settings, provider):
    settings.OIDC_ISSUER = f"http://127.0.0.1:{free_port()}"
    answer = client.get(START)
    assert (answer.status_code, "Example Login does not answer" in answer.content.decode()) == (503, True)


def test_without_a_provider_there_is_no_button_and_no_address(client):
    assert "/sign-in/oidc/" not in client.get("/sign-in/").content.decode()
    assert (client.get(START).status_code, client.get(f"{START}callback/").status_code) == (404, 404)


def test_the_sign_in_page_leads_to_the_provider_and_on_to_what_was_wanted(client, provider):
    text = client.get("/sign-in/?next=/services/").content.decode()
    assert 'href="/sign-in/oidc/?next=%2Fservices%2F"' in text
    assert "Sign in with Example Login" in text


@pytest.mark.parametrize(
    ("id_token", "userinfo", "said"),
    [
        ({"iss": "https://other.example.com", "sub": "a"}, {}, "Somebody else"),
        ({"iss": "https://id.example.com", "sub": "a"}, {"sub": "b"}, "did not say who you are"),
        ({"iss": "https://id.example.com", "sub": ""}, {}, "did not say who you are"),
        ({"iss": "https://id.example.com", "sub": "a\0"}, {}, "did not say who you are"),
        ({}, {"sub": "a"}, "Somebody else"),
    ],
)
def test_claims_of_another_issuer_or_of_two_people_are_refused(settings, id_token, userinfo, said):
    settings.OIDC_ISSUER = "https://id.example.com/"
    with pytest.raises(Forbidden, match=said):
        identities.read_claims(id_token=id_token, userinfo=userinfo)


@pytest.mark.parametrize("path", ["login/", "signup/", "email/", "password/reset/", "3rdparty/", "3rdparty/signup/"])
@pytest.mark.parametrize("prefix", ["/", "/accounts/", "/sign-in/", "/sign-in/oidc/"])
def test_nothing_else_of_allauth_can_be_reached(client, provider, prefix, path):
    client.force_login(rows.person())
    assert client.get(prefix + path).status_code == 404
