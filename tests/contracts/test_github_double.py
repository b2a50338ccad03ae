"""The tests' GitHub against GitHub's published description, and its webhooks."""

import http.server
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from provisioning.forges.base import Repository
from provisioning.forges.errors import Conflicted, Moved, NothingToMerge
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import App
from tests.github import description
from tests.github.double import APP_ID, Exchange, GitHubDouble, signature
from tests.github.keys import PRIVATE, PUBLIC
from tests.github.unpack import DESCRIPTION

described = pytest.mark.skipif(not DESCRIPTION.exists(), reason="make test brings GitHub's description")
INFRA = Repository("GITHUB", "acme/infra")


def use_everything(double: GitHubDouble) -> None:
    """Every request that the forge can make, refusals included."""
    person = double.repository("acme/infra", {"README.md": "one\n", "dev/main.tf": "one\n"})
    forge = GitHubForge(App(str(APP_ID), PRIVATE), double.url)
    forge.access(INFRA)
    base = forge.head(INFRA, "main") or ""
    forge.head(INFRA, "nowhere")
    forge.tree(INFRA, base, "dev")
    forge.read(INFRA, base, "dev/main.tf")
    forge.create_branch(INFRA, "empty", base)
    head = forge.commit(INFRA, "change", base, {"dev/main.tf": "two\n", "README.md": None}, "Change")
    head = forge.commit(INFRA, "change", head, {"more.tf": "more\n"}, "More")
    for branch, expected in (("change", base), ("empty", head)):
        with pytest.raises(Moved):
            forge.create_branch(INFRA, branch, expected)
    with pytest.raises(NothingToMerge):
        forge.open_pull_request(INFRA, "empty", "Empty", "")
    forge.open_pull_request(INFRA, "change", "Title", "Body")
    double.stores["acme/infra"].checks[head] = [("build", "completed", "success"), ("lint", "in_progress", None)]
    assert forge.pull_request(INFRA, 1).checks == "pending"
    forge.diff(INFRA, 1)
    forge.describe(INFRA, 1, "New title", "")
    forge.comment(INFRA, 1, "Said", "key")
    forge.merge(INFRA, 1, head)
    forge.delete_branch(INFRA, "change", head)
    other = forge.commit(INFRA, "other", base, {"dev/main.tf": "three\n"}, "Other")
    forge.open_pull_request(INFRA, "other", "Other", "")
    with pytest.raises(Conflicted):
        forge.merge(INFRA, 2, other)
    forge.close(INFRA, 2, "No more")
    person.put("main", {"last": "last\n"})


@described
def test_what_is_asked_and_what_is_answered_is_what_github_describes(tmp_path: Path) -> None:
    with GitHubDouble(tmp_path, app_key=PUBLIC) as double:
        use_everything(double)
    assert [said for exchange in double.exchanges for said in description.problems(exchange)] == []
    assert {exchange.status for exchange in double.exchanges} >= {200, 201, 204, 404, 405, 422}


@described
def test_the_description_finds_what_is_wrong() -> None:
    def ask(method: str, path: str, status: int, answer: Any, body: Any = None, **query: str) -> list[str]:
        return description.problems(Exchange(method, path, query, body, status, answer))

    ref = {"ref": "refs/heads/x", "node_id": "1", "url": "https://api.github.com/x"}
    commit = {"type": "commit", "sha": "a" * 40, "url": "https://api.github.com/x"}
    assert ask("GET", "/repos/a/b/git/ref/heads/x/y", 200, {**ref, "object": commit}) == []
    assert len(ask("GET", "/repos/a/b/git/ref/heads/x", 200, ref)) == 1
    assert len(ask("GET", "/repos/a/b/git/ref/heads/x", 200, {**ref, "object": commit, "more": 1})) == 1
    assert len(ask("POST", "/repos/a/b/git/refs", 201, {**ref, "object": commit}, {"ref": "refs/heads/x"})) == 1
    assert len(ask("GET", "/repos/a/b/pulls", 200, [], state="odd")) == 1
    assert len(ask("GET", "/repos/a/b/pulls", 200, [], colour="red")) == 1
    assert len(ask("GET", "/repos/a/b/nonsense", 200, {})) == 1
    assert len(ask("PUT", "/repos/a/b/pulls/1/merge", 299, {})) == 1


class _Inbox(http.server.BaseHTTPRequestHandler):
    received: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_webhooks_are_signed_and_what_github_describes(tmp_path: Path) -> None:
    received: list[tuple[dict[str, str], bytes]] = []
    inbox = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Inbox", (_Inbox,), {"received": received}))
    threading.Thread(target=inbox.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with GitHubDouble(tmp_path, app_key=PUBLIC) as double:
            double.hooks.append((f"http://127.0.0.1:{inbox.server_address[1]}/", "secret"))
            use_everything(double)
            double.settle()
    finally:
        inbox.shutdown()
        inbox.server_close()
    found = []
    for headers, body in received:
        payload = json.loads(body)
        assert headers["x-hub-signature-256"] == signature("secret", body)
        event = headers["x-github-event"]
        found.append((event, payload.get("action", payload.get("ref"))))
        if DESCRIPTION.exists():
            name = event.replace("_", "-") + (f"-{payload['action']}" if "action" in payload else "")
            assert description.webhook_problems(name, payload) == []
    assert found == [
        ("pull_request", "opened"),
        ("pull_request", "closed"),
        ("push", "refs/heads/main"),
        ("pull_request", "opened"),
        ("pull_request", "closed"),
    ]
    assert len({headers["x-github-delivery"] for headers, _ in received}) == 5
