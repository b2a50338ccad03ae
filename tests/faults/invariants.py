"""I1 to I6: what must be true after every run, whatever was done to the product meanwhile.

AWS's side is the emulator's and the ledger's; the product's rows are compared with it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.faults.referee import stacks
from tests.faults.work import Work

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ENDS = {
    "SUCCEEDED": "deployment.succeeded",
    "FAILED": "deployment.failed",
    "CANCELLED": "deployment.cancelled",
    "DELETE_COMPLETE": "deployment.delete_complete",
    "DELETE_FAILED": "deployment.delete_failed",
}


def violations(arena: Any, work: Work) -> list[str]:
    """One line for each, the invariant's name first. To be asked when nothing runs any more.

    ``arena`` is an Arena; or what has a ``liar`` with entries, and says by ``seen()`` which stacks there are.
    """
    return [
        *_every_request_ends(work),
        *_one_object_each(arena, work),
        *_the_newest_is_applied(arena, work),
        *_intent_before_every_change(arena),
        *_one_audit_row_for_each_change(),
        *_only_who_may(work),
    ]


def _every_request_ends(work: Work) -> Iterator[str]:
    from portal.models import Deployment

    rows = {row.pk: row for row in Deployment.objects.all()}
    for entry in work.accepted:
        row = rows.get(entry.deployment)
        if row is None:
            yield f"I1 {entry.kind} of {entry.name} was accepted and its row is gone"
        elif row.status not in ENDS and not (row.phase == "attention" and row.status_message):
            yield f"I1 {entry.kind} of {entry.name} is {row.status} ({row.phase}) without a reason: {row.doing}"


def _one_object_each(arena: Any, work: Work) -> Iterator[str]:
    live = Counter(stack.environment for stack in stacks(arena, work.accounts))
    for arn, count in live.items():
        if count > 1:
            yield f"I2 {arn or 'stacks without a tag'}: {count} live stacks"


def _the_newest_is_applied(arena: Any, work: Work) -> Iterator[str]:
    """What the product says is deployed is what the emulator has, and no accepted success is newer."""
    from portal.models import Deployment, Environment

    revisions = {stack.environment: stack.revision for stack in stacks(arena, work.accounts)}
    for environment in Environment.objects.select_related("deployed", "latest"):
        if environment.is_busy:
            continue
        last = (
            Deployment.objects.filter(target_arn=environment.arn, status="SUCCEEDED")
            .filter(target_created_at=environment.created_at)
            .order_by("-created_at")
            .first()
        )
        if last != environment.deployed:
            yield f"I3 {environment.name}: its last success is not what it says is deployed"
        if environment.latest is not None and environment.latest.runs_commands:
            continue  # what its commands did, the emulator does not know
        claimed = int(last.inputs["revision"]) if last else 0
        if claimed != revisions.get(environment.arn, 0):
            found = revisions.get(environment.arn, 0)
            yield f"I3 {environment.name}: revision {claimed} is said to be deployed, the emulator has {found}"


def _intent_before_every_change(arena: Any) -> Iterator[str]:
    from portal.models import Deployment

    intents = dict(Deployment.objects.values_list("pk", "intent_at"))
    known = {str(pk): at for pk, at in intents.items()}
    for entry in arena.liar.entries:
        match = _ID.search(entry.token) or _ID.search(entry.change_set)
        intent = known.get(match[0]) if match else None
        if intent is None:
            yield f"I4 {entry.action} on {entry.stack} without an intent"
        elif intent > datetime.fromtimestamp(entry.at, UTC):
            yield f"I4 {entry.action} on {entry.stack} before its intent"


def _one_audit_row_for_each_change() -> Iterator[str]:
    from portal.models import AuditEvent, Deployment

    found = Counter(AuditEvent.objects.filter(action__in=ENDS.values()).values_list("target", "action"))
    for row in Deployment.objects.all():
        ends = {action: found[row.arn, action] for action in ENDS.values() if found[row.arn, action]}
        wanted = {ENDS[row.status]: 1} if row.status in ENDS else {}
        if ends != wanted:
            yield f"I5 deployment {row.pk} is {row.status}, and the audit log has {ends or 'nothing'} of its end"


def _only_who_may(work: Work) -> Iterator[str]:
    from portal.models import Deployment

    for row in Deployment.objects.select_related("actor"):
        lost = work.lost_rights.get(row.pk)
        if lost is not None and (row.intent_at is None or row.intent_at.timestamp() < lost + 1):
            continue  # it was begun while that person might
        if row.actor is None or not row.actor.is_active or not row.actor.is_platform:
            yield f"I6 deployment {row.pk} ran for {row.actor_name}, who may not"
