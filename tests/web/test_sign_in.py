"""Coming in, going out, and what machines ask."""

import os
import secrets
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.urls import reverse

from portal.actions import people
from portal.enums import Role
from portal.models import User
from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in_and_back_to_the_page_that_was_wanted(client):
    rows.person("maria")
    response = client.get("/templates/?q=vpc")
    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/templates/%3Fq%3Dvpc")
    response = client.post(
        response["Location"], {"username": "maria", "password": "correct horse", "next": "/templates/?q=vpc"}
    )
    assert (response.status_code, response["Location"]) == (302, "/templates/?q=vpc")


def test_a_wrong_password_answers_422_and_keeps_the_name(client):
    rows.person("maria")
    response = client.post("/sign-in/", {"username": "maria", "password": "guess"})
    assert response.status_code == 422
    assert 'value="maria"' in response.content.decode()
    assert "guess" not in response.content.decode()


def test_a_part_that_polls_after_its_session_ended_takes_the_whole_page_to_sign_in(client):
    response = client.get(
        "/templates/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/templates/environment/vpc/"},
        follow=True,
    )
    assert response["HX-Redirect"] == "/sign-in/?next=%2Ftemplates%2Fenvironment%2Fvpc%2F"


def test_signing_out_takes_a_post(client):
    client.force_login(rows.person())
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == reverse("sign-in")
    assert client.get("/").status_code == 302


def test_the_demo_people_are_named_only_in_the_demo(client, settings):
    settings.EMBEDDED = False
    assert "password is the name" not in client.get("/sign-in/").content.decode()
    settings.EMBEDDED = True
    assert "password is the name" in client.get("/sign-in/").content.decode()


def test_health_needs_no_sign_in_and_degraded_parts_do_not_fail_it(client, settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    assert client.get("/healthz/live").content == b"ok\n"
    response = client.get("/healthz/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert response.json()["blockers"] == {}
    assert "broker" in response.json()["degraded"]


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("true", {"admin": 302, "platform": 302, "viewer": 302}),
        ("admins", {"admin": 302, "platform": 422, "viewer": 422}),
        ("false", {"admin": 422, "platform": 422, "viewer": 422}),
    ],
)
def test_who_may_come_in_with_a_password(settings, setting, found):
    settings.LOCAL_SIGN_IN = setting
    for role in found:
        rows.person(role, role)
    answers = {
        role: Client().post("/sign-in/", {"username": role, "password": "correct horse"}).status_code for role in found
    }
    assert answers == found


@pytest.mark.parametrize("change", [{"role": Role.PLATFORM}, {"is_active": False}])
def test_a_new_role_or_losing_access_ends_every_session_for_good(client, change):
    admin, maria = rows.person("boss"), rows.person("maria", Role.VIEWER)
    client.force_login(maria)
    before = {name: getattr(maria, name) for name in change}
    people.update_user(by=admin, user=maria, **change)
    assert client.get("/").status_code == 302
    people.update_user(by=admin, user=maria, **before)
    assert client.get("/").status_code == 302


def test_a_change_of_teams_ends_no_session(client):
    admin, maria = rows.person("boss"), rows.person("maria", Role.VIEWER)
    client.force_login(maria)
    people.update_user(by=admin, user=maria, role=Role.VIEWER, teams=[rows.team()], is_active=True)
    assert client.get("/").status_code == 200


def test_a_role_that_was_changed_past_the_portal_ends_sessions_as_well(client):
    maria = rows.person("maria", Role.ADMIN)
    client.force_login(maria)
    User.objects.filter(pk=maria.pk).update(role=Role.VIEWER)
    assert client.get("/").status_code == 302


def test_sessions_go_on_under_a_new_secret_key_while_the_old_one_is_a_fallback(client, settings):
    client.force_login(rows.person())
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another " * 10, [old]
    assert client.get("/").status_code == 200
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a third one " * 10, []
    assert client.get("/").status_code == 302


def of_a_server(url: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What settings of a server say of cookies."""
    script = (
        "from django.conf import settings as s;"
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.CSRF_COOKIE_HTTPONLY, s.SESSION_COOKIE_PATH, s.SESSION_COOKIE_DOMAIN, s.SESSION_COOKIE_AGE)"
    )
    env = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PORTAL_PUBLIC_URL": url,
        **env,
    }
    return subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)


def test_cookies_are_bound_to_the_host_where_the_address_is_https():
    strict = of_a_server("https://portal.example.com", SESSION_HOURS="8").stdout.split()
    assert strict == ["__Host-sessionid", "__Host-csrftoken", "True", "True", "True", "/", "None", "28800"]
    plain = of_a_server("http://127.0.0.1:8000").stdout.split()
    assert plain == ["sessionid", "csrftoken", "False", "True", "True", "/", "None", "86400"]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"LOCAL_SIGN_IN": "false"}, "leaves no way in"),
        ({"LOCAL_SIGN_IN": "perhaps"}, "say true, admins or false"),
        ({"REQUIRE_TOTP_FOR": "admin,boss"}, "REQUIRE_TOTP_FOR names boss"),
        ({"TRUSTED_PROXIES": "proxy.example.com"}, "which is no address or network"),
        ({"OIDC_ISSUER": "http://id.example.com"}, "must begin with https://"),
        ({"OIDC_ISSUER": "https://id.example.com", "OIDC_ADMIN_GROUPS": "ops"}, "OIDC_CLIENT_SECRET"),
        (
            {"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"},
            "needs groups that give a role",
        ),
    ],
)
def test_a_server_does_not_start_with_settings_that_shut_everybody_out_or_let_anybody_in(env, said):
    assert said in of_a_server("https://portal.example.com", **env).stderr
