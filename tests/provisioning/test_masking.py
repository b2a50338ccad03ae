"""Which inputs are secret, and texts without them."""

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.masking import HIDDEN, forms, mask, secret_values, without_secrets
from provisioning.schema import parse_schema
from tests.factories.bundles import schema_text

PROPERTIES = """
name: {type: string}
token: {type: string, writeOnly: true}
pin: {type: number, writeOnly: true}
database: {type: object, properties: {user: {type: string}, password: {type: string, format: password}}}
users: {type: array, items: {type: object, properties: {key: {type: string, writeOnly: true}}}}
words: {type: array, items: {type: string, writeOnly: true}}
"""
VALUES = {
    "name": "shop",
    "token": "t-secret",
    "pin": 123456,
    "database": {"user": "app", "password": "d-secret"},
    "users": [{"key": "u-secret"}],
    "words": ["w-secret", "abc"],
}


def properties():
    schema, problems = parse_schema(schema_text(PROPERTIES), "environment")
    assert schema is not None and schema.environment is not None, problems
    return schema.environment.properties


def test_secrets_are_found_at_every_depth_but_for_the_shortest() -> None:
    assert secret_values(properties(), VALUES) == {"t-secret", "123456", "d-secret", "u-secret", "w-secret"}


def test_inputs_are_shown_without_secrets_at_every_depth() -> None:
    assert without_secrets(properties(), VALUES) == {
        "name": "shop",
        "token": HIDDEN,
        "pin": HIDDEN,
        "database": {"user": "app", "password": HIDDEN},
        "users": [{"key": HIDDEN}],
        "words": [HIDDEN, HIDDEN],
    }


@pytest.mark.parametrize(
    "write",
    [
        str,
        json.dumps,
        html.escape,
        lambda text: quote(text, safe=""),
        lambda text: text.encode().hex(),
        lambda text: text.replace("'", "''"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(write) -> None:
    secret = 'it\'s a "secret" & é/+'
    assert mask(f"a {write(secret)} b", [secret]).replace('"', "") == f"a {HIDDEN} b"


@given(st.binary(max_size=10), st.text("abcdefgh/+é&", min_size=10, max_size=30), st.binary(max_size=10))
def test_a_secret_inside_of_base64_is_hidden_wherever_it_begins(before: bytes, secret: str, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert HIDDEN in mask(encode(before + secret.encode() + after).decode(), [secret])


def test_each_line_of_a_secret_is_hidden() -> None:
    assert mask("x second line y", ["first line\nsecond line"]) == f"x {HIDDEN} y"


def test_nothing_short_is_hidden() -> None:
    assert (forms("abc"), mask("abc 616263", ["abc"])) == (set(), "abc 616263")
