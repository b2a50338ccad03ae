"""Requests over raw sockets, so that hardly any time goes into asking."""

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median

from tests.bench.measuring import Call
from tests.wire.signing import signed

CONNECTIONS = 8
PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Caller:
    """An access key, and the prefix of the operations that it asks for."""

    key_id: str
    secret: str
    prefix: str = "AwsProton20200720"
    service: str = "proton"

    def request(self, port: int, operation: str, body: bytes) -> bytes:
        """Signed at this second, as it goes over the line."""
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{self.prefix}.{operation}"}
        url = f"http://127.0.0.1:{port}/"
        asked = signed(
            url=url, body=body, headers=headers, key_id=self.key_id, secret=self.secret, service=self.service
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items() if name != "content-length")
        return f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def answer(port: int, request: bytes) -> bytes:
    """The body of one answer."""
    with contextlib.closing(_Connection(port)) as connection:
        connection.send(request)
        while (body := connection.receive()) is None:
            pass
        return body


def rate(port: int, requests: Sequence[bytes], seconds: float, *, connections: int = CONNECTIONS) -> float:
    """Answers a second. The requests in turn for so long, each at least once. Raises unless all are answered well."""
    started = time.perf_counter()
    once, again = iter(requests), cycle(requests)

    def asked() -> Iterator[bytes]:
        yield from once
        while time.perf_counter() - started < seconds:
            yield next(again)

    return _drive(port, asked(), connections)


def rate_once(port: int, requests: Iterable[bytes], *, connections: int = CONNECTIONS) -> float:
    """Answers a second, each request sent once."""
    return _drive(port, iter(requests), connections)


def median_seconds(call: Call, seconds: float, at_most: int = 100_000) -> float:
    """The median time of one call; called at least once."""
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < at_most:
        started = time.perf_counter()
        call()
        ended = time.perf_counter()
        taken.append(ended - started)
        if ended - began >= seconds:
            break
    return median(taken)


@contextlib.contextmanager
def beside_the_servers() -> Iterator[None]:
    """This process on every core but the first, where servers run."""
    if not hasattr(os, "sched_getaffinity") or len(cores := os.sched_getaffinity(0)) < 2:
        yield
        return
    os.sched_setaffinity(0, cores - {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class _Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""

    def send(self, request: bytes) -> None:
        self.got = b""
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The body once the answer is whole; waits for its next part. Raises unless it is a 200."""
        part = self.socket.recv(1 << 18)
        self.got += part
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not part or not head.startswith(b"HTTP/1.1 200"[: len(head)]):
            raise RuntimeError(f"answered {self.got[:500]!r}")
        if not found:
            return None
        head = head.lower()
        if b"transfer-encoding: chunked" in head:
            return _without_chunks(body) if body.endswith(b"\r\n0\r\n\r\n") else None
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return body if len(body) >= length else None

    def close(self) -> None:
        self.socket.close()


def _without_chunks(body: bytes) -> bytes:
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not (length := int(size, 16)):
            return whole
        whole, body = whole + body[:length], body[length + 2 :]


def _drive(port: int, requests: Iterator[bytes], connections: int) -> float:
    with beside_the_servers(), contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        opened = [stack.enter_context(contextlib.closing(_Connection(port))) for _ in range(connections)]
        answered, busy, started = 0, 0, time.perf_counter()
        for connection, request in zip(opened, islice(requests, connections), strict=False):
            connection.send(request)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            busy += 1
        while busy:
            ready = selector.select(PATIENCE)
            if not ready:
                raise RuntimeError(f"no answer within {PATIENCE} seconds")
            for key, _ in ready:
                if key.data.receive() is None:
                    continue
                answered += 1
                request = next(requests, b"")
                if request:
                    key.data.send(request)
                else:
                    selector.unregister(key.fileobj)
                    busy -= 1
        return answered / (time.perf_counter() - started)
