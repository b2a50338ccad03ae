"""A backup is restored while AWS moved on: everything that differs is listed, and nothing is destroyed."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.aws import ROOT
from tests.servers.person import Person
from tests.servers.stack import Stack, cloudformation, wait_until

pytestmark = pytest.mark.fault


def moving_on(stack: Stack, when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.servers.moving_on", when],
        cwd=ROOT,
        env=stack.environment("migrate"),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def aws_now(stack: Stack) -> dict[str, tuple[str, str, str]]:
    """Each stack by its name: ARN, status, when it was changed."""
    pages = cloudformation(stack).get_paginator("describe_stacks").paginate()
    return {
        stack["StackName"]: (stack["StackId"], stack["StackStatus"], str(stack.get("LastUpdatedTime")))
        for page in pages
        for stack in page["Stacks"]
    }


def restore(stack: Stack, dump: Path) -> None:
    """As docs/operations.md says."""
    restored = f"{stack.database}_restored"
    stack.postgres.run("createdb", f"--owner={stack.role}", restored)
    stack.postgres.run("pg_restore", "--no-owner", f"--role={stack.role}", f"--dbname={restored}", str(dump))
    stack.postgres.sql(f"DROP DATABASE {stack.database} WITH (FORCE)")
    stack.database = restored


def test_an_old_backup_is_reconciled_and_destroys_nothing(stack: Stack, aws_account: str, tmp_path: Path) -> None:
    moving_on(stack, "before")
    assert stack.manage("reconcile", "--clock-skew=0", check=False).stdout.splitlines()[-1] == "1 differences"
    dump = tmp_path / "deuteron.dump"
    stack.postgres.run("pg_dump", "--format=custom", f"--file={dump}", database=stack.database)
    moving_on(stack, "after")
    assert stack.manage("reconcile", "--clock-skew=0").stdout == "nothing differs\n"
    left = aws_now(stack)

    restore(stack, dump)
    told = stack.manage("reconcile", "--hold", "--clock-skew=0", check=False)
    assert told.returncode == 1
    assert told.stdout.startswith("1 deployments are held\n")
    found = re.findall(
        r"^(changed|missing|under way|unknown) +\S+?(?:environment/|AWSProton-)([a-z-]+?)(?:-cloud\S*)?$",
        told.stdout,
        re.M,
    )
    assert found == [("changed", "updated"), ("missing", "deleted"), ("under way", "under-way"), ("unknown", "newer")]

    stack.up(workers=2)
    time.sleep(3)  # long enough for every worker to look for work several times
    assert aws_now(stack) == left
    assert stack.sql("SELECT phase FROM portal_deployment WHERE status = 'IN_PROGRESS'") == "attention"

    ada = Person(stack.address)
    ada.sign_in("ada", "correct horse")
    (held,) = stack.sql("SELECT id FROM portal_deployment WHERE status = 'IN_PROGRESS'").splitlines()
    ada.post(f"/deployments/{held}/attention/", {"decision": "resume", "reason": "The stack is there"})
    wait_until(
        lambda: stack.sql(f"SELECT status FROM portal_deployment WHERE id = '{held}'") == "SUCCEEDED",
        20,
        "the deployment that was held",
        stack.log("worker"),
    )
    assert aws_now(stack) == left
