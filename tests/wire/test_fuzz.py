"""Whatever is asked of an operation: it answers what its shape says, or refuses in AWS's words."""

import json

import pytest
from django.db import transaction
from django.test import RequestFactory

from portal.wire import gateway
from portal.wire.errors import AwsError
from portal.wire.registry import Caller, handlers
from portal.wire.service_model import operation_models
from tests.wire.generating import ACCOUNT, allowed_errors, requests
from tests.wire.world import a_world

pytestmark = pytest.mark.django_db
EACH = 40  # requests for each operation; the faults have more, signed ones


@pytest.fixture
def caller(simulated) -> Caller:
    """An admin, in a world where some names lead somewhere."""
    return Caller(a_world(), ACCOUNT)


@pytest.mark.parametrize("name", sorted(operation_models()))
def test_an_operation_answers_or_refuses_in_a_shape_that_it_declares(caller, name):
    if name not in handlers():
        pytest.skip("not yet available")
    allowed = allowed_errors(name)
    found = {}
    for number, members in enumerate(requests(operation_models()[name].input_shape, EACH, seed=1)):
        request = RequestFactory().post(
            "/", json.dumps(members), content_type="application/json", HTTP_X_AMZ_TARGET=f"AwsProton20200720.{name}"
        )
        call = gateway.Call(request, caller=caller)
        with transaction.atomic():
            try:
                for step in gateway.STEPS:
                    if step is not getattr(gateway, "authenticate", None):
                        step(call)
            except AwsError as error:
                if error.name not in allowed or error.status != 400 or not error.message:
                    found[number] = (error.name, error.status, error.message[:200], str(members)[:300])
            transaction.set_rollback(True)
    assert found == {}
