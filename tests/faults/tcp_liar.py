"""``tcp-liar``: a network that behaves as badly as the real one may, as a TCP proxy before a database or a broker.

Connections are refused, reset, slow and late. Before PostgreSQL it also reads the protocol as far as it must to see
where work is made durable: a COMMIT, or a statement that writes outside a transaction. There a connection is cut either
before the server hears of it (nothing was done) or after the server did it and before the client hears of that.
"""

import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

# "lose": a commit never reaches the server. "drop": the server commits, and its answer is lost. These two need
# PostgreSQL's protocol. "late": each piece of data comes ``seconds`` later. "trickle": it comes in small bites.
FAULTS = ("refuse", "reset", "late", "trickle", "lose", "drop")
BITE = 64  # bytes
_PIECE = 65536
_SYNC = b"S" + struct.pack("!I", 4)
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_WRITES = re.compile(rb"\s*(INSERT|UPDATE|DELETE|WITH\b.*\b(INSERT|UPDATE|DELETE))\b", re.IGNORECASE | re.DOTALL)
_COMMIT = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)


@dataclass
class Fault:
    """What happens to a ``share`` of what it may happen to, at most ``times`` times.

    That is connections for "refuse", commits for "lose" and "drop", pieces of data that a client sends for the rest.
    """

    kind: str
    clients: str = ""  # a regular expression for application_name; others are left alone
    share: float = 1.0
    times: int = 10**9
    seconds: float = 0.0
    hits: int = 0


@dataclass(eq=False)
class Link:
    """One connection: its two ends, and what is known of it."""

    client: socket.socket
    server: socket.socket
    name: str = ""  # application_name of PostgreSQL's client
    in_transaction: bool = False
    wrote: bool = False  # in the transaction that is open
    parsed: bytes = b""  # the statement that was parsed last, and did not commit yet
    executed: bool = False
    hold: bool = False  # nothing of what the server says now reaches the client
    answered: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        """Both ends are closed; the client sees a reset."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.answered.set()


@dataclass
class TcpLiar:
    """``upstream`` is host:port, or the path of a Unix socket. ``postgres``: it speaks PostgreSQL's protocol.

    ``at_commit`` is called with the client's application_name before a commit is passed on.
    """

    upstream: str
    postgres: bool = False
    seed: int = 1
    faults: list[Fault] = field(default_factory=list)
    commits: int = 0  # seen

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.at_commit: Callable[[str], None] = lambda name: None
        self.links: set[Link] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="tcp-liar", daemon=True).start()

    # What a test does

    def fault(self, kind: str, **how: Any) -> Fault:
        """From now on; ``faults.clear()`` ends all."""
        if kind not in FAULTS:
            raise ValueError(f"{kind}: one of {', '.join(FAULTS)}")
        if kind in ("lose", "drop") and not self.postgres:
            raise ValueError(f"{kind}: only PostgreSQL's protocol says what a commit is")
        made = Fault(kind, **how)
        self.faults.append(made)
        return made

    def cut_all(self) -> int:
        """Reset every connection there is; how many that were."""
        with self._lock:
            links = list(self.links)
        for link in links:
            link.cut()
        return len(links)

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    # How it works

    def _pick(self, client: str, *kinds: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.kind not in kinds or fault.hits >= fault.times or not re.search(fault.clients, client):
                    continue
                if self.random.random() < fault.share:
                    fault.hits += 1
                    return fault
        return None

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._pick("", "refuse"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="tcp-liar", daemon=True).start()

    def _connect(self) -> socket.socket:
        if self.upstream.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            return server
        host, port = self.upstream.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=None)

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        link = Link(client, server)
        for end in (client, server):
            with suppress(OSError):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.links.add(link)
        back = threading.Thread(target=self._pump_back, args=(link,), daemon=True)
        back.start()
        with suppress(OSError):
            for piece in self._messages(link) if self.postgres else _pieces(client):
                if not self._forward(link, piece):
                    break
        link.cut()
        back.join()
        with self._lock:
            self.links.discard(link)
        client.close()
        server.close()

    def _forward(self, link: Link, piece: bytes) -> bool:
        """False when the connection is over."""
        if self._pick(link.name, "reset"):
            return False
        if self.postgres and self._commits(link, piece):
            with self._lock:
                self.commits += 1
            self.at_commit(link.name)
            fault = self._pick(link.name, "lose", "drop")
            if fault is not None:
                return self._cut_at_commit(link, piece, fault.kind)
        late = self._pick(link.name, "late")
        if late is not None:
            time.sleep(late.seconds)
        trickle = self._pick(link.name, "trickle")
        if trickle is None:
            link.server.sendall(piece)
        else:
            for start in range(0, len(piece), BITE):
                link.server.sendall(piece[start : start + BITE])
                time.sleep(trickle.seconds)
        return True

    def _cut_at_commit(self, link: Link, piece: bytes, kind: str) -> bool:
        if kind == "drop":
            link.answered.clear()
            link.hold = True
            link.server.sendall(piece if piece[:1] != b"E" else piece + _SYNC)
            link.answered.wait(10)
        return False

    def _pump_back(self, link: Link) -> None:
        """From the server to the client. For PostgreSQL the state of the transaction is read on the way."""
        rest = b""
        with suppress(OSError):
            for piece in _pieces(link.server):
                if self.postgres:
                    rest = self._ready(link, rest + piece)
                if not link.hold:
                    link.client.sendall(piece)
        link.cut()

    @staticmethod
    def _ready(link: Link, data: bytes) -> bytes:
        """Look at whole messages of the server; what is left over begins one."""
        while len(data) >= 5:
            size = 1 + int(struct.unpack("!I", data[1:5])[0])
            if len(data) < size:
                break
            if data[:1] == b"Z":
                link.in_transaction = data[5:6] != b"I"
                if not link.in_transaction:
                    link.wrote = False
                link.answered.set()
            data = data[size:]
        return data

    def _messages(self, link: Link) -> Iterator[bytes]:
        """What PostgreSQL's client says, message by message. Encryption is declined on the server's behalf."""
        data = b""
        started = False
        for piece in _pieces(link.client):
            data += piece
            while True:
                if not started:
                    size = int(struct.unpack("!I", data[:4])[0]) if len(data) >= 8 else len(data) + 1
                    if len(data) < size:
                        break
                    message, data = data[:size], data[size:]
                    code = int(struct.unpack("!I", message[4:8])[0])
                    if code in (_SSL, _GSS):
                        link.client.sendall(b"N")
                        continue
                    started = code != _CANCEL
                    words = message[8:].split(b"\0")
                    names = dict(zip(words[::2], words[1::2], strict=False))
                    link.name = names.get(b"application_name", b"").decode()
                else:
                    size = 1 + int(struct.unpack("!I", data[1:5])[0]) if len(data) >= 5 else len(data) + 1
                    if len(data) < size:
                        break
                    message, data = data[:size], data[size:]
                yield message

    @staticmethod
    def _commits(link: Link, message: bytes) -> bool:
        """Whether this message makes something durable.

        A Query does at once. Of a statement that was parsed, COMMIT does when it is executed, and a write outside a
        transaction at the Sync that follows. Statements that were parsed long before are not known.
        """
        kind = message[:1]
        if kind == b"P":
            link.parsed = message[5:].split(b"\0", 1)[-1]
            return False
        if kind == b"E":
            link.executed = True
        if kind in (b"E", b"S"):
            statement = link.parsed
            if kind != (b"E" if _COMMIT.match(statement) else b"S") or not link.executed:
                return False
            link.parsed, link.executed = b"", False
        elif kind == b"Q":
            statement = message[5:]
        else:
            return False
        if _WRITES.match(statement):
            link.wrote = link.wrote or link.in_transaction
            return not link.in_transaction
        return link.wrote and bool(_COMMIT.match(statement))


def _pieces(end: socket.socket) -> Iterator[bytes]:
    while piece := end.recv(_PIECE):
        yield piece
