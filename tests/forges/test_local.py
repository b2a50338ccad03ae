"""The forge of this machine under what several processes and kills do to it, and the choice of a forge."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provisioning.engines.base import EngineUnavailable
from provisioning.forges.base import Repository
from provisioning.forges.errors import ForgeRefused, InvalidName
from provisioning.forges.local import LocalForge
from provisioning.forges.registry import Forges
from tests.forges.local_worker import REPOSITORY, work

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("count", "kills"), [(30, 12)])
def test_killed_processes_leave_one_branch_and_one_pull_request_each(tmp_path: Path, count: int, kills: int) -> None:
    forge = LocalForge(tmp_path)
    forge.create(REPOSITORY, {"README.md": "one\n"})
    command = [sys.executable, "-m", "tests.forges.local_worker", str(tmp_path), str(count)]
    random.seed(1)
    workers = [subprocess.Popen(command, cwd=ROOT, start_new_session=True) for _ in range(3)]
    try:
        for turn in range(kills):
            time.sleep(random.uniform(0.2, 0.6))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(workers[turn % 3].pid, signal.SIGKILL)  # git, which it started, as well
            workers[turn % 3].wait()
            workers[turn % 3] = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    time.sleep(0.1)
    for lock in tmp_path.rglob("*.git/**/*.lock"):  # as if the time had passed after which they are swept away
        os.utime(lock, (1, 1))
    work(str(tmp_path), count)
    pulls = forge.pull_requests(REPOSITORY)
    assert sorted(pull.number for pull in pulls) == list(range(1, count + 1))
    assert sorted(pull.branch for pull in pulls) == sorted(f"change/{number}" for number in range(count))
    assert {pull.state for pull in pulls} == {"merged"}
    where = tmp_path / "acme" / "infra.git"
    assert subprocess.run(["git", f"--git-dir={where}", "fsck", "--strict"], capture_output=True).returncode == 0
    head = forge.head(REPOSITORY, "main") or ""
    assert set(forge.tree(REPOSITORY, head)) == {"README.md", *(f"files/{number}" for number in range(count))}
    merges = subprocess.run(
        ["git", f"--git-dir={where}", "rev-list", "--count", "--merges", "main"], capture_output=True, text=True
    )
    assert merges.stdout.strip() == str(count)


@pytest.mark.parametrize("left", ["HEAD.lock", "refs/heads/main.lock"])
def test_a_lock_of_a_killed_git_is_waited_for_and_then_swept_away(tmp_path: Path, left: str) -> None:
    forge = LocalForge(tmp_path)
    base = forge.create(REPOSITORY, {"README.md": "one\n"})
    lock = tmp_path / "acme" / "infra.git" / left
    lock.touch()
    with pytest.raises(EngineUnavailable):
        forge.commit(REPOSITORY, "main", base, {"a": "b\n"}, "Change")
    os.utime(lock, (1, 1))
    assert forge.head(REPOSITORY, "main") == base
    assert forge.commit(REPOSITORY, "main", base, {"a": "b\n"}, "Change") == forge.head(REPOSITORY, "main")


def test_a_merge_whose_end_was_lost_is_found_again(tmp_path: Path) -> None:
    forge = LocalForge(tmp_path)
    base = forge.create(REPOSITORY, {"README.md": "one\n"})
    head = forge.commit(REPOSITORY, "change", base, {"a": "b\n"}, "Change")
    forge.open_pull_request(REPOSITORY, "change", "Change", "")
    record = tmp_path / "acme" / "infra.git" / "pull-requests" / "1.json"
    before = record.read_text()
    merged = forge.merge(REPOSITORY, 1, head)
    record.write_text(before)
    found = forge.pull_request(REPOSITORY, 1)
    assert (found.state, found.merged_as, found.files) == ("merged", merged.merged_as, ("a",))
    assert forge.merge(REPOSITORY, 1, head).merged_as == merged.merged_as


def test_repositories_are_listed_and_made_once(tmp_path: Path) -> None:
    forge = LocalForge(tmp_path)
    first = forge.create(REPOSITORY, {"README.md": "one\n"})
    assert forge.create(REPOSITORY, {"README.md": "two\n"}) == first
    forge.create(Repository("LOCAL", "acme/web"), {"README.md": "web\n"})
    assert forge.repositories() == ("acme/infra", "acme/web")


def test_each_provider_has_its_forge(tmp_path: Path) -> None:
    local = LocalForge(tmp_path)
    forges = Forges({"LOCAL": lambda _: local})
    assert forges(REPOSITORY) is local
    assert forges.providers() == ("LOCAL",)
    with pytest.raises(ForgeRefused, match="Bitbucket are not set up"):
        forges(Repository("BITBUCKET", "acme/infra"))
    with pytest.raises(InvalidName):
        Repository("GITLAB", "acme/infra")  # type: ignore[arg-type]
