"""The owner of the database, who has no key and cannot write where the ends of the chain are noted, changes the log."""

from collections import Counter
from collections.abc import Mapping

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row

Size = Mapping[str, float]


def tampered(bench: Bench, size: Size) -> Result:
    """One change of each kind in turn, each in a log that holds; the first bad row must be named."""
    open_portal(bench.directory, AUDIT_EXPORT=str(bench.directory / "audit"))
    unprotected.take_off(bench.without)
    from django.conf import settings
    from django.db import transaction

    from portal.actions import audit, sealing
    from portal.models import AuditHead
    from portal.queries import audit_chain
    from tests.actions.tampering import KINDS, tamper
    from tests.factories import rows

    ada, half = rows.person("ada"), int(size["events"]) // 2

    def happen() -> None:
        for number in range(half):
            audit.record(by=ada, action="test.change", target=f"thing/{number}", number=number, names=["é", "b"])
        sealing.seal()

    happen()
    head = AuditHead.objects.values().get()
    happen()
    sealing.export_head()
    heads = audit_chain.read_heads(settings.AUDIT_EXPORT / sealing.FILE)
    done: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    misplaced: Counter[str] = Counter()
    false_alarms = 0
    for number in range(int(size["tamperings"])):
        kind = KINDS[number % len(KINDS)]
        with transaction.atomic():
            first = tamper(kind, bench.random, head)
            finding = audit_chain.verify(heads).finding
            transaction.set_rollback(True)
        done[kind] += 1
        missed[kind] += finding is None
        misplaced[kind] += finding is not None and finding.seq != first
        false_alarms += number % 50 == 0 and audit_chain.verify(heads).finding is not None
    return Result(
        faults=dict(done),
        harm={
            "not_found": missed.total(),
            "found_elsewhere": misplaced.total(),
            "false_alarms": false_alarms,
        },
        figures={
            "tamperings": done.total(),
            "events": 2 * half,
            "exported_ends": len(heads),
            "not_found_of": {kind: count for kind, count in missed.items() if count},
        },
    )


ROWS = [
    Row(
        30,
        "the owner of the database changes the audit log",
        tampered,
        ("heads",),
        small={"tamperings": 44, "events": 24, "seconds": 60},
        full={"tamperings": 2200, "events": 60, "seconds": 900},
        patience=60,
        arena=None,
    ),
]
