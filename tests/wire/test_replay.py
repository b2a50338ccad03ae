"""One signed call changes something once, however often it is sent."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from portal.actions import replies
from portal.errors import Conflict, Unavailable
from portal.models import WireReply
from portal.wire import replay
from portal.wire.replay import Reply
from portal.wire.sigv4 import Signed

ONE = Signed("AKIAAAAAAAAAAAAAAAAA", "", "a" * 64)
OTHER = Signed("AKIAAAAAAAAAAAAAAAAA", "", "b" * 64)


class Calls:
    def __init__(self, reply: Reply = Reply(200, b'{"spec": "c4n4ry"}')):  # noqa: B008 (frozen)
        self.count, self.reply = 0, reply

    def __call__(self) -> Reply:
        self.count += 1
        return self.reply


@pytest.mark.django_db
@pytest.mark.parametrize("status", [200, 400])
def test_the_second_call_gets_the_answer_of_the_first(status):
    calls = Calls(Reply(status, b'{"spec": "c4n4ry"}'))
    answers = [replay.once(ONE, calls) for _ in range(3)]
    assert (answers, calls.count) == ([calls.reply] * 3, 1)
    replay.once(OTHER, calls)
    assert calls.count == 2


@pytest.mark.django_db
def test_a_call_costs_two_statements_and_its_answer_is_not_readable_in_the_database(django_assert_num_queries):
    with django_assert_num_queries(2):
        replay.once(ONE, Calls())
    assert "c4n4ry" not in WireReply.objects.get().body


@pytest.mark.django_db
def test_what_failed_inside_may_be_tried_again():
    with pytest.raises(ZeroDivisionError):
        replay.once(ONE, lambda: 1 / 0)
    assert replay.once(ONE, Calls(Reply(500, b"{}"))) == Reply(500, b"{}")
    assert replay.once(ONE, Calls(Reply(200, b"{}"))) == Reply(200, b"{}")


@pytest.mark.django_db
def test_a_call_that_was_broken_off_is_a_conflict(monkeypatch):
    monkeypatch.setattr(replay, "PATIENCE_SECONDS", 0.1)
    assert replies.begin(ONE.key_id, ONE.signature)
    calls = Calls()
    with pytest.raises(Conflict, match="broken off"):
        replay.once(ONE, calls)
    assert calls.count == 0


@pytest.mark.django_db
def test_without_its_table_nothing_is_changed(monkeypatch):
    calls = Calls()

    def broken(*_: object) -> bool:
        raise DatabaseError("no such table")

    monkeypatch.setattr(replies, "begin", broken)
    with pytest.raises(Unavailable, match="nothing was changed"):
        replay.once(ONE, calls)
    assert calls.count == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_run_and_all_get_its_answer():
    calls, answers = Calls(), []

    def slow() -> Reply:
        time.sleep(0.3)
        return calls()

    def call() -> None:
        try:
            answers.append(replay.once(ONE, slow))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers, calls.count) == ([calls.reply] * 6, 1)


@pytest.mark.django_db
def test_answers_are_deleted_in_batches_when_their_signatures_are_too_old(monkeypatch):
    monkeypatch.setattr(replies, "BATCH", 2)
    for number in range(4):
        replies.begin(ONE.key_id, str(number))
    young = WireReply.objects.get(signature="3")
    WireReply.objects.exclude(pk=young.pk).update(created_at=timezone.now() - timedelta(minutes=12))
    assert [replies.delete_old() for _ in range(3)] == [2, 1, 0]
    assert WireReply.objects.get() == young
    WireReply.objects.update(created_at=timezone.now() - timedelta(minutes=10))
    assert replies.delete_old() == 0
