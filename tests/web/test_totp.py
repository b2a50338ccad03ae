"""Authenticator apps: setting one up, signing in with it, and getting rid of it."""

import base64
import re
import time

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.management import CommandError, call_command
from django.test import Client

from portal.actions import totp
from portal.enums import Role
from portal.models import AuditEvent, RecoveryCode, Totp
from tests.factories import rows

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"
HALF_WAY = "/sign-in/code/"


def code(secret: str, steps: int = 0) -> str:
    """What an app shows now, or so many steps of 30 seconds from now."""
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(time.time() + 30 * steps).decode()


@pytest.fixture
def maria(client):
    person = rows.person("maria", Role.ADMIN)
    client.force_login(person)
    return person


def set_up(client: Client) -> tuple[str, list[str]]:
    """The way of the pages: the secret, and the recovery codes."""
    assert client.post("/settings/totp/start/", {"password": PASSWORD})["Location"] == "/settings/totp/confirm/"
    secret = client.get("/settings/totp/confirm/").context["secret"]
    answer = client.post("/settings/totp/confirm/", {"code": code(secret, -1)})
    assert answer.status_code == 200
    return secret, answer.context["codes"]


def half_way(client: Client, wanted: str = "") -> None:
    answer = client.post("/sign-in/", {"username": "maria", "password": PASSWORD, "next": wanted})
    assert answer["Location"] == HALF_WAY


def is_in(client: Client) -> bool:
    return client.get("/settings/").status_code == 200


def test_it_is_asked_for_after_the_password_and_nothing_opens_before(client, maria):
    secret, _ = set_up(client)
    fresh = Client()
    half_way(fresh, "/services/")
    assert (is_in(fresh), fresh.get(HALF_WAY).status_code) == (False, 200)
    answer = fresh.post(HALF_WAY, {"code": code(secret)})
    assert (answer["Location"], is_in(fresh)) == ("/services/", True)
    assert AuditEvent.objects.filter(action="user.sign_in").values_list("detail__method", flat=True).get() == (
        "password and totp"
    )


def test_a_code_opens_once_and_older_ones_never(client, maria):
    secret, _ = set_up(client)
    first, second = Client(), Client()
    for one in (first, second):
        half_way(one)
    now = code(secret)
    first.post(HALF_WAY, {"code": now})
    answer = second.post(HALF_WAY, {"code": now})
    assert (is_in(first), is_in(second), answer.status_code) == (True, False, 422)
    assert second.post(HALF_WAY, {"code": code(secret, -1)}).status_code == 422
    assert second.post(HALF_WAY, {"code": code(secret, 1)}).status_code == 302


@pytest.mark.parametrize("wrong", ["", "12345", "1234567", "abcdef", "000000", "٠١٢٣٤٥"])
def test_what_is_no_code_opens_nothing(client, maria, wrong):
    set_up(client)
    fresh = Client()
    half_way(fresh)
    assert (fresh.post(HALF_WAY, {"code": wrong}).status_code, is_in(fresh)) == (422, False)


def test_a_recovery_code_opens_once(client, maria):
    _, codes = set_up(client)
    assert (len(set(codes)), RecoveryCode.objects.count()) == (10, 10)
    for typed, status in ((codes[0].lower(), 302), (codes[0], 422), (codes[1].replace("-", ""), 302)):
        fresh = Client()
        half_way(fresh)
        assert fresh.post(HALF_WAY, {"code": typed}).status_code == status
    assert totp.codes_left(maria) == 8
    assert codes[2] not in str(RecoveryCode.objects.values_list("digest", flat=True))


def test_new_recovery_codes_take_the_old_ones_away(client, maria):
    _, codes = set_up(client)
    answer = client.post("/settings/totp/codes/", {"password": PASSWORD})
    assert "no-store" in answer["Cache-Control"]
    fresh = Client()
    half_way(fresh)
    assert fresh.post(HALF_WAY, {"code": codes[0]}).status_code == 422
    assert fresh.post(HALF_WAY, {"code": answer.context["codes"][0]}).status_code == 302


def test_the_secret_is_encrypted_and_shown_only_while_it_is_set_up(client, maria):
    secret, _ = set_up(client)
    row = Totp.objects.get()
    assert secret not in row.secret
    assert client.get("/settings/totp/confirm/")["Location"] == "/settings/totp/"
    assert secret not in client.get("/settings/totp/").content.decode()


def test_the_picture_says_what_the_text_says(client, maria):
    client.post("/settings/totp/start/", {"password": PASSWORD})
    answer = client.get("/settings/totp/confirm/")
    secret = answer.context["secret"]
    assert answer.context["picture"].startswith("data:image/svg+xml")
    assert totp.address_of(Totp.objects.get()) == (
        f"otpauth://totp/Deuteron:maria?digits=6&secret={secret}&algorithm=SHA1&issuer=Deuteron&period=30"
    )
    assert "no-store" in answer["Cache-Control"]


def test_setting_up_needs_the_password_and_the_first_code(client, maria):
    assert client.post("/settings/totp/start/", {"password": "guess"}).status_code == 422
    assert client.get("/settings/totp/confirm/")["Location"] == "/settings/totp/"
    client.post("/settings/totp/start/", {"password": PASSWORD})
    assert client.post("/settings/totp/confirm/", {"code": "000000"}).status_code == 422
    assert totp.enabled(maria) is False


def test_sessions_elsewhere_end_when_it_is_turned_on_or_off(client, maria):
    elsewhere = Client()
    elsewhere.force_login(maria)
    set_up(client)
    assert (is_in(client), is_in(elsewhere)) == (True, False)
    maria.refresh_from_db()
    elsewhere.force_login(maria)
    assert client.post("/settings/totp/off/", {"password": "guess"}).status_code == 422
    assert client.post("/settings/totp/off/", {"password": PASSWORD})["Location"] == "/settings/totp/"
    assert (is_in(client), is_in(elsewhere), totp.enabled(maria)) == (True, False, False)
    assert RecoveryCode.objects.count() == 0


def test_an_admin_resets_it_and_that_is_recorded(client, maria):
    set_up(client)
    boss = rows.person("boss")
    admins = Client()
    admins.force_login(boss)
    assert "Reset the authenticator app" in admins.get("/settings/people/maria/").content.decode()
    admins.post("/settings/people/maria/totp/reset/")
    assert (is_in(client), totp.enabled(maria)) == (False, False)
    event = AuditEvent.objects.get(action="totp.reset")
    assert (event.actor_name, event.target) == ("boss", "user/maria")


def test_a_command_resets_it_when_no_admin_gets_in(client, maria, capsys):
    set_up(client)
    call_command("reset_totp", "maria")
    assert capsys.readouterr().out == "maria signs in with the password alone\n"
    assert totp.enabled(maria) is False
    assert AuditEvent.objects.get(action="totp.reset").actor_name == "system"
    with pytest.raises(CommandError, match="nobody does not exist"):
        call_command("reset_totp", "nobody")


def test_the_half_way_ends_with_time_and_with_a_new_password(client, maria):
    secret, _ = set_up(client)
    late, changed = Client(), Client()
    half_way(late)
    half_way(changed)
    session = late.session
    session["password_was_right"] = {**session["password_was_right"], "at": time.time() - 301}
    session.save()
    assert late.post(HALF_WAY, {"code": code(secret)})["Location"] == "/sign-in/"
    maria.set_password("battery staple")
    maria.save()
    assert changed.post(HALF_WAY, {"code": code(secret)})["Location"] == "/sign-in/"
    assert Client().get(HALF_WAY)["Location"] == "/sign-in/"


def test_codes_are_guessed_as_seldom_as_passwords(client, maria):
    secret, _ = set_up(client)
    fresh = Client()
    half_way(fresh)
    found = [fresh.post(HALF_WAY, {"code": "000000"}).status_code for _ in range(6)]
    assert found == [422] * 5 + [429]
    assert (fresh.post(HALF_WAY, {"code": code(secret)}).status_code, is_in(fresh)) == (429, False)


def test_a_role_that_requires_it_is_led_there_from_everywhere(client, settings):
    settings.REQUIRE_TOTP_FOR = ["admin", "platform"]
    rows.person("maria", Role.ADMIN)
    client.post("/sign-in/", {"username": "maria", "password": PASSWORD})
    for path in ("/", "/services/", "/settings/people/new/", "/settings/keys/"):
        assert client.get(path)["Location"] == "/settings/totp/"
    assert client.post("/settings/keys/new/")["Location"] == "/settings/totp/"
    assert "Your role requires it" in client.get("/settings/totp/").content.decode()
    set_up(client)
    assert client.get("/services/").status_code == 200
    assert client.post("/settings/totp/off/", {"password": PASSWORD}).status_code == 422
    viewer = Client()
    viewer.force_login(rows.person("viewer", Role.VIEWER))
    assert viewer.get("/services/").status_code == 200


def test_who_signs_in_elsewhere_needs_none_here(client):
    person = rows.person("maria", Role.DEVELOPER)
    person.set_unusable_password()
    person.save()
    client.force_login(person)
    text = client.get("/settings/totp/").content.decode()
    assert ("you sign in at your identity provider" in text, "Set it up" in text) == (True, False)
    assert "Change the password" not in re.sub(r"\s+", " ", client.get("/settings/").content.decode())
