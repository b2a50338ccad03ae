"""Creating at most once (AWS Proton's rules): a repeat of the same request gets the original.

With a client token, for eight hours: other parameters are refused. Without one, by name: an identical repeat gets the
original while that is unmodified, ConflictException afterwards; other parameters are refused.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.actions import inserts
from portal.errors import Conflict, Invalid, PortalError
from portal.models import Creation
from portal.queries import prepared
from portal.wire.errors import MISMATCH
from portal.wire.registry import Caller

TOKENS_LIVE = timedelta(hours=8)
KNOWN = ("target_arn", "request_hash", "fingerprint")  # of a creation
Made = TypeVar("Made", bound=Any)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def create(
    caller: Caller,
    operation: str,
    request: Mapping[str, Any],
    *,
    make: Callable[[], Made],
    find: Callable[[str], Made | None],
    fingerprint: Callable[[Made], Any],
    arn: str = "",
    token: str | None = None,
) -> Made:
    """The row that the request makes, or made before.

    ``request`` is every parameter but the token; ``find`` gives the row of an ARN; ``fingerprint`` is what changes
    when somebody modifies a row; ``arn`` is what the row will be called, for requests without a token.
    Raises Invalid (IdempotentParameterMismatch), Conflict, and whatever ``make`` raises.
    """
    digest = _digest(request)

    def before() -> Made | None:
        record = _record(caller, operation, token, arn)
        original = find(record["target_arn"]) if record else None
        if record is None or original is None:
            return None
        if record["request_hash"] != digest:
            raise Invalid(MISMATCH.format(what="client token" if token else "name"))
        if not token and record["fingerprint"] != _digest(fingerprint(original)):
            raise Conflict(f"{original} exists already and was modified since it was created.")
        return original

    original = before() if token else None
    if original is not None:
        return original
    try:
        with transaction.atomic():
            made = make()
            if token:
                Creation.objects.filter(operation=operation, account_id=caller.account_id, client_token=token).delete()
            inserts.insert(
                Creation(
                    operation=operation,
                    account_id=caller.account_id,
                    client_token=token or "",
                    target_arn=made.arn,
                    request_hash=digest,
                    fingerprint=_digest(fingerprint(made)),
                )
            )
            return made
    except (PortalError, IntegrityError):
        original = before()  # a name is taken by the original; or somebody made it at the same moment
        if original is None:
            raise
        return original


def once(
    caller: Caller,
    operation: str,
    request: Mapping[str, Any],
    *,
    token: str | None,
    make: Callable[[], Made],
    find: Callable[[str], Made | None],
) -> Made:
    """``create`` for what may be called with a client token and may be called without: then it is never a repeat."""
    if not token:
        return make()
    return create(caller, operation, request, token=token, make=make, find=find, fingerprint=lambda row: None)


def _newest() -> QuerySet[Any]:
    return Creation.objects.order_by("-id").values(*KNOWN)


_of_name = prepared.Statement(_newest, "operation", "target_arn")


def _record(caller: Caller, operation: str, token: str | None, arn: str) -> Mapping[str, Any] | None:
    if not token:
        return next(iter(_of_name(operation, arn)), None)
    since = timezone.now() - TOKENS_LIVE
    rows = Creation.objects.filter(operation=operation, account_id=caller.account_id, client_token=token)
    return rows.filter(created_at__gt=since).values(*KNOWN).first()
