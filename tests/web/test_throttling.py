"""Guessing passwords: who must wait, for how long, and what that tells."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.actions import sign_in
from portal.enums import Role
from portal.models import AuditEvent, SignInThrottle
from portal.web.addresses import client_address
from tests.factories import rows

pytestmark = pytest.mark.django_db


def attempt(client: Client, name: str, password: str = "guess", **extra):
    return client.post("/sign-in/", {"username": name, "password": password}, **extra)


def let_time_pass(**by) -> None:
    for row in SignInThrottle.objects.all():
        row.last_at -= timedelta(**by)
        row.blocked_until = row.blocked_until and row.blocked_until - timedelta(**by)
        row.save()


def statuses(client: Client, name: str, count: int) -> list[int]:
    return [attempt(client, name).status_code for _ in range(count)]


def test_after_five_wrong_passwords_even_the_right_one_waits(client):
    rows.person("maria")
    assert statuses(client, "maria", 6) == [422] * 5 + [429]
    answer = attempt(client, "maria", "correct horse")
    assert (answer.status_code, client.get("/").status_code) == (429, 302)
    assert 25 <= int(answer["Retry-After"]) <= 30
    assert f"Wait {answer['Retry-After']} seconds" in answer.content.decode()
    let_time_pass(seconds=31)
    assert attempt(client, "maria", "correct horse").status_code == 302


def test_each_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour():
    limit = sign_in.LIMITS["account"]
    waits = [int(limit.wait(failures).total_seconds()) for failures in (4, 5, 6, 7, 9, 10, 500)]
    assert waits == [0, 30, 60, 120, 480, 900, 900]


def test_the_count_is_forgotten_after_an_hour_and_with_the_right_password(client):
    rows.person("maria")
    statuses(client, "maria", 4)
    let_time_pass(hours=2)
    assert statuses(client, "maria", 4) == [422] * 4
    assert attempt(client, "maria", "correct horse").status_code == 302
    assert statuses(Client(), "maria", 5) == [422] * 5


def test_unknown_and_shut_out_names_are_answered_like_known_ones(client):
    rows.person("maria")
    rows.person("former", is_active=False)
    found = {}
    for name, password in (("maria", "guess"), ("nobody", "guess"), ("former", "correct horse")):
        answers = [attempt(Client(), name, password) for _ in range(6)]
        said = re.sub(r"\b[A-Za-z0-9]{64}\b", "TOKEN", answers[0].content.decode()).replace(name, "NAME")
        found[name] = ([answer.status_code for answer in answers], said)
    assert found["maria"] == found["nobody"] == found["former"]


def test_every_name_costs_one_hash_so_that_time_tells_nothing(client, monkeypatch):
    rows.person("maria")
    rows.person("former", is_active=False)
    elsewhere = rows.person("elsewhere")
    elsewhere.set_unusable_password()
    elsewhere.save()
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))
    found = {}
    for name in ("maria", "former", "elsewhere", "nobody"):
        attempt(client, name)
        found[name] = len(hashed)
        hashed.clear()
    assert found == {"maria": 1, "former": 1, "elsewhere": 1, "nobody": 1}


@pytest.mark.django_db(transaction=True)
def test_tries_side_by_side_do_not_outrun_the_count():
    def one(_: int) -> bool:
        try:
            sign_in.take_try(account="maria", address="192.0.2.7")
        except sign_in.MustWait:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(24))) == 5


def test_one_name_written_in_many_ways_is_one_account(client):
    rows.person("maria")
    spellings = ["maria", "MARIA", " maria ", "ｍａｒｉａ", "Maria", "maria"]
    assert [attempt(client, name).status_code for name in spellings] == [422] * 5 + [429]


def test_a_name_that_no_database_takes_is_counted_like_any_other(client):
    assert statuses(client, "a\0b", 6) == [422] * 5 + [429]


def test_addresses_of_one_ipv6_network_are_one(client, monkeypatch):
    few = sign_in.Limit(3, timedelta(minutes=1), timedelta(minutes=15), timedelta(minutes=15))
    monkeypatch.setitem(sign_in.LIMITS, "address", few)
    sources = ["2001:db8::1", "2001:db8::2", "2001:db8::3:4", "2001:db8::5", "2001:db8:0:1::1"]
    found = [attempt(client, f"name{at}", REMOTE_ADDR=source).status_code for at, source in enumerate(sources)]
    assert found == [422, 422, 422, 429, 422]


def test_one_address_that_tries_many_names_waits(client, monkeypatch):
    few = sign_in.Limit(3, timedelta(minutes=1), timedelta(minutes=15), timedelta(minutes=15))
    monkeypatch.setitem(sign_in.LIMITS, "address", few)
    rows.person("maria")
    for name in ("a", "b", "c"):
        assert attempt(client, name).status_code == 422
    assert attempt(client, "maria", "correct horse").status_code == 429
    assert attempt(client, "maria", "correct horse", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_right_passwords_cost_an_address_nothing(client, monkeypatch):
    few = sign_in.Limit(3, timedelta(minutes=1), timedelta(minutes=15), timedelta(minutes=15))
    monkeypatch.setitem(sign_in.LIMITS, "address", few)
    rows.person("maria")
    assert [attempt(Client(), "maria", "correct horse").status_code for _ in range(6)] == [302] * 6


def test_a_block_is_recorded_without_what_was_typed_unless_it_is_a_person(client):
    rows.person("maria")
    statuses(client, "maria", 5)
    statuses(client, "my secret password", 5)
    events = AuditEvent.objects.filter(action="sign_in.block").order_by("id")
    assert [(event.target, event.detail) for event in events] == [
        ("user/maria", {"why": "account", "address": "127.0.0.1", "seconds": 30}),
        ("user/-", {"why": "account", "address": "127.0.0.1", "seconds": 30}),
    ]
    assert "secret" not in str(list(SignInThrottle.objects.values_list("key", flat=True)))


def test_old_counts_go_by_themselves(client):
    rows.person("maria")
    statuses(client, "somebody", 1)
    SignInThrottle.objects.update(last_at=timezone.now() - timedelta(days=2))
    attempt(client, "maria", "correct horse", REMOTE_ADDR="192.0.2.7")
    assert SignInThrottle.objects.filter(key__startswith="account").count() == 0


def test_passwords_cannot_be_guessed_in_a_stolen_session_either(client):
    maria = rows.person("maria", Role.VIEWER)
    client.force_login(maria)
    found = [client.post("/settings/totp/start/", {"password": "guess"}).status_code for _ in range(6)]
    assert found == [422] * 5 + [429]
    wrong = {"old": "correct horse", "new": "battery staple", "again": "battery staple"}
    assert client.post("/settings/password/", wrong).status_code == 422
    maria.refresh_from_db()
    assert maria.check_password("correct horse")


@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "expected"),
    [
        ("192.0.2.1", "", [], "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", [], "192.0.2.1"),
        ("10.0.0.5", "203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.5", "203.0.113.9, 10.0.0.6", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.5", "nonsense", ["10.0.0.0/8"], "10.0.0.5"),
        ("10.0.0.5", "", ["10.0.0.0/8"], "10.0.0.5"),
        ("::1", "2001:db8::7", ["::1"], "2001:db8::7"),
    ],
)
def test_the_address_is_the_nearest_that_is_no_trusted_proxy(rf, settings, remote, forwarded, trusted, expected):
    settings.TRUSTED_PROXIES = trusted
    request = rf.get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded} if forwarded else {})
    assert client_address(request) == expected
