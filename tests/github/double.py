"""GitHub on this machine, for tests: the part of its REST interface that the product speaks to, over real git
repositories, with its webhooks. It refuses what GitHub refuses, keeps a ledger of every change, and fails on request.
tests/contracts/test_github_double.py holds it against GitHub's published description.
"""

import hashlib
import hmac
import http.server
import json
import queue
import re
import secrets
import socket
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jwt

from tests.github.shapes import Shapes, at
from tests.github.store import Pull, Store

FaultKind = Literal["lost", "dropped", "error", "html", "rate", "slow down", "revoked"]
APP_ID = 4711
RIGHTS = {"contents": "write", "pull_requests": "write", "metadata": "read", "checks": "read"}
_VALIDATION = "Validation Failed"


@dataclass
class Fault:
    """Happens to the next ``times`` requests that match. "lost": done, but the answer never arrives."""

    kind: FaultKind
    method: str = ".*"
    path: str = ".*"
    times: int = 1


@dataclass
class Grant:
    repositories: tuple[str, ...]
    permissions: dict[str, str]
    expires: float


@dataclass
class Exchange:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    answer: Any


class Refusal(Exception):
    def __init__(self, status: int, said: str, *errors: dict[str, str], headers: dict[str, str] | None = None):
        self.status, self.headers = status, headers or {}
        self.answer: dict[str, Any] = {"message": said, "documentation_url": "https://github.com/"}
        if errors:
            self.answer["errors"] = list(errors)


@dataclass
class GitHubDouble:
    """``url`` is the base URL of its API. Use as a context manager."""

    directory: Path
    clock: Callable[[], float] = time.time
    app_key: str = ""  # the App's public key, PEM
    installed: bool = True
    rights: dict[str, str] = field(default_factory=lambda: dict(RIGHTS))
    tokens: dict[str, Grant] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)  # changes that everybody sees, as they were done
    exchanges: list[Exchange] = field(default_factory=list)
    hooks: list[tuple[str, str]] = field(default_factory=list)  # address and secret
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores: dict[str, Store] = {}
        self.lock = threading.RLock()
        self.outgoing: queue.Queue[dict[str, Any]] = queue.Queue()
        double = self

        class Handler(_Handler):
            github = double

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.shapes = Shapes(self.url, time.time())

    def __enter__(self) -> "GitHubDouble":
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        threading.Thread(target=self.keep_delivering, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    # What people and GitHub itself do

    def repository(self, name: str, files: dict[str, str], branch: str = "main") -> Store:
        owner, _, short = name.partition("/")
        store = Store(self.directory / f"{owner}-{short}.git", owner, short, len(self.stores) + 1, branch)
        self.stores[name] = store
        store.put(branch, dict(files), "First commit")
        return store

    def personal_token(self, *names: str) -> str:
        token = f"ghp_{secrets.token_hex(18)}"
        self.tokens[token] = Grant(names, {**self.rights, "workflows": "write"}, float("inf"))
        return token

    def press_merge(self, name: str, number: int, method: str = "merge") -> str:
        """A person presses the button. Squashing makes one new commit that knows nothing of the branch."""
        with self.lock:
            store = self.stores[name]
            pull = store.pulls[number - 1]
            head, base = store.head(pull.head) or "", store.head(pull.base) or ""
            tree = store.merged_tree(base, head)
            assert pull.state == "open" and tree is not None, pull
            parents = [base] if method == "squash" else [base, head]
            sha = store.commit(tree, parents, f"Merge pull request #{number}\n")
            store.git("update-ref", f"refs/heads/{pull.base}", sha, base)
            now = self.clock()
            pull.state, pull.head_sha, pull.base_sha = "closed", head, base
            pull.merged_at = pull.closed_at = now
            pull.merge_commit_sha = sha
        self.hook("pull_request", store, {"action": "closed", "number": number, "pull_request": pull})
        self.hook("push", store, {"ref": f"refs/heads/{pull.base}", "before": base, "after": sha})
        return sha

    def press_close(self, name: str, number: int) -> None:
        with self.lock:
            store = self.stores[name]
            pull = store.pulls[number - 1]
            pull.state, pull.closed_at, pull.head_sha = "closed", self.clock(), store.head(pull.head) or ""
            pull.base_sha = store.head(pull.base) or ""
        self.hook("pull_request", store, {"action": "closed", "number": number, "pull_request": pull})

    # Webhooks

    def payload(self, event: str, store: Store, about: dict[str, Any]) -> dict[str, Any]:
        shown = {**about, "repository": self.shapes.repository(store), "sender": self.shapes.user("octo-person")}
        if isinstance(about.get("pull_request"), Pull):
            shown["pull_request"] = self.shapes.pull(store, about["pull_request"])
        if event == "push":
            head = self.shapes.commit(store, about["after"])
            commit = {
                "id": about["after"],
                "tree_id": head["tree"]["sha"],
                "distinct": True,
                "message": head["message"],
                "timestamp": head["committer"]["date"],
                "url": head["html_url"],
                "author": {"name": "Octo", "email": "octo@example.com", "username": "octo-person"},
                "committer": {"name": "Octo", "email": "octo@example.com", "username": "octo-person"},
                "added": [],
                "removed": [],
                "modified": [],
            }
            shown.update(
                created=False,
                deleted=False,
                forced=False,
                base_ref=None,
                compare=f"{self.url}/{store.full_name}/compare",
                commits=[commit],
                head_commit=commit,
                pusher={"name": "octo-person", "email": "octo@example.com"},
            )
        shown["installation"] = {"id": 1, "node_id": "I_1"}
        return shown

    def hook(self, event: str, store: Store, about: dict[str, Any]) -> None:
        """Delivers to every hook, once and in order, as GitHub does: what fails stays so until somebody asks again."""
        if not self.hooks:
            return
        body = json.dumps(self.payload(event, store, about)).encode()
        for address, secret in self.hooks:
            delivery = {"id": str(uuid.uuid4()), "event": event, "body": body, "address": address, "secret": secret}
            self.deliveries.append(delivery)
            self.outgoing.put(delivery)

    def keep_delivering(self) -> None:
        while True:
            self.deliver(self.outgoing.get())
            self.outgoing.task_done()

    def settle(self) -> None:
        """Returns when every delivery so far was tried."""
        self.outgoing.join()

    def deliver(self, delivery: dict[str, Any]) -> int:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/double",
            "X-GitHub-Event": delivery["event"],
            "X-GitHub-Delivery": delivery["id"],
            "X-Hub-Signature-256": signature(delivery["secret"], delivery["body"]),
        }
        request = urllib.request.Request(delivery["address"], delivery["body"], headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                delivery["status"] = answer.status
        except urllib.error.HTTPError as error:
            delivery["status"] = error.code
        except OSError:
            delivery["status"] = 0
        return int(delivery["status"])

    # Requests

    def fault(self, method: str, path: str) -> FaultKind | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    fault.times -= 1
                    return fault.kind
        return None

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, token: str) -> tuple[int, Any]:
        for pattern, verbs in ROUTES:
            if found := re.fullmatch(pattern, path):
                if method not in verbs:
                    break
                with self.lock:
                    return verbs[method](Call(self, method, query, body or {}, token), **found.groupdict())
        raise Refusal(404, "Not Found")


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Call:
    github: GitHubDouble
    method: str
    query: dict[str, str]
    body: dict[str, Any]
    token: str

    @property
    def shapes(self) -> Shapes:
        return self.github.shapes

    def app(self) -> None:
        try:
            claims = jwt.decode(self.token, self.github.app_key, algorithms=["RS256"])
        except jwt.InvalidTokenError:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if int(claims["iss"]) != APP_ID or claims["exp"] - claims["iat"] > 660:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")

    def store(self, owner: str, repo: str, right: str = "contents", level: str = "read") -> Store:
        grant = self.github.tokens.get(self.token)
        if grant is None or grant.expires < self.github.clock():
            raise Refusal(401, "Bad credentials")
        name = f"{owner}/{repo}"
        if name not in grant.repositories or name not in self.github.stores:
            raise Refusal(404, "Not Found")
        held = grant.permissions.get(right)
        if held is None or (level == "write" and held != "write"):
            raise Refusal(403, "Resource not accessible by integration")
        return self.github.stores[name]

    def done(self, what: str) -> None:
        self.github.ledger.append(what)

    def may_write(self, store: Store, sha: str) -> None:
        """Workflow files need a right of their own."""
        rights = self.github.tokens[self.token].permissions
        parents = store.git("log", "-1", "--format=%P", sha).split()
        if parents and rights.get("workflows") != "write":
            changed = store.git("diff", "--name-only", parents[-1], sha).split("\n")
            if any(path.startswith(".github/workflows/") for path in changed):
                raise Refusal(
                    403, "refusing to allow a GitHub App to create or update workflow without `workflows` permission"
                )


def repository(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "metadata")
    push = call.github.tokens[call.token].permissions.get("contents") == "write"
    return 200, call.shapes.full_repository(store, push=push)


def installation(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    call.app()
    if not call.github.installed or f"{owner}/{repo}" not in call.github.stores:
        raise Refusal(404, "Not Found")
    return 200, call.shapes.installation(1, APP_ID, owner, call.github.rights)


def access_token(call: Call, number: str) -> tuple[int, Any]:
    call.app()
    wanted = call.body.get("permissions", call.github.rights)
    order = ("read", "write")
    for right, level in wanted.items():
        if order.index(level) > order.index(call.github.rights.get(right, "read")) or right not in call.github.rights:
            raise Refusal(422, "The permissions requested are not granted to this installation.")
    names = {store.name: name for name, store in call.github.stores.items()}
    short = call.body.get("repositories", list(names))
    token, expires = f"ghs_{secrets.token_hex(18)}", call.github.clock() + 3600
    call.github.tokens[token] = Grant(tuple(names[name] for name in short), dict(wanted), expires)
    return 201, {"token": token, "expires_at": at(expires), "permissions": wanted, "repository_selection": "selected"}


def get_ref(call: Call, owner: str, repo: str, branch: str) -> tuple[int, Any]:
    store = call.store(owner, repo)
    if store.head(branch) is None:
        raise Refusal(404, "Not Found")
    return 200, call.shapes.ref(store, branch)


def create_ref(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "contents", "write")
    branch, sha = call.body["ref"].removeprefix("refs/heads/"), call.body["sha"]
    if store.kind(sha) != "commit":
        raise Refusal(422, "Object does not exist")
    if store.head(branch):
        raise Refusal(422, "Reference already exists")
    call.may_write(store, sha)
    code, _ = store.git("update-ref", f"refs/heads/{branch}", sha, "0" * 40, code=True)
    if code:
        raise Refusal(422, "Reference update failed")
    call.done(f"create branch {branch}")
    return 201, call.shapes.ref(store, branch)


def update_ref(call: Call, owner: str, repo: str, branch: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "contents", "write")
    now, sha = store.head(branch), call.body["sha"]
    if now is None:
        raise Refusal(422, "Reference does not exist")
    if store.kind(sha) != "commit":
        raise Refusal(422, "Object does not exist")
    if not call.body.get("force") and not store.contains(sha, now):
        raise Refusal(422, "Update is not a fast forward")
    call.may_write(store, sha)
    store.git("update-ref", f"refs/heads/{branch}", sha, now)
    call.done(f"move branch {branch}")
    return 200, call.shapes.ref(store, branch)


def delete_ref(call: Call, owner: str, repo: str, branch: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "contents", "write")
    head = store.head(branch)
    if head is None:
        raise Refusal(422, "Reference does not exist")
    for pull in store.pulls:
        if pull.head == branch and pull.state == "open":
            pull.state, pull.closed_at, pull.head_sha = "closed", call.github.clock(), head
    store.git("update-ref", "-d", f"refs/heads/{branch}")
    call.done(f"delete branch {branch}")
    return 204, None


def get_commit(call: Call, owner: str, repo: str, sha: str) -> tuple[int, Any]:
    store = call.store(owner, repo)
    if store.kind(sha) != "commit":
        raise Refusal(404, "Not Found")
    return 200, call.shapes.commit(store, sha)


def create_commit(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "contents", "write")
    parents = call.body.get("parents", [])
    if store.kind(call.body["tree"]) != "tree" or any(store.kind(parent) != "commit" for parent in parents):
        raise Refusal(422, "Tree SHA does not exist")
    return 201, call.shapes.commit(store, store.commit(call.body["tree"], parents, call.body["message"]))


def full_commit(call: Call, owner: str, repo: str, sha: str) -> tuple[int, Any]:
    store = call.store(owner, repo)
    if store.kind(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    return 200, call.shapes.full_commit(store, sha)


def check_runs(call: Call, owner: str, repo: str, sha: str) -> tuple[int, Any]:
    return 200, call.shapes.check_runs(call.store(owner, repo, "checks"), sha)


def get_tree(call: Call, owner: str, repo: str, sha: str) -> tuple[int, Any]:
    store = call.store(owner, repo)
    if store.kind(sha) not in ("tree", "commit"):
        raise Refusal(404, "Not Found")
    return 200, call.shapes.tree(store, sha, recursive="recursive" in call.query)


def create_tree(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "contents", "write")
    base = call.body.get("base_tree")
    if base and store.kind(base) not in ("tree", "commit"):
        raise Refusal(422, "base_tree is not a valid tree oid")
    try:
        sha = store.tree(base, call.body["tree"])
    except LookupError as error:
        raise Refusal(422, str(error)) from None
    return 201, call.shapes.tree(store, sha, recursive=False)


def get_blob(call: Call, owner: str, repo: str, sha: str) -> tuple[int, Any]:
    store = call.store(owner, repo)
    if store.kind(sha) != "blob":
        raise Refusal(404, "Not Found")
    return 200, call.shapes.blob(store, sha)


def list_pulls(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "pull_requests")
    state, head, base = call.query.get("state", "open"), call.query.get("head"), call.query.get("base")
    found = [
        pull
        for pull in reversed(store.pulls)
        if state in ("all", pull.state) and head in (None, f"{owner}:{pull.head}") and base in (None, pull.base)
    ]
    return 200, [call.shapes.simple_pull(store, pull) for pull in found]


def create_pull(call: Call, owner: str, repo: str) -> tuple[int, Any]:
    store = call.store(owner, repo, "pull_requests", "write")
    head, base = call.body["head"], call.body["base"]

    def invalid(**error: str) -> Refusal:
        return Refusal(422, _VALIDATION, {"resource": "PullRequest", **error})

    for side, branch in (("head", head), ("base", base)):
        if store.head(branch) is None:
            raise invalid(field=side, code="invalid")
    if any((pull.head, pull.base, pull.state) == (head, base, "open") for pull in store.pulls):
        raise invalid(code="custom", message=f"A pull request already exists for {owner}:{head}.")
    if store.contains(store.head(base) or "", store.head(head) or ""):
        raise invalid(code="custom", message=f"No commits between {base} and {head}")
    now = call.github.clock()
    pull = Pull(len(store.pulls) + 1, call.body["title"], call.body.get("body") or "", head, base, now)
    store.pulls.append(pull)
    call.done(f"open pull request {pull.number}")
    call.github.hook("pull_request", store, {"action": "opened", "number": pull.number, "pull_request": pull})
    return 201, call.shapes.pull(store, pull)


def _pull(call: Call, owner: str, repo: str, number: str, level: str = "read") -> tuple[Store, Pull]:
    store = call.store(owner, repo, "pull_requests", level)
    if not 1 <= int(number) <= len(store.pulls):
        raise Refusal(404, "Not Found")
    return store, store.pulls[int(number) - 1]


def get_pull(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    store, pull = _pull(call, owner, repo, number)
    return 200, call.shapes.pull(store, pull)


def edit_pull(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    store, pull = _pull(call, owner, repo, number, "write")
    pull.title, pull.body = call.body.get("title", pull.title), call.body.get("body", pull.body) or ""
    if call.body.get("state") == "closed" and pull.state == "open":
        call.github.press_close(store.full_name, pull.number)
        call.done(f"close pull request {pull.number}")
    else:
        call.done(f"describe pull request {pull.number}")
    return 200, call.shapes.pull(store, pull)


def pull_files(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    store, pull = _pull(call, owner, repo, number)
    return 200, call.shapes.files(store, pull)


def merge_pull(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    store, pull = _pull(call, owner, repo, number, "write")
    head, base = store.head(pull.head) or "", store.head(pull.base) or ""
    if pull.state != "open" or store.merged_tree(base, head) is None:
        raise Refusal(405, "Pull Request is not mergeable")
    if call.body.get("sha", head) != head:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    sha = call.github.press_merge(store.full_name, pull.number, call.body.get("merge_method", "merge"))
    call.done(f"merge pull request {pull.number}")
    return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def list_comments(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    return 200, _pull(call, owner, repo, number)[1].comments


def create_comment(call: Call, owner: str, repo: str, number: str) -> tuple[int, Any]:
    store, pull = _pull(call, owner, repo, number, "write")
    comment = call.shapes.comment(store, pull, len(pull.comments) + 1, call.body["body"], call.github.clock())
    pull.comments.append(comment)
    call.done(f"comment on pull request {pull.number}")
    return 201, comment


_R = "/repos/(?P<owner>[^/]+)/(?P<repo>[^/]+)"
ROUTES: list[tuple[str, dict[str, Callable[..., tuple[int, Any]]]]] = [
    (_R, {"GET": repository}),
    (f"{_R}/installation", {"GET": installation}),
    (r"/app/installations/(?P<number>\d+)/access_tokens", {"POST": access_token}),
    (f"{_R}/git/ref/heads/(?P<branch>.+)", {"GET": get_ref}),
    (f"{_R}/git/refs", {"POST": create_ref}),
    (f"{_R}/git/refs/heads/(?P<branch>.+)", {"PATCH": update_ref, "DELETE": delete_ref}),
    (f"{_R}/git/commits", {"POST": create_commit}),
    (f"{_R}/git/commits/(?P<sha>[0-9a-f]+)", {"GET": get_commit}),
    (f"{_R}/git/trees", {"POST": create_tree}),
    (f"{_R}/git/trees/(?P<sha>[0-9a-f]+)", {"GET": get_tree}),
    (f"{_R}/git/blobs/(?P<sha>[0-9a-f]+)", {"GET": get_blob}),
    (f"{_R}/commits/(?P<sha>[0-9a-f]+)", {"GET": full_commit}),
    (f"{_R}/commits/(?P<sha>[0-9a-f]+)/check-runs", {"GET": check_runs}),
    (f"{_R}/pulls", {"GET": list_pulls, "POST": create_pull}),
    (rf"{_R}/pulls/(?P<number>\d+)", {"GET": get_pull, "PATCH": edit_pull}),
    (rf"{_R}/pulls/(?P<number>\d+)/files", {"GET": pull_files}),
    (rf"{_R}/pulls/(?P<number>\d+)/merge", {"PUT": merge_pull}),
    (rf"{_R}/issues/(?P<number>\d+)/comments", {"GET": list_comments, "POST": create_comment}),
]


class _Handler(http.server.BaseHTTPRequestHandler):
    github: GitHubDouble
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer is one packet
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(address.path).removeprefix("/api/v3")
        query = dict(urllib.parse.parse_qsl(address.query))
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw) if raw else None
        token = self.headers.get("Authorization", "").partition(" ")[2]
        fault = self.github.fault(self.command, path)
        if fault == "dropped":
            return self.hang_up()
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999"}
        try:
            self.fail_on_request(fault)
            status, answer = self.github.answer(self.command, path, query, body, token)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.answer
            headers.update(refusal.headers)
        if fault == "lost":
            return self.hang_up()
        if fault == "html":
            return self.send(502, b"<html>Unicorn!</html>", {"Content-Type": "text/html"})
        self.github.exchanges.append(Exchange(self.command, path, query, body, status, answer))
        return self.send(
            status,
            b"" if answer is None else json.dumps(answer).encode(),
            {"Content-Type": "application/json; charset=utf-8", **headers},
        )

    def fail_on_request(self, fault: FaultKind | None) -> None:
        if fault == "error":
            raise Refusal(500, "Server Error")
        if fault == "rate":
            reset = str(int(self.github.clock() + 120))
            said = "API rate limit exceeded for installation ID 1."
            raise Refusal(403, said, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})
        if fault == "slow down":
            raise Refusal(429, "You have exceeded a secondary rate limit.", headers={"Retry-After": "30"})
        if fault == "revoked":
            raise Refusal(401, "Bad credentials")

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def log_message(self, *_: object) -> None:
        pass
