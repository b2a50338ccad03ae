"""The whole product as `make run` starts it: what it promises about starting, dying and stopping."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pytest

from portal.embedded.profiles import AccessKeyPair, read_credentials
from portal.embedded.settings import any_free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


class Stack:
    """One supervisor, started as make does."""

    def __init__(self, data: Path):
        self.port, self.aws_port = any_free_port(), any_free_port()
        env = {"PATH": os.environ["PATH"], "HOME": str(data), "LANG": "C.UTF-8"}
        env |= {"PORT": str(self.port), "AWS_PORT": str(self.aws_port), "DATA_DIR": str(data)}
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "portal.embedded"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
        )

    def wait_for(self, words: str) -> str:
        """What it prints until a line with these words. Raises AssertionError when it ends without."""
        assert self.supervisor.stdout is not None
        said = ""
        for line in self.supervisor.stdout:
            said += line
            if words in line:
                return said
        raise AssertionError(said)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.supervisor.pid).children(recursive=True)

    def child(self, part: str) -> psutil.Process:
        direct = psutil.Process(self.supervisor.pid).children()
        return next(process for process in direct if part in " ".join(process.cmdline()))

    def sign_in_page(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/sign-in/", timeout=30) as answer:
            return int(answer.status)

    def s3(self, key: AccessKeyPair):
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.aws_port}",
            region_name="us-east-1",
            aws_access_key_id=key.key_id,
            aws_secret_access_key=key.secret,
        )


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for process in psutil.process_iter():
        try:
            if process.environ().get("DATA_DIR") == str(tmp_path):
                process.kill()
        except psutil.Error:
            continue


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=30)[1]


def test_the_stack_survives_the_death_of_a_part_and_ends_whole_and_keeps_its_state(data):
    stack = Stack(data)
    said = stack.wait_for("Ctrl-C stops everything")
    keys = read_credentials(data / "aws" / "credentials")
    assert list(keys) == ["admin", "platform", "developer"]
    assert all(key.key_id in said and key.secret in said for key in keys.values())
    assert stack.sign_in_page() == 200
    stack.s3(keys["admin"]).put_object(Bucket="proton-templates-bucket", Key="kept", Body=b"yesterday")

    web = stack.child("gunicorn")
    web.kill()
    stack.wait_for("the web server ended (killed by SIGKILL)")
    alive([web])
    while "gunicorn" not in " ".join(" ".join(process.cmdline()) for process in stack.children()):
        time.sleep(0.05)
    assert retried(stack.sign_in_page) == 200

    processes = stack.children()
    stack.supervisor.send_signal(signal.SIGTERM)
    assert stack.supervisor.wait(SECONDS) == 0
    assert alive(processes) == []

    again = Stack(data)
    said = again.wait_for("Ctrl-C stops everything")
    assert keys["developer"].secret in said
    kept = again.s3(keys["developer"]).get_object(Bucket="proton-templates-bucket", Key="kept")
    assert kept["Body"].read() == b"yesterday"

    processes = again.children()
    again.supervisor.kill()
    again.supervisor.wait(SECONDS)
    assert alive(processes) == []


def retried(call, times=100):
    """The answer of ``call`` once it no longer raises OSError."""
    for _ in range(times):
        try:
            return call()
        except OSError:
            time.sleep(0.1)
    return call()
