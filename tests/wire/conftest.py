"""What the tests of the Proton API share: one operation called the way the gateway calls it, signature apart."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import RequestFactory

from portal.models import User
from portal.wire import gateway
from portal.wire.errors import AwsError
from portal.wire.registry import Caller

ACCOUNT = "123456789012"


def run(caller: User | Caller, operation: str, **members: Any) -> Mapping[str, Any]:
    """The reply of one operation, through every step after the signature. Raises AwsError."""
    if not isinstance(caller, Caller):
        caller = Caller(caller, ACCOUNT)
    body = json.dumps(members)
    request = RequestFactory().post(
        "/", body, content_type=gateway.CONTENT_TYPE, HTTP_X_AMZ_TARGET=f"AwsProton20200720.{operation}"
    )
    call = gateway.Call(request, caller=caller)
    for step in gateway.STEPS:
        if step is not getattr(gateway, "authenticate", None):
            step(call)
    return call.reply


def refused(caller: User | Caller, operation: str, **members: Any) -> tuple[str, str]:
    """Name and message of the error that the operation answers."""
    try:
        reply = run(caller, operation, **members)
    except AwsError as error:
        return error.name, error.message
    raise AssertionError(f"{operation} was not refused: {reply}")


@pytest.fixture(scope="session")
def operations() -> Callable[[], set[str]]:
    from portal.wire.registry import handlers

    return lambda: set(handlers())
