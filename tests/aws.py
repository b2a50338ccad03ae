"""The embedded AWS for tests: ministack behind the adapter, one of each per worker process, on free ports.

Use it by ``pytest_plugins`` or by importing the fixtures: ``aws`` starts it once; ``aws_account`` points boto3 there
and hands out an account of its own per test, so that tests never meet.
"""

import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MINISTACK = ROOT / ".venv-aws" / "bin" / "ministack"
START_SECONDS = 20.0
PORTAL_ACCOUNT = "123456789012"


@dataclass(frozen=True)
class EmbeddedAws:
    endpoint: str  # of the adapter
    upstream: str  # of ministack itself
    account: str = PORTAL_ACCOUNT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ministack_environment(port: int, state: Path, *, persist: bool = False) -> dict[str, str]:
    """The environment of a ministack that is bound to loopback and writes nowhere but below ``state``."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": PORTAL_ACCOUNT,
        "MINISTACK_REGION": "us-east-1",
        "PERSIST_STATE": "1" if persist else "0",
        "STATE_DIR": str(state / "state"),
        "S3_PERSIST": "1" if persist else "0",
        "S3_DATA_DIR": str(state / "s3"),
        "TMPDIR": str(state),
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
    }


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {START_SECONDS:.0f} seconds")


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """ministack and the adapter, running until the session ends."""
    state = tmp_path_factory.mktemp("aws")
    upstream, port = free_port(), free_port()
    log = (state / "ministack.log").open("wb")
    stack = subprocess.Popen(
        [str(MINISTACK)], env=ministack_environment(upstream, state), stdout=log, stderr=log, cwd=state
    )
    ends = ["--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]
    adapter = subprocess.Popen([sys.executable, "-m", "portal.embedded.adapter", *ends], cwd=ROOT)
    try:
        wait_for_port(upstream, stack)
        wait_for_port(port, adapter)
        yield EmbeddedAws(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{upstream}")
    finally:
        stop(adapter)
        stop(stack)
        log.close()


_accounts = itertools.count(random.SystemRandom().randrange(10**11, 9 * 10**11))


@pytest.fixture
def aws_account(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh account of twelve digits; boto3's own variables lead to the embedded AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", PORTAL_ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return f"{next(_accounts):012d}"
