"""Encryption at rest: bound to its place, under keys that can be changed at any time."""

import io
import re

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import models

from portal import secrets, vault
from portal.actions import key_rotation, people, replies, totp
from portal.models import AccessKey, SessionKey, Totp, WireReply
from portal.models.fields import SecretField, secret_columns
from portal.secrets import Place, decrypt, encrypt, place_of, rewrap
from tests.factories import rows

HERE = Place("portal_accesskey", "secret", "AKIA1")
SECRET = "wJalrXUtnFEMI/K7MDENG"
SOUNDS_SECRET = re.compile(r"secret|passw|private|credential|(?<!client_)token$")
NO_SECRETS = {"User.password", "Component.last_client_request_token"}  # Django's hash


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_a_secret_comes_back_and_no_two_tokens_are_alike():
    tokens = {encrypt(SECRET, place=HERE) for _ in range(3)}
    assert (len(tokens), {decrypt(token, place=HERE) for token in tokens}) == (3, {SECRET})
    assert [token for token in tokens if SECRET in token] == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("portal_accesskey", "secret", "AKIA2"),
        Place("portal_accesskey", "other", "AKIA1"),
        Place("portal_totp", "secret", "AKIA1"),
    ],
)
def test_a_token_that_was_moved_is_refused(elsewhere):
    with pytest.raises(ImproperlyConfigured, match="was moved from its place"):
        decrypt(encrypt(SECRET, place=HERE), place=elsewhere)


def test_parts_of_two_tokens_make_none():
    one, other = (encrypt(SECRET, place=HERE).split(".") for _ in range(2))
    with pytest.raises(ImproperlyConfigured):
        decrypt(".".join([*one[:3], other[3]]), place=HERE)


@pytest.mark.parametrize("at", range(4))
def test_a_token_that_was_changed_anywhere_is_refused(at):
    parts = encrypt(SECRET, place=HERE).split(".")
    for position in (0, len(parts[at]) // 2):
        wrong = "A" if parts[at][position] != "A" else "B"
        changed = [*parts]
        changed[at] = parts[at][:position] + wrong + parts[at][position + 1 :]
        with pytest.raises(ImproperlyConfigured):
            decrypt(".".join(changed), place=HERE)


def test_fernet_tokens_of_older_rows_are_read(settings):
    old = Fernet(settings.ENCRYPTION_KEYS[0]).encrypt(SECRET.encode()).decode()
    settings.ENCRYPTION_KEYS = [new_key(), *settings.ENCRYPTION_KEYS]
    assert decrypt(old, place=HERE) == SECRET
    assert rewrap(old, place=HERE).startswith(secrets.newest())
    assert decrypt(rewrap(old, place=HERE), place=HERE) == SECRET


def test_wrapping_anew_changes_the_key_and_not_the_value(settings):
    first = encrypt(SECRET, place=HERE)
    old = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [new_key(), *old]
    second = rewrap(first, place=HERE)
    assert (first.split(".")[3], first.split(".")[1]) == (second.split(".")[3], first.split(".")[1])
    assert rewrap(second, place=HERE) == second
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert decrypt(second, place=HERE) == SECRET
    with pytest.raises(ImproperlyConfigured, match="not in ENCRYPTION_KEYS"):
        decrypt(first, place=HERE)


def test_keys_and_secrets_are_not_in_what_is_printed(settings):
    shown = repr(secrets._keys()) + repr(HERE)
    assert [key for key in settings.ENCRYPTION_KEYS if key in shown] == []


def test_a_key_that_is_none_is_said(settings):
    settings.ENCRYPTION_KEYS = ["short"]
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        encrypt(SECRET, place=HERE)


def test_no_column_that_is_called_like_a_secret_is_forgotten():
    forgotten = {
        f"{model.__name__}.{column.name}"
        for model in apps.get_app_config("portal").get_models()
        for column in model._meta.concrete_fields
        if isinstance(column, models.CharField | models.TextField | models.BinaryField)
        and SOUNDS_SECRET.search(column.name)
        and not isinstance(column, SecretField)
    }
    assert forgotten == NO_SECRETS
    assert {(model.__name__, column) for model, column in secret_columns()} >= {
        ("AccessKey", "secret"),
        ("SessionKey", "secret"),
        ("Totp", "secret"),
        ("WireReply", "body"),
    }


def test_the_aws_door_names_the_places_that_its_rows_have():
    for row, column, place in (
        (AccessKey(key_id="AKIA1"), "secret", vault.key_place("AKIA1")),
        (SessionKey(key_id="ASIA1"), "secret", vault.key_place("ASIA1")),
        (WireReply(key_id="AKIA1", signature="ab"), "body", vault.reply_place("AKIA1", "ab")),
    ):
        assert place_of(row, column) == place


def test_nothing_is_bound_to_a_row_without_a_key():
    with pytest.raises(ValueError, match="no primary key yet"):
        place_of(Totp(), "secret")


@pytest.fixture
def stored(db):
    """Six secrets under the key of the settings: four access keys, one app, and an answer of the AWS door."""
    cast = [rows.person() for _ in range(4)]
    known = {}
    for person in cast:
        _, known[person.pk] = people.create_access_key(by=person, user=person)
    totp.start(by=cast[0])
    replies.begin("AKIA1", "ab")
    replies.finish("AKIA1", "ab", 200, "{}")
    replies.begin("AKIA1", "cd")
    return known


def readable(known: dict[int, str]) -> bool:
    return known == {key.user_id: decrypt(key.secret, place=place_of(key, "secret")) for key in AccessKey.objects.all()}


def run() -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("rotate_keys", stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(ended.code or 0)
    return out.getvalue(), 0


def test_rotation_leaves_nothing_behind_and_does_nothing_the_second_time(stored, settings, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    settings.ENCRYPTION_KEYS = [new_key(), *settings.ENCRYPTION_KEYS]
    assert key_rotation.left() == 6
    assert run() == ("6 secrets rotated, 0 left\n", 0)
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    before = sorted(AccessKey.objects.values_list("secret", flat=True))
    assert (readable(stored), run()) == (True, ("0 secrets rotated, 0 left\n", 0))
    assert sorted(AccessKey.objects.values_list("secret", flat=True)) == before
    assert len(totp.secret_of(Totp.objects.get())) == 32
    assert replies.earlier("AKIA1", "ab") == (200, "{}")


def test_rotation_that_was_killed_goes_on_where_it_was(stored, settings):
    settings.ENCRYPTION_KEYS = [new_key(), *settings.ENCRYPTION_KEYS]

    def die(done: key_rotation.Rotation) -> None:
        if done.rotated == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_rotation.rotate(progress=die)
    assert (key_rotation.left(), readable(stored)) == (4, True)
    assert run() == ("4 secrets rotated, 0 left\n", 0)


def test_what_was_written_meanwhile_is_not_overwritten(stored, settings):
    settings.ENCRYPTION_KEYS = [new_key(), *settings.ENCRYPTION_KEYS]
    last = AccessKey.objects.order_by("pk").last()

    def change(done: key_rotation.Rotation) -> None:
        if done.rotated == 1:
            AccessKey.objects.filter(pk=last.pk).update(secret=encrypt("new", place=place_of(last, "secret")))

    done = key_rotation.rotate(progress=change)
    assert (done.rotated, done.overtaken, done.left) == (5, 1, 0)
    last.refresh_from_db()
    assert decrypt(last.secret, place=place_of(last, "secret")) == "new"


def test_secrets_of_a_key_that_is_gone_are_counted_and_the_rest_goes_on(stored, settings):
    first = AccessKey.objects.order_by("pk").first()
    moved = AccessKey.objects.order_by("pk").last()
    AccessKey.objects.filter(pk=first.pk).update(secret=moved.secret)
    settings.ENCRYPTION_KEYS = [new_key(), *settings.ENCRYPTION_KEYS]
    said, code = run()
    assert (said.splitlines()[0], code) == ("5 secrets rotated, 1 left", 1)
    assert said.splitlines()[1].startswith("1 cannot be read")
