"""An AWS that looks at trust policies, for tests of the portal: the embedded one behind ``aws-liar``."""

from collections.abc import Iterator

import pytest

from portal import engines
from tests.aws import EmbeddedAws
from tests.faults.aws_liar import Liar


def _forget_clients() -> None:
    engines.sessions.cache_clear()
    engines._engines.cache_clear()


@pytest.fixture
def checking_aws(
    aws: EmbeddedAws, aws_account: str, settings: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Liar]:
    """Roles are assumed only as ``liar.trust`` says; the portal is the embedded one of account 123456789012."""
    settings.EMBEDDED = True  # type: ignore[attr-defined]
    liar = Liar(aws.upstream.removeprefix("http://"), seconds=0.1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", liar.endpoint)
    _forget_clients()
    yield liar
    liar.close()
    _forget_clients()


@pytest.fixture
def open_aws(aws_account: str, settings: object) -> Iterator[str]:
    """The embedded AWS as it is: it looks at no trust policy. Gives an account of its own."""
    settings.EMBEDDED = True  # type: ignore[attr-defined]
    _forget_clients()
    yield aws_account
    _forget_clients()
