"""The server that tests use: never root's, and gone when its parent is gone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.aws import ROOT


def test_it_answers_on_its_socket_and_runs_as_nobody_important(postgres):
    assert postgres.sql("SELECT 1 + 1") == "2"
    owner = postgres.data.stat().st_uid
    assert (owner, os.stat(f"/proc/{postgres.process.pid}").st_uid) == (owner, owner)
    assert owner != 0


def test_a_stopped_server_keeps_what_was_written(postgres):
    postgres.sql("CREATE TABLE kept AS SELECT 7 AS number")
    postgres.stop()
    postgres.start()
    assert postgres.sql("SELECT number FROM kept") == "7"


def test_it_ends_with_its_parent_even_when_that_is_killed():
    print_socket = "import os, time; print(os.environ['DATABASE_URL'], flush=True); time.sleep(60)"
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", sys.executable, "-c", print_socket],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    address = parent.stdout.readline()
    directory = Path(re.search(r"@(.*?):", address)[1].replace("%2F", "/"))
    server = int((directory / "data" / "postmaster.pid").read_text().split()[0])
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{server}/stat").exists() and time.monotonic() < until:
        if Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    assert not (directory / "data" / "postmaster.pid").exists()
    subprocess.run(["rm", "-r", str(directory)], check=True)
