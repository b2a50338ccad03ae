"""Who is calling: keys in force, revoked and unknown ones, short-lived ones with tokens, and how often they call."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from portal.actions import key_use, people, session_keys
from portal.enums import Role
from portal.errors import Forbidden, Invalid
from portal.models import AccessKey, AuditEvent, SessionKey
from portal.wire import callers, throttle
from portal.wire.sigv4 import Refused
from tests.factories import rows
from tests.wire.signing import signed

pytestmark = pytest.mark.django_db
ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def nothing_remembered():
    key_use._recorded.clear()
    throttle._buckets.clear()


@pytest.fixture
def ada():
    return rows.person("ada", Role.DEVELOPER, [rows.team("payments")])


@pytest.fixture
def key(ada):
    made, secret = people.create_access_key(by=ada, user=ada)
    return {"key_id": made.key_id, "secret": secret}


def session(ada, key, **options):
    issued = session_keys.issue(by=ada, user=ada, account_id=ACCOUNT, parent_id=key["key_id"], **options)
    return {"key_id": issued.key.key_id, "secret": issued.secret, "token": issued.token}


def refused(**how) -> str:
    try:
        callers.authenticate(signed(**how))
    except Refused as refusal:
        return refusal.code
    return ""


def test_the_caller_is_the_person_of_the_key(ada, key):
    caller = callers.authenticate(signed(**key))
    assert (caller.user, caller.user.role, caller.account_id) == (ada, "developer", ACCOUNT)
    assert (caller.scope, caller.parent_id, caller.is_session, caller.user.is_developer) == ("", "", False, True)
    assert [team.name for team in caller.user.teams.all()] == ["payments"]


def test_a_call_costs_one_statement_and_once_a_minute_a_second_one(key, django_assert_num_queries):
    with django_assert_num_queries(2):
        callers.authenticate(signed(**key))
    with django_assert_num_queries(1):
        callers.authenticate(signed(**key))


def test_the_last_use_is_written_once_a_minute_by_all_processes_together(key):
    callers.authenticate(signed(**key))
    first = AccessKey.objects.get().last_used_at
    key_use._recorded.clear()  # as another process
    callers.authenticate(signed(**key))
    assert AccessKey.objects.get().last_used_at == first is not None
    AccessKey.objects.update(last_used_at=first - timedelta(seconds=61))
    key_use._recorded.clear()
    callers.authenticate(signed(**key))
    assert AccessKey.objects.get().last_used_at > first - timedelta(seconds=61)


def test_a_revoked_key_is_refused_with_the_next_call(ada, key):
    assert refused(**key) == ""
    people.revoke_access_key(by=ada, key=AccessKey.objects.get())
    assert refused(**key) == "UnrecognizedClientException"


def test_the_keys_of_a_person_who_is_shut_out_are_refused(ada, key):
    people.update_user(by=rows.person("root"), user=ada, is_active=False)
    assert refused(**key) == "UnrecognizedClientException"


def test_who_does_not_have_the_secret_learns_nothing_of_the_key(ada, key):
    people.revoke_access_key(by=ada, key=AccessKey.objects.get())
    wrong = {"secret": "wrong"}
    answers = set()
    for how in (key | wrong, {"key_id": "AKIABBBBBBBBBBBBBBBB"} | wrong, {"key_id": "ASIABBBBBBBBBBBBBBBB"} | wrong):
        with pytest.raises(Refused) as refusal:
            callers.authenticate(signed(**how))
        answers.add(str(refusal.value))
    assert len(answers) == 1


def test_a_new_secret_under_the_same_id_holds_at_once(key):
    assert refused(**key) == ""
    row = AccessKey.objects.get()
    row.secret = callers.vault.keep("another", place=callers.vault.key_place(row.key_id))
    row.save()
    assert (refused(**key), refused(**key | {"secret": "another"})) == ("InvalidSignatureException", "")


def test_a_session_key_works_with_its_token_only(ada, key):
    made, other = session(ada, key), session(ada, key)
    caller = callers.authenticate(signed(**made))
    assert (caller.user, caller.parent_id, caller.is_session) == (ada, key["key_id"], True)
    assert refused(**made | {"token": None}) == "UnrecognizedClientException"
    assert refused(**made | {"token": other["token"]}) == "UnrecognizedClientException"
    assert refused(**made | {"token": made["token"][:-1]}) == "UnrecognizedClientException"
    assert refused(**key | {"token": made["token"]}) == "UnrecognizedClientException"


def test_a_session_ends_by_itself_and_with_its_parent(ada, key):
    made = session(ada, key)
    SessionKey.objects.update(expires_at=timezone.now())
    assert refused(**made) == "ExpiredTokenException"
    made = session(ada, key)
    people.revoke_access_key(by=ada, key=AccessKey.objects.get())
    assert refused(**made) == "UnrecognizedClientException"


def test_a_session_of_the_product_itself_carries_its_scope(ada):
    scope = f"arn:aws:proton:us-east-1:{ACCOUNT}:deployment/x"
    issued = session_keys.issue(by=None, user=ada, account_id=ACCOUNT, seconds=900, purpose="job", scope=scope)
    found = callers.authenticate(signed(key_id=issued.key.key_id, secret=issued.secret, token=issued.token, body=b"{}"))
    assert (found.scope, found.parent_id) == (scope, "")
    event = AuditEvent.objects.get(action="session_key.issue")
    assert (event.actor_name, event.detail["scope"], issued.secret in str(event.detail)) == ("system", scope, False)


def test_sessions_are_for_oneself_and_of_a_sensible_length(ada):
    with pytest.raises(Forbidden):
        session_keys.issue(by=rows.person("root"), user=ada, account_id=ACCOUNT)
    for seconds in (899, 129_601):
        with pytest.raises(Invalid):
            session_keys.issue(by=ada, user=ada, account_id=ACCOUNT, seconds=seconds)


def test_sessions_that_ended_a_day_ago_are_deleted_in_batches(ada, key, monkeypatch):
    monkeypatch.setattr(session_keys, "BATCH", 2)
    for _ in range(4):
        session(ada, key)
    kept = SessionKey.objects.last()
    SessionKey.objects.exclude(pk=kept.pk).update(expires_at=timezone.now() - timedelta(hours=25))
    assert [session_keys.delete_expired() for _ in range(3)] == [2, 1, 0]
    assert SessionKey.objects.get() == kept


def test_a_key_calls_so_often_and_no_oftener(key, settings):
    settings.WIRE_RATE, settings.WIRE_BURST = 0.001, 3
    assert [refused(**key) for _ in range(4)] == ["", "", "", "ThrottlingException"]


def test_sessions_share_the_bucket_of_their_parent(ada, key, settings):
    settings.WIRE_RATE, settings.WIRE_BURST = 0.001, 2
    assert [refused(**session(ada, key)) for _ in range(3)] == ["", "", "ThrottlingException"]
    assert refused(**key) == "ThrottlingException"


def test_a_bucket_fills_again_and_no_more_than_a_bound_of_them_is_remembered(settings, monkeypatch):
    settings.WIRE_RATE, settings.WIRE_BURST = 2, 1
    monkeypatch.setattr(throttle, "REMEMBERED", 3)
    throttle.take("a", now=10.0)
    with pytest.raises(Refused, match="2 calls a second"):
        throttle.take("a", now=10.4)
    throttle.take("a", now=10.6)
    for name in "bcde":
        throttle.take(name, now=11.0)
    assert list(throttle._buckets) == ["c", "d", "e"]


def test_no_limit_is_a_rate_of_nothing(settings):
    settings.WIRE_RATE, settings.WIRE_BURST = 0, 1
    for _ in range(10):
        throttle.take("a")
    assert len(throttle._buckets) == 0


def test_nothing_secret_is_shown_where_values_are_printed(ada, key):
    issued = session_keys.issue(by=ada, user=ada, account_id=ACCOUNT, parent_id=key["key_id"])
    request = signed(key_id=issued.key.key_id, secret=issued.secret, token=issued.token, body=b'{"spec": "c4n4ry"}')
    shown = repr([issued, request, callers.authenticate(request), callers.keys.find(issued.key.key_id)])
    row = SessionKey.objects.get()
    secrets = [issued.secret, issued.token, row.secret, row.token_hash, "c4n4ry", request.headers["authorization"]]
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_database_cut_is_replaced_without_asking_about_it_before(ada, key):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    callers.authenticate(signed(**key))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()[0]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    finally:
        other.close()
    assert callers.authenticate(signed(**key)).user == ada
