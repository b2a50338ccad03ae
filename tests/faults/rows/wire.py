"""Somebody changes what a key's owner signed."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from tests.faults import unprotected
from tests.faults.arena import Arena
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

SIGN_ANEW = 2000  # changes of one request; its signature is good for five minutes


def forgeries(arena: Arena, work: Work, size: Mapping[str, float]) -> Result:
    """Changed in one byte, in its credentials or in its time, against the product's own look-up of keys."""
    from portal.actions import people
    from portal.models import User
    from portal.wire import callers
    from portal.wire.sigv4 import Refused, Request
    from tests.wire.flips import flips
    from tests.wire.signing import JSON, signed

    if arena.without == "target":
        unprotected.PROTECTIONS["target"]()
    ada = User.objects.create_user("forged", role="admin")
    key, secret = people.create_access_key(by=ada, user=ada)
    other, _ = people.create_access_key(by=ada, user=ada)

    def accepted(request: Request) -> bool:
        try:
            callers.authenticate(request)
        except Refused as refused:
            return refused.code == "ThrottlingException"
        return True

    headers = {**JSON, "x-amz-user-agent": "aws-sdk-js/3.0 m/E,n"}
    through: Counter[str] = Counter()
    flipped = forged = refused_rightful = 0
    began = time.monotonic()
    while flipped < size["flips"]:
        request = signed(url="http://127.0.0.1:8000/?a=1&b=2%2F3", headers=headers, key_id=key.key_id, secret=secret)
        refused_rightful += not accepted(request)
        count = min(SIGN_ANEW, int(size["flips"]) - flipped)
        through.update(part for part, changed in islice(flips(request, arena.random), count) if accepted(changed))
        flipped += count
        authorization, date = request.headers["authorization"], request.headers["x-amz-date"]
        for name, value in (
            ("authorization", ""),
            ("authorization", authorization.replace(key.key_id, other.key_id)),
            ("authorization", authorization.replace("/proton/", "/sts/")),
            ("authorization", authorization.replace("/us-east-1/", "/eu-west-1/")),
            ("authorization", authorization.replace("host;", "")),
            ("x-amz-date", f"{int(date[:8]) - 1}{date[8:]}"),
            ("x-amz-security-token", "unsigned"),
        ):
            through[name] += accepted(replace(request, headers={**request.headers, name: value}))
            forged += 1
    return Result(
        faults={"flips": flipped, "forgeries": forged},
        harm={"accepted": sum(through.values()), "rightful_refused": refused_rightful},
        figures={
            "accepted_in": {part: count for part, count in through.items() if count},
            "microseconds_each": round(1e6 * (time.monotonic() - began) / flipped),
        },
    )


ROWS = [
    Row(
        6,
        "signed requests are changed, one byte at a time",
        forgeries,
        ("target",),
        small={"flips": 3000, "seconds": 30},
        full={"flips": 100_000, "seconds": 120},
        arena={"workers": 0},
    ),
]
