"""The connect test, against an AWS that looks at trust policies and against one that does not."""

from collections.abc import Iterator

import pytest

from provisioning.engines.base import EngineUnavailable
from provisioning.engines.session import Sessions
from provisioning.engines.trust import Finding, Probe, connect_test, verdict_of
from tests.aws import PORTAL_ACCOUNT, EmbeddedAws, free_port
from tests.faults.aws_liar import Liar

ROLE = "arn:aws:iam::210987654321:role/deuteron"
OTHER = "arn:aws:iam::210987654321:role/components"


@pytest.fixture
def liar(aws: EmbeddedAws, aws_account: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    made = Liar(aws.upstream.removeprefix("http://"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    yield made
    made.close()


def find(*roles: str, may_be_emulated: bool = False) -> Finding:
    return connect_test(
        Sessions(),
        roles,
        region="us-east-1",
        external_id="right",
        name="connect-test",
        may_be_emulated=may_be_emulated,
    )


def test_a_role_that_asks_for_the_external_id_is_safe(liar: Liar) -> None:
    liar.trust(ROLE, {PORTAL_ACCOUNT}, external_id="right")
    found = find(ROLE, may_be_emulated=True)
    assert found.verdict == "safe"
    assert [(probe.kind, probe.assumed) for probe in found.probes] == [
        ("unknown", False),
        ("right", True),
        ("missing", False),
        ("wrong", False),
    ]
    assert {probe.said.split(":")[0] for probe in found.probes if not probe.assumed} == {"AccessDenied"}
    assert {probe.role_arn for probe in found.probes if probe.kind != "unknown"} == {ROLE}


def test_a_role_that_trusts_somebody_else_is_closed(liar: Liar) -> None:
    liar.trust(ROLE, {"999999999999"}, external_id="right")
    assert find(ROLE).verdict == "closed"


def test_one_role_that_is_not_there_closes_all(liar: Liar) -> None:
    liar.trust(ROLE, {PORTAL_ACCOUNT}, external_id="right")
    assert find(ROLE, OTHER).verdict == "closed"


def test_a_role_without_the_condition_is_open(liar: Liar) -> None:
    liar.trust(ROLE, {PORTAL_ACCOUNT})
    found = find(ROLE)
    assert (found.verdict, [probe.assumed for probe in found.probes]) == ("open", [True, True, True])


def test_open_weighs_more_than_closed() -> None:
    def probe(kind: str, assumed: bool) -> Probe:
        return Probe(ROLE, kind, assumed, "", 1)  # type: ignore[arg-type]

    assert verdict_of([probe("right", True), probe("missing", False), probe("wrong", True)]) == "open"
    assert verdict_of([probe("right", False), probe("missing", True), probe("wrong", False)]) == "open"


def test_an_aws_that_lets_everybody_in_is_found_out_only_when_it_may_be_an_emulator(aws_account: str) -> None:
    assert find(ROLE, may_be_emulated=True).verdict == "unchecked"
    assert find(ROLE).verdict == "open"


def test_without_roles_there_is_nothing_to_test() -> None:
    assert find() == Finding("nothing", ())


@pytest.mark.parametrize("fault", ["throttle", "unavailable", "expired"])
def test_an_aws_that_does_not_answer_proves_nothing(liar: Liar, fault: str) -> None:
    liar.fault(fault, "AssumeRole")
    with pytest.raises(EngineUnavailable):
        find(ROLE)


def test_an_aws_that_is_out_of_reach_proves_nothing(aws_account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EngineUnavailable, match="Could not connect"):
        find(ROLE)
