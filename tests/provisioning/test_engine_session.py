"""Which credentials act in which account."""

import threading
from typing import Any

import pytest

from provisioning.engines.base import Target
from provisioning.engines.session import NoAccess, Sessions

ROLE = "arn:aws:iam::{}:role/portal"


def account_of(client: Any) -> str:
    return str(client.get_caller_identity()["Account"])


def test_a_role_is_assumed_with_external_id_and_the_name_of_the_deployment(aws_account: str) -> None:
    target = Target(aws_account, "eu-west-1", ROLE.format(aws_account), "shared-secret")
    sessions = Sessions()
    sent: list[dict[str, Any]] = []
    own = sessions.own

    def watched(service: str, region: str, *, mutating: bool = False) -> Any:
        client = own(service, region, mutating=mutating)
        client.meta.events.register("provide-client-params.sts.AssumeRole", lambda params, **_: sent.append(params))
        return client

    sessions.own = watched  # type: ignore[method-assign]
    client = sessions.client("sts", target, name="deployment-1")
    identity = client.get_caller_identity()
    assert identity["Account"] == aws_account
    assert identity["Arn"].endswith("role/portal/deployment-1")
    assert client.meta.region_name == "eu-west-1"
    assert [(call["RoleArn"], call["ExternalId"]) for call in sent] == [(target.role_arn, "shared-secret")]


def test_a_session_is_kept_until_four_fifths_of_its_life(aws_account: str) -> None:
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    target = Target(aws_account, "us-east-1", ROLE.format(aws_account))
    first = sessions.client("sts", target, name="one")
    now[0] = 0.8 * 3600 - 1
    assert sessions.client("sts", target, name="one") is first
    assert sessions.client("sts", target, name="other") is not first
    now[0] = 0.8 * 3600 + 1
    assert sessions.client("sts", target, name="one") is not first


def test_a_role_of_another_account_is_refused_before_aws_is_asked() -> None:
    with pytest.raises(NoAccess, match="is not of account 111111111111"):
        Sessions().client("sts", Target("111111111111", "us-east-1", ROLE.format("222222222222")))


def test_without_a_role_only_the_portals_own_account_is_entered(aws_account: str) -> None:
    sessions = Sessions()
    assert account_of(sessions.client("sts", Target("123456789012", "us-east-1"))) == "123456789012"
    with pytest.raises(NoAccess, match=f"No role was given for account {aws_account}"):
        sessions.client("sts", Target(aws_account, "us-east-1"))


def test_account_keys_enter_any_account_of_the_embedded_aws(aws_account: str) -> None:
    sessions = Sessions(account_keys=True)
    assert account_of(sessions.client("sts", Target(aws_account, "us-east-1"))) == aws_account


def test_account_keys_are_refused_for_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(NoAccess, match="is real"):
        Sessions(account_keys=True).client("cloudformation", Target("111111111111", "us-east-1"))


def test_forgetting_a_target_leaves_the_others(aws_account: str) -> None:
    sessions = Sessions(account_keys=True)
    here, there = Target(aws_account, "us-east-1"), Target(aws_account, "eu-west-1")
    kept, dropped = sessions.client("sts", there), sessions.client("sts", here)
    sessions.forget(here)
    assert sessions.client("sts", there) is kept
    assert sessions.client("sts", here) is not dropped


def test_reads_are_tried_twice_and_changes_once_well_within_a_lease(aws_account: str) -> None:
    sessions, target = Sessions(account_keys=True), Target(aws_account, "us-east-1")
    for mutating, attempts in ((False, 2), (True, 1)):
        config = sessions.client("cloudformation", target, mutating=mutating).meta.config
        assert config.retries["total_max_attempts"] == attempts
        assert (config.connect_timeout + config.read_timeout) * attempts < 20


def test_many_threads_get_working_clients(aws_account: str) -> None:
    sessions = Sessions(account_keys=True)
    found: list[str] = []

    def ask() -> None:
        found.append(account_of(sessions.client("sts", Target(aws_account, "us-east-1"))))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [aws_account] * 8
