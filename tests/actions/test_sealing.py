"""The chain of audit events: what those who own the database do to it is found, and where it begins is named."""

import json
import random
import threading
from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from portal import seals
from portal.actions import audit, housekeeping, sealing
from portal.actions.sealing import ChainBroken
from portal.models import AuditEvent, AuditHead
from portal.queries import audit_chain
from tests.actions.tampering import KINDS, tamper
from tests.factories import rows

EVENTS, TAMPERINGS = 24, 1000


@pytest.fixture(autouse=True)
def exports(settings, tmp_path):
    settings.AUDIT_EXPORT = tmp_path / "audit"
    return settings.AUDIT_EXPORT / sealing.FILE


def happen(count: int = EVENTS) -> None:
    by = rows.person(f"ada{AuditEvent.objects.count()}")
    for number in range(count):
        audit.record(by=by, action="test.change", target=f"thing/{number}", number=number, ratio=0.1, names=["é", "b"])


@pytest.mark.django_db
def test_events_are_sealed_in_batches_and_hold(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(sealing, "BATCH", 10)
    happen()
    assert (sealing.seal(), sealing.seal()) == (24, 0)
    happen(2)
    verdict = audit_chain.verify()
    assert (verdict.checked, verdict.unsealed, verdict.unproved, verdict.finding) == (24, 2, 0, None)
    assert sealing.seal() == 2
    assert list(AuditEvent.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, 27))


@pytest.mark.django_db
def test_an_empty_log_holds_sealed_or_not():
    assert audit_chain.verify().finding is None
    assert (sealing.seal(), sealing.export_head()) == (0, True)
    assert audit_chain.verify().finding is None


@pytest.mark.django_db
def test_every_tampering_is_found(exports):
    """As the owner of the database, who does not have the keys and cannot write where the ends are noted."""
    happen(EVENTS // 2)
    sealing.seal()
    old = AuditHead.objects.values().get()
    happen(EVENTS // 2)
    sealing.seal()
    sealing.export_head()
    heads = audit_chain.read_heads(exports)
    chance, found, missed = random.Random(5), Counter(), []
    assert audit_chain.verify(heads).finding is None
    for number in range(TAMPERINGS):
        kind = KINDS[number % len(KINDS)]
        with transaction.atomic():
            first = tamper(kind, chance, old)
            finding = audit_chain.verify(heads).finding
            if finding is None or finding.seq != first:
                missed.append((kind, first, finding))
            else:
                found[kind] += 1
            transaction.set_rollback(True)
    assert missed == []
    assert (sum(found.values()), len(found)) == (TAMPERINGS, len(KINDS))
    assert audit_chain.verify(heads).finding is None


@pytest.mark.django_db
def test_without_the_exported_end_a_cut_that_restores_an_older_end_is_not_found(exports):
    """Why the ends are exported: the control of the test above."""
    happen(3)
    sealing.seal()
    old = AuditHead.objects.values().get()
    happen(3)
    sealing.seal()
    sealing.export_head()
    assert tamper("cut and restore the end", random.Random(5), old) == 4
    assert audit_chain.verify().finding is None
    finding = audit_chain.verify(audit_chain.read_heads(exports)).finding
    assert finding is not None and finding.seq == 4


@pytest.mark.django_db
def test_a_forged_end_is_not_made_good_by_the_next_sealing():
    happen(3)
    sealing.seal()
    AuditHead.objects.update(digest="f" * 64)
    happen(1)
    with pytest.raises(ChainBroken):
        sealing.seal()
    AuditHead.objects.all().delete()
    with pytest.raises(ChainBroken, match="missing"):
        sealing.seal()
    finding = audit_chain.verify().finding
    assert finding is not None and finding.what == "the end of the chain is missing"


@pytest.mark.django_db
def test_keys_are_changed_without_a_pause_and_old_ones_can_be_taken_away(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [old]
    happen(3)
    sealing.seal()
    settings.ENCRYPTION_KEYS = [new, old]
    assert sealing.seal() == 0  # the end is sealed anew
    settings.ENCRYPTION_KEYS = [new]
    verdict = audit_chain.verify()
    assert (verdict.finding, verdict.unproved, verdict.checked) == (None, 3, 3)
    AuditEvent.objects.filter(seq=2).update(target="thing/else")
    finding = audit_chain.verify().finding
    assert finding is not None and finding.seq == 2
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ChainBroken):
        sealing.seal()


@pytest.mark.django_db
def test_rows_that_were_written_anew_under_an_unknown_key_do_not_lead_to_the_end():
    happen(4)
    sealing.seal()
    previous = seals.GENESIS
    for event in AuditEvent.objects.order_by("seq"):
        event.target, event.previous = "thing/forged", previous
        previous = event.digest = seals.digest(event, event.seq, previous)
        event.seal_key = "f" * 16
        event.save()
    AuditHead.objects.update(digest=previous, seal_key="f" * 16)
    finding = audit_chain.verify().finding
    assert finding is not None and "not in ENCRYPTION_KEYS" in finding.what
    with pytest.raises(ChainBroken):
        sealing.seal()


@pytest.mark.django_db
def test_the_end_is_noted_once_an_hour_in_the_file_and_in_the_log(exports, caplog):
    happen(3)
    sealing.seal()
    with caplog.at_level("INFO"):
        assert (sealing.export_head(), sealing.export_head()) == (True, False)
    AuditHead.objects.update(exported_at=timezone.now() - timedelta(minutes=61))
    assert sealing.export_head()
    heads = audit_chain.read_heads(exports)
    assert [head.seq for head in heads] == [3, 3]
    logged = [record.audit_head for record in caplog.records if hasattr(record, "audit_head")]
    exports.write_text(json.dumps({"event": "the end of the audit chain", "audit_head": logged[0]}))
    assert audit_chain.read_heads(exports) == heads[:1]
    assert audit_chain.verify(heads).finding is None


@pytest.mark.django_db
def test_where_the_file_cannot_be_written_the_log_has_the_end(settings, tmp_path, caplog):
    (tmp_path / "file").touch()
    settings.AUDIT_EXPORT = tmp_path / "file"
    sealing.seal()
    assert (sealing.export_head(), sealing.export_head()) == (True, False)
    assert "is in the log only" in caplog.text


@pytest.mark.django_db
def test_the_command_says_what_holds_and_names_the_first_bad_row(exports):
    happen(5)
    sealing.seal()
    said = StringIO()
    call_command("audit_verify", stdout=said)
    assert "5 sealed events hold, 0 are not sealed yet, 0 exported ends agree" in said.getvalue()
    assert "nothing was cut off is the database's word" in said.getvalue()
    sealing.export_head()
    bad = AuditEvent.objects.get(seq=3)
    AuditEvent.objects.filter(pk=bad.pk).update(actor_name="somebody else")
    with pytest.raises(CommandError, match=rf"first bad row: event {bad.pk}, number 3 of the chain: it was changed"):
        call_command("audit_verify", head=exports)
    exports.write_text("not a head\n")
    with pytest.raises(CommandError, match="heads.jsonl:1"):
        call_command("audit_verify", head=exports)


@pytest.mark.django_db
def test_a_deleted_person_leaves_the_chain_whole():
    happen(2)
    sealing.seal()
    AuditEvent.objects.first().actor.delete()
    assert (audit_chain.verify().finding, AuditEvent.objects.filter(actor=None).count()) == (None, 2)


@pytest.mark.django_db(transaction=True)
def test_several_workers_seal_one_chain():
    happen(40)
    sealing.seal()
    happen(40)
    failures = []

    def work() -> None:
        try:
            sealing.seal()
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealing.seal()
    verdict = audit_chain.verify()
    assert (failures, verdict.finding, verdict.checked, verdict.unsealed) == ([], None, 80, 0)


@pytest.mark.django_db
def test_one_failing_chore_stops_no_other(monkeypatch, caplog):
    def broken() -> None:
        raise ZeroDivisionError

    happen(2)
    monkeypatch.setattr(housekeeping, "CHORES", (broken, *housekeeping.CHORES))
    housekeeping.keep_house()
    assert (AuditEvent.objects.filter(seq=None).count(), "housekeeping failed" in caplog.text) == (0, True)
