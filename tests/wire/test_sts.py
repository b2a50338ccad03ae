"""Short-lived keys from /sts/, asked for by the real SDK."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from portal.actions import people
from portal.enums import Role
from portal.models import AuditEvent, SessionKey
from portal.wire import callers
from tests.factories import rows
from tests.wire.signing import signed

pytestmark = pytest.mark.django_db(transaction=True)
SPEAKERS: list[Any] = []


@pytest.fixture
def ada():
    return rows.person("ada", Role.DEVELOPER)


@pytest.fixture(autouse=True)
def speakers():
    """A kept connection would keep a thread of the server, and that one of the database."""
    yield
    while SPEAKERS:
        SPEAKERS.pop().close()


def speak(live_server, key_id, secret, token=None, region="us-east-1"):
    made = boto3.client(
        "sts",
        endpoint_url=f"{live_server.url}/sts/",
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    SPEAKERS.append(made)
    return made


@pytest.fixture
def sts(live_server, ada):
    key, secret = people.create_access_key(by=ada, user=ada)
    return speak(live_server, key.key_id, secret)


def code(call, **options) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call(**options)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_caller_learns_who_they_are(sts, ada):
    found = sts.get_caller_identity()
    assert (found["Account"], found["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/ada")
    assert found["UserId"].startswith("AIDA")


def test_a_session_token_is_given_out_and_works_at_both_doors(sts, live_server, ada):
    given = sts.get_session_token(DurationSeconds=900)["Credentials"]
    row = SessionKey.objects.get()
    assert (given["AccessKeyId"], given["Expiration"]) == (row.key_id, row.expires_at.replace(microsecond=0))
    keys = {"key_id": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["SessionToken"]}
    assert callers.authenticate(signed(**keys)).user == ada
    short = speak(live_server, *keys.values())
    assert short.get_caller_identity()["Arn"].endswith("user/ada")
    assert code(short.get_session_token) == ("AccessDenied", 403)
    assert AuditEvent.objects.filter(action="session_key.issue", actor=ada).count() == 1


def test_what_the_portal_has_not_is_said_in_a_sentence(sts):
    assert code(sts.assume_role, RoleArn="arn:aws:iam::123456789012:role/admin", RoleSessionName="me") == (
        "AccessDenied",
        403,
    )
    assert code(sts.get_access_key_info, AccessKeyId="AKIAAAAAAAAAAAAAAAAA") == ("InvalidAction", 400)
    assert code(sts.get_session_token, DurationSeconds=200_000) == ("ValidationError", 400)
    assert code(sts.get_session_token, SerialNumber="123456789", TokenCode="123456") == ("AccessDenied", 403)


def test_strangers_are_refused_and_no_cookie_helps(live_server, ada, client):
    stranger = speak(live_server, "AKIABBBBBBBBBBBBBBBB", "guess")
    assert code(stranger.get_caller_identity) == ("SignatureDoesNotMatch", 403)
    client.force_login(ada)
    answer = client.post("/sts/", {"Action": "GetSessionToken"})
    assert (answer.status_code, b"<Code>MissingAuthenticationToken</Code>" in answer.content) == (403, True)
    assert (client.get("/sts/").status_code, SessionKey.objects.count()) == (405, 0)


def test_a_signed_request_gives_out_one_session(client, ada):
    key, secret = people.create_access_key(by=ada, user=ada)
    body = b"Action=GetSessionToken&Version=2011-06-15"
    form = "application/x-www-form-urlencoded"
    request = signed(
        url="http://testserver/sts/",
        body=body,
        headers={"content-type": form},
        key_id=key.key_id,
        secret=secret,
        service="sts",
    )
    headers = {name: value for name, value in request.headers.items() if not name.startswith("content-")}
    answers = [client.generic("POST", "/sts/", body, content_type=form, headers=headers) for _ in range(2)]
    assert ([answer.status_code for answer in answers], SessionKey.objects.count()) == ([200, 503], 1)


def test_older_clients_sign_for_the_global_service(live_server, ada, settings):
    settings.PORTAL_REGION = "eu-west-1"
    key, secret = people.create_access_key(by=ada, user=ada)
    for region in ("us-east-1", "eu-west-1"):
        assert speak(live_server, key.key_id, secret, region=region).get_caller_identity()["Account"] == "123456789012"
    assert code(speak(live_server, key.key_id, secret, region="eu-west-2").get_caller_identity) == (
        "SignatureDoesNotMatch",
        403,
    )
