"""A proxy in front of the AWS emulator that writes down every call that changes something: the referee.

It also makes calls slow, and drops the reply of some that were executed, as networks do.
"""

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MUTATING = {
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "CreateChangeSet",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "CancelUpdateStack",
}


@dataclass(frozen=True)
class Entry:
    at: float
    action: str
    stack: str
    change_set: str
    status: int
    dropped: bool


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that was killed leaves broken connections behind: that is what this is for."""


@dataclass
class Ledger:
    """``delay`` in seconds is added to every call; ``drop`` is the share of mutating calls whose reply is lost."""

    upstream: str  # host:port
    delay: float = 0.0
    drop: float = 0.0
    seed: int = 1
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        self.server = _QuietServer(("127.0.0.1", 0), self._handler())
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def note(self, action: str, form: dict[str, list[str]], status: int) -> bool:
        """Writes the call down; whether its reply is to be lost."""
        with self._lock:
            dropped = status < 300 and self._random.random() < self.drop
            self.entries.append(
                Entry(
                    time.time(),
                    action,
                    form.get("StackName", [""])[0],
                    form.get("ChangeSetName", [""])[0],
                    status,
                    dropped,
                )
            )
        return dropped

    def executed(self, action: str) -> list[Entry]:
        """Calls of one action that the emulator accepted."""
        return [entry for entry in self.entries if entry.action == action and entry.status < 300]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        ledger = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                form = parse_qs(body.decode("utf-8", "replace"))
                action = form.get("Action", [""])[0]
                time.sleep(ledger.delay)
                upstream = http.client.HTTPConnection(ledger.upstream, timeout=30)
                upstream.request(self.command, self.path, body, dict(self.headers.items()))
                reply = upstream.getresponse()
                content = reply.read()
                if action in MUTATING and ledger.note(action, form, reply.status):
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(reply.status)
                for name, value in reply.getheaders():
                    if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
