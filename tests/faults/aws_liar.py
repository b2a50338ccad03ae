"""``aws-liar``: an AWS that behaves as badly as the real one may, as an HTTP proxy in front of the emulator.

Stacks take time and end as scripted (``liar_stacks``), request tokens are honoured, roles are assumed only as their
trust policy says, and calls are throttled, refused, slowed down, cut short, or executed with their reply lost. The
ledger holds every mutating call that arrived: it, and never the product's own rows, says what was done twice.
"""

import random
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.faults import liar_builds
from tests.faults.liar_builds import Builds
from tests.faults.liar_stacks import Operation, StacksOverTime
from tests.faults.liar_wire import Call, Refusal, Reply, Upstream

MUTATING = {
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "CreateChangeSet",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
    *liar_builds.MUTATING,
}
TICK = 0.05
# What a fault does instead of, or with, the call. "drop" executes it and loses the reply; "lose" loses the call.
FAULTS = {
    "throttle": Refusal("Throttling", "Rate exceeded"),
    "unavailable": Refusal("ServiceUnavailable", "Service is unavailable", 503),
    "expired": Refusal("ExpiredToken", "The security token included in the request is expired", 403),
    "denied": Refusal("AccessDenied", "User is not authorized to perform this action", 403),
    "html": None,
    "slow": None,
    "truncate": None,
    "drop": None,
    "lose": None,
}


@dataclass(frozen=True)
class Entry:
    """One mutating call that arrived."""

    at: float
    action: str
    stack: str  # ARN where known, else what the call said
    change_set: str
    token: str
    status: int  # what was answered; 0 when the call was lost before it did anything
    fault: str  # what the liar did to it, "" for nothing
    process: int
    key: str  # the access key that signed it


@dataclass
class Fault:
    """What happens to a ``share`` of the calls that match, at most ``times`` times."""

    kind: str
    actions: str = "."
    stacks: str = ""
    keys: str = ""
    share: float = 1.0
    times: int = 10**9
    seconds: float = 0.0  # for "slow"
    hits: int = 0

    def matches(self, action: str, stack: str, key: str) -> bool:
        return (
            self.hits < self.times
            and bool(re.fullmatch(self.actions, action) or self.actions == ".")
            and bool(re.search(self.stacks, stack))
            and bool(re.search(self.keys, key))
        )


@dataclass(frozen=True)
class Trust:
    """Who may assume a role: accounts of the callers, and the external id they must send ("" asks for none)."""

    accounts: frozenset[str]
    external_id: str = ""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that was killed leaves broken connections behind: that is what this is for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass
class Liar:
    """``upstream`` is host:port of the emulator; ``seconds`` what a stack operation takes; ``delay`` each call."""

    upstream: str
    seconds: float = 0.5
    delay: float = 0.0
    seed: int = 1
    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    trusts: dict[str, Trust] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)  # roles, each time that a session was handed out
    asked: list[tuple[float, str, str, str]] = field(default_factory=list)  # (time, action, stack, access key) of each

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.stacks = StacksOverTime(Upstream(self.upstream), self.seconds)
        self.builds = Builds(self.stacks.upstream)
        self.before: Callable[[str, str, Call], None] = lambda action, stack, call: None
        self.after: Callable[[str, str, Call], None] = lambda action, stack, call: None
        self._roles: dict[str, str] = {}  # access key of a session: role
        self._expired: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.server = _QuietServer(("127.0.0.1", 0), self._handler())
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()
        threading.Thread(target=self._clock, daemon=True).start()

    # What a test does

    def close(self) -> None:
        self._closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.builds.close()

    def fault(self, kind: str, actions: str = ".", **how: Any) -> Fault:
        """From now on; ``faults.clear()`` ends all. ``actions`` is a regular expression for whole names."""
        if kind not in FAULTS:
            raise ValueError(f"{kind}: one of {', '.join(FAULTS)}")
        made = Fault(kind, actions, **how)
        self.faults.append(made)
        return made

    def script(self, pattern: str, kind: str, end: str = "", **how: Any) -> None:
        self.stacks.script(pattern, kind, end, **how)

    def trust(self, role: str, accounts: set[str], external_id: str = "") -> None:
        self.trusts[role] = Trust(frozenset(accounts), external_id)

    def expire_sessions(self) -> None:
        """Every session that was handed out so far is over."""
        with self._lock:
            self._expired |= set(self._roles)

    @property
    def operations(self) -> list[Operation]:
        """What happened to stacks: each of it once, whatever was asked how often."""
        return self.stacks.operations

    def executed(self, action: str) -> list[Entry]:
        """Calls of one action that took effect or were answered as if."""
        return [entry for entry in self.entries if entry.action == action and 0 < entry.status < 300]

    def forget(self) -> None:
        """A new run: no faults, no scripts, an empty ledger. Stacks stay as they are."""
        self.faults.clear()
        self.stacks.scripts.clear()
        self.entries.clear()
        self.asked.clear()
        self.stacks.operations.clear()
        self.before = self.after = lambda action, stack, call: None

    # How it answers

    def _clock(self) -> None:
        while not self._closing.wait(TICK):
            self.stacks.tick()

    def _answer(self, call: Call) -> tuple[Reply | None, bool]:
        """The reply, None when there is none; and whether it is cut in the middle."""
        form = call.form if call.service in ("cloudformation", "sts") else {}
        action, stack = form.get("Action", ""), self.stacks.stack_of(form)
        if call.service in liar_builds.SERVICES:
            action = call.target
            stack = str(call.json.get("projectName") or call.json.get("name") or call.json.get("id", ""))
        if action:
            self.asked.append((time.time(), action, stack, call.key))
        self.before(action, stack, call)
        if self.delay:
            time.sleep(self.delay)
        fault = self._pick(action, stack, call.key) if action else None
        kind = fault.kind if fault else ""
        reply = self._execute(action, call, form, kind)
        if action in MUTATING:
            self._note(action, stack, form, call, 0 if reply is None else reply.status, kind)
        self.after(action, stack, call)
        if kind == "slow" and fault:
            time.sleep(fault.seconds)
        return (None if kind == "drop" else reply), kind == "truncate"

    def _execute(self, action: str, call: Call, form: dict[str, str], kind: str) -> Reply | None:
        if kind == "lose":
            return None
        if kind == "html":
            return Reply(500, b"<html><body>Internal Server Error</body></html>", [("Content-Type", "text/html")])
        refusal = FAULTS.get(kind)
        try:
            if refusal is not None:
                raise refusal
            self._check_session(call)
            if action == "AssumeRole":
                return self._assume(call, form)
            if call.service == "cloudformation":
                return self.stacks.handle(action, call)
            if call.service in liar_builds.SERVICES:
                account = self._roles.get(call.key, "").split(":")[4:5] or [call.key]
                return self.builds.handle(action, account[0], call.json, call)
            return self.stacks.upstream.ask(call)
        except Refusal as refused:
            return liar_builds.refusal(refused) if call.service in liar_builds.SERVICES else refused.reply

    def _pick(self, action: str, stack: str, key: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.kind == "drop" and action not in MUTATING:
                    continue
                if fault.matches(action, stack, key) and self.random.random() < fault.share:
                    fault.hits += 1
                    return fault
        return None

    def _note(self, action: str, stack: str, form: dict[str, str], call: Call, status: int, kind: str) -> None:
        token = form.get("ClientRequestToken") or form.get("ClientToken", "")
        if call.service in liar_builds.SERVICES:
            token = str(call.json.get("idempotencyToken", ""))
        entry = Entry(
            time.time(), action, stack, form.get("ChangeSetName", ""), token, status, kind, call.process, call.key
        )
        with self._lock:
            self.entries.append(entry)

    def _check_session(self, call: Call) -> None:
        if call.key in self._expired:
            raise FAULTS["expired"] or AssertionError

    def _assume(self, call: Call, form: dict[str, str]) -> Reply:
        """By the trust policy. The emulator makes the session, and knows its account by the role."""
        role = form.get("RoleArn", "")
        trust = self.trusts.get(role)
        caller = self._roles.get(call.key, "").split(":")[4:5] or [call.key]
        wrong = trust is not None and trust.external_id not in ("", form.get("ExternalId", ""))
        if trust is None or caller[0] not in trust.accounts or wrong:
            raise Refusal("AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {role}", 403)
        reply = self.stacks.upstream.ask(call)
        match = re.search(rb"<AccessKeyId>([^<]+)<", reply.body)
        if match:
            with self._lock:
                self._roles[match[1].decode()] = role
                self.assumed.append(role)
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1
            timeout = 120

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(self.command, self.path, dict(self.headers.items()), body)
                reply, halved = liar._answer(call)
                if reply is None:
                    self._cut()
                    return
                content = reply.body
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content[: len(content) // 2] if halved else content)
                if halved:
                    self.wfile.flush()
                    self._cut()

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

            def _cut(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
