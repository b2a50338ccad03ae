"""Names that engines give, engines by name, and the engine that provisions nothing."""

import re
import uuid
from typing import Any

import pytest

from provisioning.engines.base import Job, Outcome, Target
from provisioning.engines.cloudformation import CloudFormationEngine
from provisioning.engines.customer_managed import CustomerManagedEngine
from provisioning.engines.memory import MemoryEngine
from provisioning.engines.names import stack_name
from provisioning.engines.registry import Engines
from provisioning.engines.session import Sessions
from provisioning.outputs import Output


def test_stack_names_have_the_shape_that_proton_gave_them() -> None:
    name = stack_name("my-production-environment", "cloudformation", "id-1")
    assert re.fullmatch(r"AWSProton-my-production-e-cloudformation-[A-Z2-7]{15}", name)
    assert name == stack_name("my-production-environment", "cloudformation", "id-1")
    assert name != stack_name("my-production-environment", "cloudformation", "id-2")


@pytest.mark.parametrize("name", ["a", "x" * 200, "under_score", "ünïcode", "--", "", "a.b/c", "1234567890123456"])
def test_stack_names_are_valid_for_cloudformation(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", stack_name(name, "cloudformation", "id"))


def test_engines_are_made_once_by_name() -> None:
    engines = Engines(Sessions())
    assert isinstance(engines["cloudformation"], CloudFormationEngine)
    assert isinstance(engines["memory"], MemoryEngine)
    assert isinstance(engines["none"], CustomerManagedEngine)
    assert engines["memory"] is engines["memory"]
    assert engines.names() == ("cloudformation", "memory", "none")
    with pytest.raises(KeyError):
        engines["terraform"]


def test_a_caller_may_replace_and_add_engines() -> None:
    engine = MemoryEngine(lambda: 0.0)
    engines = Engines(Sessions(), {"cloudformation": lambda: engine, "more": lambda: engine})
    assert engines["cloudformation"] is engine
    assert engines.names() == ("cloudformation", "memory", "none", "more")


def customer_managed(intent: Any) -> Outcome:
    job = Job(
        str(uuid.uuid4()),
        intent,
        "env",
        Target("111111111111", "us-east-1"),
        settings={"outputs": {"VpcId": "vpc-1", "Public": True, "Zones": 2}},
    )
    outcome = CustomerManagedEngine().advance(job, None)
    assert isinstance(outcome, Outcome)
    return outcome


def test_a_customer_managed_environment_succeeds_with_its_values_as_outputs() -> None:
    outcome = customer_managed("apply")
    assert (outcome.status, outcome.resources) == ("succeeded", ())
    assert outcome.outputs == (Output("VpcId", "vpc-1"), Output("Public", "true"), Output("Zones", "2"))


def test_a_customer_managed_environment_is_removed_by_forgetting_it() -> None:
    assert customer_managed("remove") == Outcome("succeeded")
    assert customer_managed("cancel") == Outcome("cancelled")
