"""Names of repositories, branches, files and servers: everything else is refused before anything is asked."""

import http.server
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning.engines.base import EngineUnavailable
from provisioning.forges import git, names
from provisioning.forges.base import Repository
from provisioning.forges.errors import ForgeRefused, InvalidName
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import Token
from provisioning.forges.local import LocalForge
from tests.forges.hostile_names import CANARY, HOSTILE

GOOD_BRANCHES = ["main", "feature/one", "proton--proton-service_instance-1", "release-1.2", "a_b", "1", "deps/x+y#3"]
GOOD_REPOSITORIES = ["acme/infra", "a/.github", "A-1_b/c.d-e_f", "0/0"]


@pytest.mark.parametrize("name", GOOD_BRANCHES)
def test_branches_that_people_use_are_accepted(name: str) -> None:
    assert names.branch_name(name) == name


@pytest.mark.parametrize("name", GOOD_REPOSITORIES)
def test_repositories_that_people_use_are_accepted(name: str) -> None:
    assert names.repository_name(name) == name


@pytest.mark.parametrize(
    "url", ["https://api.github.com", "https://git.example.com/api/v3", "https://git.example.com:8443/api/v3"]
)
def test_servers_are_named_by_https_and_host(url: str) -> None:
    assert names.base_url(url) == url


@pytest.mark.parametrize("name", ["a/b.git", "a/b/c", "169.254.169.254/x", "a.b/c", "infra", "a/..", "a/b.lock"])
def test_a_repository_has_one_owner_and_one_name(name: str) -> None:
    with pytest.raises(InvalidName):
        Repository("GITHUB", name)


INFRA = Repository("LOCAL", "acme/infra")
ATTEMPTS: dict[str, Callable[[LocalForge, GitHubForge, str, Any], object]] = {
    "repository": lambda local, github, base, value: Repository("LOCAL", value),
    "create": lambda local, github, base, value: local.create(Repository("LOCAL", value), {}),
    "base": lambda local, github, base, value: Repository("LOCAL", "acme/infra", value),
    "provider": lambda local, github, base, value: Repository(value, "acme/infra"),
    "branch": lambda local, github, base, value: local.commit(INFRA, value, base, {"a": "b"}, "X"),
    "head": lambda local, github, base, value: local.head(INFRA, value),
    "parent": lambda local, github, base, value: local.commit(INFRA, "x", value, {"a": "b"}, "X"),
    "commit": lambda local, github, base, value: local.commit_at(INFRA, value),
    "tree": lambda local, github, base, value: local.tree(INFRA, value),
    "github branch": lambda local, github, base, value: github.head(INFRA, value),
    "github tree": lambda local, github, base, value: github.tree(INFRA, value),
    "server": lambda local, github, base, value: GitHubForge(Token("x"), value),
}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An address of this machine, and what was asked there: the referee."""
    heard: list[str] = []

    class Ear(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            heard.append(str(self.client_address))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    server.server_close()


def test_no_hostile_name_reaches_a_server_a_process_or_a_file(
    tmp_path: Path, canary: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, heard = canary
    touched = tmp_path / "touched"
    forge = LocalForge(tmp_path / "repositories")
    base = forge.create(INFRA, {"README.md": "one\n"})
    before = snapshot(tmp_path)
    commands: list[list[str]] = []
    run = subprocess.run

    def watched(command: list[str], **options: Any) -> object:
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    github = GitHubForge(Token("x"), "http://127.0.0.1:1", timeout=1)
    accepted = []
    for template in HOSTILE:
        for value in {template.replace(CANARY, address), template.replace(CANARY, f"touch {touched}")}:
            for what, attempt in ATTEMPTS.items():
                try:
                    attempt(forge, github, base, value)
                except InvalidName:
                    continue
                except (ForgeRefused, EngineUnavailable):
                    pass
                accepted.append((what, value))
    # What has the form of a name is one: it names a repository, a branch or a commit that is not there, no more.
    assert {what for what, _ in accepted} <= {"commit", "tree", "github tree", "parent"}
    assert {value for _, value in accepted} <= {"0" * 40}
    assert heard == []
    assert not touched.exists()
    assert {command[0] for command in commands} <= {"git"}
    assert snapshot(tmp_path) == before
    assert len(HOSTILE) >= 150


@pytest.mark.parametrize("value", [name for name in HOSTILE if name not in ("0" * 40,)])
def test_a_hostile_path_is_refused_or_stays_inside(value: str, tmp_path: Path) -> None:
    try:
        names.file_path(value)
    except InvalidName:
        return
    parts = value.split("/")
    assert not value.startswith(("/", "-"))
    assert not {"", ".", ".."} & set(parts)
    assert not [part for part in parts if part.lower().strip(" .") == "git" and part.startswith(".")]


def test_the_canary_hears(canary: tuple[str, list[str]]) -> None:
    address, heard = canary
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.recv(1)
    assert len(heard) == 1


def test_git_runs_with_nothing_of_the_machines_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    hook = home / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {hook.parent}\n[user]\n\tname = Somebody\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ssh")
    forge = LocalForge(tmp_path / "repositories")
    repository = Repository("LOCAL", "acme/infra")
    base = forge.create(repository, {"README.md": "one\n"})
    where = tmp_path / "repositories" / "acme" / "infra.git"
    (where / "hooks").mkdir(exist_ok=True)
    (where / "hooks" / "reference-transaction").write_text(hook.read_text())
    (where / "hooks" / "reference-transaction").chmod(0o755)
    forge.commit(repository, "x", base, {"a": "b"}, "X")
    with pytest.raises(Exception, match="not allowed"):
        git.run(where, "fetch", "--", "https://127.0.0.1:1/x")
    with pytest.raises(Exception, match="not allowed"):
        git.run(where, "fetch", "--", str(where))
    assert not (tmp_path / "hooked").exists() and not (tmp_path / "ssh").exists()
    assert git.run(where, "log", "-1", "--format=%an", "x", "--").decode().strip() == "Deuteron"


def snapshot(folder: Path) -> set[str]:
    """Every file but git's objects, which nothing names."""
    return {str(path) for path in folder.rglob("*") if "/objects/" not in str(path)}
