"""Names and addresses that are commands, options or other servers, through every place where one comes from outside.

The referees: a canary that listens on this machine, and the interpreter's own reports of every process that is started,
every name that is looked up and every connection that is made.
"""

import http.server
import json
import logging
import os
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row
from tests.forges.hostile_names import CANARY, HOSTILE

Size = Mapping[str, float]
Try = Callable[[str], object]
PLAIN = {"", "-", "--", "HEAD", "refs/heads/main", "main", "0" * 40}  # what git is also told without any stranger
AWS = (".amazonaws.com", ".api.aws")
HERE = {"127.0.0.2", "127.0.0.3"}  # where the resolver leads: what is unknown, and what is AWS's
PLAIN_FILES = r"db\.sqlite3.*|repositories(/[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*\.git(/.*)?)?)?"
METADATA = "169.254.169.254"
REDIRECTS = (301, 302, 303, 307, 308)


class _Referee:
    """Sees what this process does, from when it is made. ``allowed`` are hosts with their ports."""

    def __init__(self) -> None:
        self.allowed: set[tuple[str, int]] = set()
        self.hostile: set[str] = set()
        self.marks: tuple[str, ...] = ()
        self.looked_up: Counter[str] = Counter()
        self.connected: Counter[str] = Counter()
        self.spawned: Counter[str] = Counter()
        self.processes = 0
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = str(arguments[0])
            if not host.endswith(AWS) and host not in {host for host, _ in self.allowed} | HERE:
                self.looked_up[host] += 1
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            if (arguments[1][0], arguments[1][1]) not in self.allowed:
                self.connected[str(arguments[1])] += 1
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            self.processes += 1
            words = arguments[1] if len(arguments) > 1 else arguments[0]
            said = [words] if isinstance(words, str) else [os.fsdecode(word) for word in words or ()]
            said = said[: said.index("--")] if "--" in said else said  # what follows can only be a path
            if any(word in self.hostile or any(mark in word for mark in self.marks) for word in said):
                self.spawned[" ".join(said)[-200:]] += 1


class _Canary:
    """Listens on this machine, in both families where it has them, and counts who comes."""

    def __init__(self) -> None:
        self.hits = 0
        self.listening = [socket.create_server(("127.0.0.1", 0))]
        self.port = int(self.listening[0].getsockname()[1])
        with suppress(OSError):
            self.listening.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for each in self.listening:
            threading.Thread(target=self._listen, args=(each,), daemon=True).start()

    def _listen(self, on: socket.socket) -> None:
        while True:
            with suppress(OSError):
                link, _ = on.accept()
                self.hits += 1
                link.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Ways to write where it listens. ``example.com`` and its like lead there by a resolver that lies."""
        names = ("127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]")
        return tuple(f"{name}:{self.port}" for name in (*names, "rebound.example.com"))


@contextmanager
def _lying_resolver() -> Iterator[None]:
    """Every name that this machine does not know leads to this machine, and to another of its addresses each time."""
    real, turns = socket.getaddrinfo, iter(range(10**9))

    def answer(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if str(host).endswith(AWS):
            return real("127.0.0.3", port, *more, **options)
        try:
            return real(host, port, *more, **options)
        except OSError:
            return real(("127.0.0.1", "127.0.0.2")[next(turns) % 2], port, *more, **options)

    socket.getaddrinfo = answer
    try:
        yield
    finally:
        socket.getaddrinfo = real


class _Redirecting:
    """A server of GitHub's that somebody else took over: it sends everybody to ``to``, or names it in its answers."""

    def __init__(self) -> None:
        self.status, self.to, self.asked = 301, "", 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                outer.asked += 1
                body = json.dumps(outer.body()).encode()
                self.send_response(outer.status)
                self.send_header("Location", outer.to)
                self.send_header("Link", f'<{outer.to}>; rel="next", <{outer.to}>; rel="last"')
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = ("127.0.0.1", int(self.server.server_address[1]))
        self.url = f"http://127.0.0.1:{self.address[1]}"

    def body(self) -> dict[str, Any]:
        names = ("url", "git_url", "html_url", "commits_url", "trees_url", "pulls_url", "git_refs_url", "statuses_url")
        entry = {"sha": "1" * 40, "type": "tree", "path": "a", "mode": "040000", "url": self.to}
        return {
            **dict.fromkeys(names, self.to),
            "default_branch": "main",
            "number": 1,
            "tree": [entry],
            "object": entry,
        }


def outsiders(bench: Bench, size: Size) -> Result:
    canary, redirecting = _Canary(), _Redirecting()
    open_portal(
        bench.directory,
        simulation={"seconds": 0},
        GITHUB_API_URL=redirecting.url,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="example",
    )
    doors = _Doors(bench.directory, bool(bench.without))
    unprotected.take_off(bench.without)
    referee = _Referee()
    referee.allowed = {redirecting.address, ("127.0.0.3", 443)}
    touched = bench.directory / "touched"
    before = _files(bench.directory)
    referee.marks = (f"touch {touched}", *canary.addresses)
    most = int(size["values"])
    logging.getLogger("github").setLevel(logging.CRITICAL)
    with _lying_resolver():
        values = _values(canary, touched)
        tried = Counter[str]()
        for door, attempt in doors.local().items():
            for value in values if door == "GITHUB_API_URL" else _some(values, most, bench):
                referee.hostile = {value} - PLAIN
                _answered(attempt, value)
                tried[door] += 1
        referee.hostile = set()
        for to in _some(_targets(canary), int(size["targets"]), bench):
            for status in (200, *REDIRECTS):
                redirecting.status, redirecting.to = status, to
                for door, attempt in doors.github(redirecting.url).items():
                    _answered(attempt, to)
                    tried[door] += 1
    return Result(
        faults={
            "values": len(values),
            "tried": tried.total(),
            "redirected": redirecting.asked,
            "git": referee.processes,
        },
        harm={
            "heard_by_the_canary": canary.hits,
            "connections": sum(referee.connected.values()),
            "names_looked_up": sum(referee.looked_up.values()),
            "processes_with_an_argument_of_theirs": sum(referee.spawned.values()),
            "files": len(_files(bench.directory) ^ before),
        },
        figures={
            "doors": dict(tried),
            "examples": [
                *sorted(_files(bench.directory) ^ before),
                *referee.connected,
                *referee.looked_up,
                *referee.spawned,
            ][:5],
        },
    )


def _values(canary: _Canary, touched: Path) -> list[str]:
    made = [name.replace(CANARY, said) for name in HOSTILE for said in (canary.addresses[0], f"touch {touched}")]
    made += [f"{scheme}://{address}/a/b" for scheme in ("http", "https", "git") for address in canary.addresses]
    made += [f"{address}/a" for address in canary.addresses]
    return list(dict.fromkeys(made))


def _targets(canary: _Canary) -> list[str]:
    urls = [f"http://{address}/repos/acme/infra" for address in canary.addresses]
    hosts = (METADATA, "[fd00:ec2::254]", "0.0.0.0", "[::]", "[::ffff:169.254.169.254]", "metadata.internal")
    urls += [f"http://{host}/latest/meta-data/" for host in hosts]
    return [*urls, f"https://user:word@127.0.0.1:{canary.port}/", f"//127.0.0.1:{canary.port}/x", "file:///etc/passwd"]


def _some(values: list[str], most: int, bench: Bench) -> list[str]:
    return values if most >= len(values) else bench.random.sample(values, most)


def _answered(attempt: Try, value: str) -> None:
    """Whatever it says: the referees say whether it did what it was told."""
    with suppress(Exception):
        attempt(value)


def _files(folder: Path) -> set[str]:
    """All but the portal's database, and repositories that are called what a repository may be called."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return {name for name in found if not re.fullmatch(PLAIN_FILES, name)}


class _Doors:
    """Where a name comes in. ``only_servers``: those without which nothing is written, for the control."""

    def __init__(self, directory: Path, only_servers: bool) -> None:
        from django.conf import settings
        from django.test import Client

        from portal import forges
        from portal.actions import repositories
        from tests.factories import rows
        from tests.factories.pull_requests import sample

        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        settings.EMBEDDED, settings.DATA_DIR = True, directory
        settings.GITHUB_WEBHOOK_SECRETS = ("known",)
        forges.forget()
        self.only_servers = only_servers
        self.admin = rows.person("ada", "admin")
        repositories.create_local(by=self.admin, name="acme/infra", files={"README.md": "one\n"})
        self.home = rows.environment("home", by=self.admin)
        self.piped = sample(0, home=self.home.template)
        self.client = Client(raise_request_exception=False)
        self.client.force_login(self.admin)
        local = forges.local_forge()
        assert local is not None
        self.forge = local
        self.base = local.head(repository_of("acme/infra"), "main") or ""

    def local(self) -> dict[str, Try]:
        from provisioning.forges.github import GitHubForge
        from provisioning.forges.github_client import Token

        servers: dict[str, Try] = {
            "GITHUB_API_URL": lambda value: GitHubForge(Token("x"), value, timeout=1).access(
                repository_of("acme/infra")
            )
        }
        if self.only_servers:
            return servers
        return {**servers, **self._forge(), **self._pages(), **self._operations()}

    def _forge(self) -> dict[str, Try]:
        forge, infra = self.forge, repository_of("acme/infra")
        return {
            "repository": lambda value: forge.create(repository_of(value), {}),
            "base": lambda value: repository_of("acme/infra", value),
            "branch": lambda value: forge.commit(infra, value, self.base, {"a": "b"}, "X"),
            "head": lambda value: forge.head(infra, value),
            "parent": lambda value: forge.commit(infra, "x", value, {"a": "b"}, "X"),
            "commit": lambda value: forge.commit_at(infra, value),
            "tree": lambda value: forge.tree(infra, value),
            "folder": lambda value: forge.tree(infra, self.base, value),
            "path": lambda value: forge.read(infra, self.base, value),
            "pull request's branch": lambda value: forge.open_pull_request(infra, value, "X", ""),
        }

    def _pages(self) -> dict[str, Try]:
        def deliver(value: str) -> object:
            from tests.github.double import signature

            body = json.dumps(
                {"repository": {"full_name": value}, "ref": value, "pull_request": {"number": 1}}
            ).encode()
            return self.client.post(
                "/webhooks/github",
                body,
                content_type="application/json",
                headers={
                    "X-Hub-Signature-256": signature("known", body),
                    "X-GitHub-Delivery": str(hash(value)),
                    "X-GitHub-Event": "push",
                },
            )

        post, get = self.client.post, self.client.get
        return {
            "linking page": lambda value: post("/repositories/", {"provider": "GITHUB", "name": value}),
            "linking page's provider": lambda value: post("/repositories/", {"provider": value, "name": "a/b"}),
            "page that makes one": lambda value: post("/repositories/new/", {"name": value, "readme": value}),
            "page of a file": lambda value: get(f"/repositories/github/acme/infra/files/{value}"),
            "pipelines' settings": lambda value: post(
                "/settings/pipelines/", {"repository": "GITHUB:acme/infra", "branch": value}
            ),
            "webhook": deliver,
        }

    def _operations(self) -> dict[str, Try]:
        from tests.factories import rows

        spec = "proton: ServiceSpec\npipeline: {}\ninstances: []\n"
        template = {"templateName": self.home.template.name, "templateMajorVersion": "1"}
        service = {"name": "web", "templateName": self.piped.template.name, "templateMajorVersion": "1", "spec": spec}
        arn = "arn:aws:codestar-connections:us-east-1:123456789012:connection/one"

        def asked(name: str, members: Callable[[str], dict[str, Any]]) -> Try:
            return lambda value: self._call(name, members(value))

        def branch(value: str, at: str) -> dict[str, str]:
            return {"provider": "GITHUB", "name": "acme/infra", "branch": "main", at: value}

        def environment(value: str, at: str) -> dict[str, Any]:
            made = {"name": "dev", **template, "spec": rows.ENVIRONMENT_SPEC}
            return {**made, "provisioningRepository": branch(value, at)}

        def service_of(value: str, at: str) -> dict[str, Any]:
            given = {"repositoryId": "acme/infra", "branchName": "main", "repositoryConnectionArn": arn}
            return {**service, **given, at: value}

        def version(value: str, at: str) -> dict[str, Any]:
            source = {"s3": {"bucket": "bundles", "key": "bundle.tar.gz", at: value}}
            return {"templateName": self.home.template.name, "source": source}

        return {
            "CreateRepository": asked(
                "CreateRepository", lambda value: {"provider": "GITHUB", "name": value, "connectionArn": arn}
            ),
            "CreateRepository's connection": asked(
                "CreateRepository", lambda value: {"provider": "GITHUB", "name": "acme/other", "connectionArn": value}
            ),
            "GetRepository": asked("GetRepository", lambda value: {"provider": "GITHUB", "name": value}),
            "CreateEnvironment": asked("CreateEnvironment", lambda value: environment(value, "name")),
            "CreateEnvironment's branch": asked("CreateEnvironment", lambda value: environment(value, "branch")),
            "CreateService": asked("CreateService", lambda value: service_of(value, "repositoryId")),
            "CreateService's branch": asked("CreateService", lambda value: service_of(value, "branchName")),
            "UpdateAccountSettings": asked(
                "UpdateAccountSettings", lambda value: {"pipelineProvisioningRepository": branch(value, "name")}
            ),
            "UpdateAccountSettings' branch": asked(
                "UpdateAccountSettings", lambda value: {"pipelineProvisioningRepository": branch(value, "branch")}
            ),
            "bucket of a bundle": asked(
                "CreateEnvironmentTemplateVersion", lambda value: version(value, "bucket")
            ),
            "key of a bundle": lambda value: self._fetched("bundles", value),
            "bucket that is fetched from": lambda value: self._fetched(value, "bundle.tar.gz"),
        }  # fmt: skip

    def _call(self, name: str, members: dict[str, Any]) -> None:
        """Everything after the signature."""
        from django.test import RequestFactory

        from portal.wire import gateway
        from portal.wire.registry import Caller

        request = RequestFactory().post(
            "/",
            json.dumps(members),
            content_type=gateway.CONTENT_TYPE,
            HTTP_X_AMZ_TARGET=f"AwsProton20200720.{name}",
        )
        call = gateway.Call(request, caller=Caller(self.admin, "123456789012"))
        for step in gateway.STEPS:
            if step.__name__ != "authenticate":
                step(call)

    def _fetched(self, bucket: str, key: str) -> None:
        """What the worker does with an address that got past the doors, as far as the wire: AWS's own names only."""
        from provisioning.sources import read_s3

        read_s3(bucket, key, _s3())

    def github(self, url: str) -> dict[str, Try]:
        """Each reading verb, before a server that leads elsewhere."""
        from provisioning.forges.github import GitHubForge
        from provisioning.forges.github_client import App, Token
        from tests.github.keys import PRIVATE

        infra = repository_of("acme/infra")
        forge, app = GitHubForge(Token("x"), url, timeout=2), GitHubForge(App("1", PRIVATE), url, timeout=2)
        sha = "1" * 40
        return {
            "redirected access": lambda _: forge.access(infra),
            "redirected App": lambda _: app.access(infra),
            "redirected head": lambda _: forge.head(infra, "main"),
            "redirected commit": lambda _: forge.commit_at(infra, sha),
            "redirected tree": lambda _: forge.tree(infra, sha, "a"),
            "redirected file": lambda _: forge.read(infra, sha, "a/b"),
            "redirected search": lambda _: forge.find_pull_request(infra, "x"),
            "redirected pull request": lambda _: forge.pull_request(infra, 1),
            "redirected diff": lambda _: forge.diff(infra, 1),
            "redirected branch": lambda _: forge.create_branch(infra, "x", sha),
        }


def repository_of(name: str, branch: str = "main") -> Any:
    from provisioning.forges.base import Repository

    return Repository("GITHUB", name, branch)


_CLIENTS: list[Any] = []


def _s3() -> Any:
    """A client for AWS itself that gives up at once; here its names lead to this machine."""
    import boto3
    from botocore.config import Config

    if not _CLIENTS:
        config = Config(connect_timeout=1, read_timeout=1, retries={"max_attempts": 0})
        _CLIENTS.append(boto3.Session(region_name="us-east-1").client("s3", config=config))
    return _CLIENTS[0]


ROWS = [
    Row(
        16,
        "names that are options, commands or other servers",
        outsiders,
        ("names_of_forges",),
        small={"values": 15, "targets": 3, "seconds": 60},
        full={"values": 10_000, "targets": 1000, "seconds": 900},
        arena=None,
    )
]
