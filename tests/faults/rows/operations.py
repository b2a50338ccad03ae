"""Every operation of the API is sent everything that its shape allows, and what it does not."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row

Size = Mapping[str, float]
CONTENT_TYPE = "application/x-amz-json-1.0"
HOST = "testserver"
CANARY = "cNry-8c1e9a77b1"


def fuzz(bench: Bench, size: Size) -> Result:
    """Signed calls by an admin, through all that stands before the operations. Each finds the same world."""
    open_portal(bench.directory, simulation={"seconds": 0, "outputs": {"QueueUrl": "https://queue"}}, WIRE_RATE="0")
    unprotected.take_off(bench.without)
    from django.db import transaction
    from django.test import Client

    from portal.actions import people
    from portal.wire.registry import handlers
    from portal.wire.service_model import operation_models
    from tests.wire.generating import planted, requests
    from tests.wire.world import a_world

    admin = a_world()
    key, secret = people.create_access_key(by=admin, user=admin)
    client = Client(raise_request_exception=False)
    found: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    examples: list[str] = []
    offered, began = 0, time.monotonic()
    for name, model in sorted(operation_models().items()):
        offered += int(size["each"]) * (name in handlers())
        shape = model.input_shape
        assert shape is not None
        for members in requests(shape, int(size["each"]), bench.random.randrange(2**32)):
            body = json.dumps(planted(shape, members, CANARY)).encode()
            with transaction.atomic():
                reply = _asked(client, name, body, key.key_id, secret)
                transaction.set_rollback(True)
            answers[str(reply.status_code)] += 1
            for harm in _harm(model, reply):
                found[harm] += 1
                if found[harm] <= 2:
                    examples.append(f"{harm}: {name} {body[:120]!r} {reply.status_code} {reply.content[:120]!r}")
    calls = answers.total()
    return Result(
        faults={
            "calls": calls,
            "answered": answers["200"],
            "refused": answers["400"],
            "calls_of_what_is_offered": offered,
        },
        harm={"server_errors": found["server error"], "without_aws_shape": found["shape"], "echoed": found["echo"]},
        figures={
            "operations": len(operation_models()),
            "offered": len(handlers()),
            "statuses": dict(answers),
            "milliseconds_each": round(1000 * (time.monotonic() - began) / calls, 1),
            "examples": examples,
        },
    )


def _asked(client: Any, operation: str, body: bytes, key_id: str, secret: str) -> Any:
    from tests.wire.signing import signed

    headers = {"content-type": CONTENT_TYPE, "x-amz-target": f"AwsProton20200720.{operation}"}
    request = signed(url=f"http://{HOST}/", body=body, headers=headers, key_id=key_id, secret=secret)
    sent = {name: value for name, value in request.headers.items() if name not in {"content-type", "content-length"}}
    return client.generic("POST", "/", body, content_type=CONTENT_TYPE, headers=sent)


def _harm(model: Any, reply: Any) -> Iterator[str]:
    from tests.wire.generating import allowed_errors

    if reply.status_code >= 500:
        yield "server error"
    try:
        said = json.loads(reply.content)
    except ValueError:
        said = None
    typed = reply.headers.get("content-type") == CONTENT_TYPE and reply.headers.get("x-amzn-RequestId")
    if not typed or not isinstance(said, dict):
        yield "shape"
    elif reply.status_code == 200:
        shape = model.output_shape
        if set(said) - set(shape.members if shape else ()) or set(shape.required_members if shape else ()) - set(said):
            yield "shape"
    else:
        named = set(said) == {"__type", "message"} and said["__type"] in allowed_errors(model.name)
        if not named or not said["message"] or reply.status_code != 400:
            yield "shape"
        if CANARY in reply.content.decode():
            yield "echo"


ROWS = [
    Row(
        29,
        "every operation of the API is sent whatever its shape allows, and what it does not",
        fuzz,
        ("shape",),
        small={"each": 3, "seconds": 60},
        full={"each": 560, "seconds": 900},
        patience=60,
        arena=None,
    ),
]
