"""The network of a run: one proxy on its loopback that reaches a list of hosts, and a door to the portal.

The run has a network namespace of its own with nothing in it. Two listening sockets are made inside of it; this
process, outside, accepts on them. So no port of this machine can be reached from within, and nothing else either.
"""

import base64
import contextlib
import ctypes
import fcntl
import ipaddress
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

CLONE_NEWUSER, CLONE_NEWNET, NS_GET_USERNS = 0x10000000, 0x40000000, 0xB701
PROXY_PORT, NOTIFY_PORT = 3128, 3129
LONGEST_HEAD = 16 * 1024
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 300.0
MOST_NOTIFY = 512 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


def listen_inside(pid: int, ports: Sequence[int]) -> list[socket.socket]:
    """Listening sockets on the loopback of the network namespace of ``pid``. Raises OSError."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    child = os.fork()
    if child == 0:  # namespaces are entered by a process of one thread
        code = 1
        with contextlib.suppress(BaseException):
            _enter(pid)
            made = []
            for port in ports:
                listening = socket.socket()
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(("127.0.0.1", port))
                listening.listen(64)
                made.append(listening)
            socket.send_fds(there, [b"ready"], [one.fileno() for one in made])
            code = 0
        os._exit(code)
    there.close()
    here.settimeout(10)
    try:
        _, fds, _, _ = socket.recv_fds(here, 16, len(ports))
    except TimeoutError:
        fds = []
    finally:
        here.close()
        os.waitpid(child, 0)
    if len(fds) != len(ports):
        raise OSError("the network of the run could not be entered")
    return [socket.socket(fileno=fd) for fd in fds]


def _enter(pid: int) -> None:
    """Root enters the network at once; others first the user namespace that owns it."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if os.geteuid() != 0:
        _setns(fcntl.ioctl(network, NS_GET_USERNS), CLONE_NEWUSER)
    _setns(network, CLONE_NEWNET)


def _setns(fd: int, kind: int) -> None:
    if _libc.setns(fd, kind) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def allowed(host: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether "host:port" is on the list; ".domain:port" stands for everything below a domain."""
    host = host.lower().rstrip(".")
    for entry in hosts:
        name, _, wanted = entry.lower().rpartition(":")
        if wanted == str(port) and (host == name or (name.startswith(".") and host.endswith(name))):
            return True
    return False


def connect(host: str, port: int, hosts: Sequence[str]) -> socket.socket:
    """A connection to a host on the list. An address inside of this machine or its network is reached only where the
    list has that very host: whoever runs a domain says where its names lead. Raises OSError."""
    named = f"{host.lower().rstrip('.')}:{port}" in {entry.lower() for entry in hosts}
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not named and not ipaddress.ip_address(address[0]).is_global:
            continue
        with contextlib.suppress(OSError):
            server = socket.socket(family, kind, protocol)
            server.settimeout(CONNECT_SECONDS)
            try:
                server.connect(address)
            except OSError:
                server.close()
                raise
            return server
    raise OSError(f"{host}:{port} cannot be reached")


def _serve_all(listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """One thread for each connection, and one that waits for them until this process ends."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


class Proxy:
    """HTTP's CONNECT and absolute addresses, for hosts on the list only. One thread a connection."""

    def __init__(self, listening: socket.socket, hosts: Sequence[str], refused: Callable[[str], None]) -> None:
        self._hosts, self._refused = tuple(hosts), refused
        _serve_all(listening, self._serve)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.closing(client), contextlib.suppress(OSError, ValueError):
            client.settimeout(CONNECT_SECONDS)
            head = b""
            while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            method, address, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            host, port, first = _target(method, address, head)
            if not allowed(host, port, self._hosts):
                self._refused(f"{host}:{port}")
                client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            try:
                server = connect(host, port, self._hosts)
            except OSError:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            with server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                if first:
                    server.sendall(first)
                _pump(client, server)


def _target(method: str, address: str, head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and what to send on first. One request a connection: a later one could name another host."""
    if method == "CONNECT":
        host, _, port = address.rpartition(":")
        return host.strip("[]"), int(port), head.split(b"\r\n\r\n", 1)[1]
    scheme, _, rest = address.partition("://")
    if scheme != "http":
        raise ValueError(address)
    place, _, path = rest.partition("/")
    host, _, port = place.partition(":") if ":" in place else (place, "", "80")
    line, _, headers = head.partition(b"\r\n")
    kept = [
        part
        for part in headers.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        if not part.lower().startswith((b"proxy-", b"connection:"))
    ]
    body = headers.split(b"\r\n\r\n", 1)[1]
    version = line.rsplit(b" ", 1)[1]
    first = b"\r\n".join([f"{method} /{path} ".encode("latin-1") + version, *kept, b"connection: close"])
    return host, int(port), first + b"\r\n\r\n" + body


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Both ways, until one side is done."""
    ends = {one: other, other: one}
    for end in ends:
        end.settimeout(IDLE_SECONDS)
    while True:
        ready, _, _ = select.select(list(ends), [], [], IDLE_SECONDS)
        if not ready:
            return
        for end in ready:
            data = end.recv(65536)
            if not data:
                return
            ends[end].sendall(data)


class Door:
    """Leads to one port of this machine. Programs in Go do not ask a proxy for an address of the loopback."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        self._port = port
        _serve_all(listening, self._serve)

    def _serve(self, client: socket.socket) -> None:
        address = ("127.0.0.1", self._port)
        with (
            contextlib.closing(client),
            contextlib.suppress(OSError),
            socket.create_connection(address, timeout=CONNECT_SECONDS) as server,
        ):
            _pump(client, server)


def ports_here(hosts: Sequence[str]) -> tuple[int, ...]:
    """The ports of this machine's loopback that are on the list."""
    found = {entry.rpartition(":")[2] for entry in hosts if entry.rpartition(":")[0] in ("127.0.0.1", "localhost")}
    return tuple(sorted(int(port) for port in found if port.isdecimal()))


class NotifyDoor:
    """Takes what ``aws proton notify-resource-deployment-status-change`` was called with; answers a code and a text."""

    def __init__(
        self, listening: socket.socket, notify: Callable[[Mapping[str, Sequence[str]]], tuple[int, str]]
    ) -> None:
        self._notify = notify
        _serve_all(listening, self._serve)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.closing(client), contextlib.suppress(OSError, ValueError):
            client.settimeout(CONNECT_SECONDS)
            options: dict[str, list[str]] = {}
            with client.makefile("rb") as lines:
                size = 0
                for line in iter(lambda: lines.readline(MOST_NOTIFY + 1), b""):
                    size += len(line)
                    if size > MOST_NOTIFY:
                        client.sendall(b"255\nthe notification is too long\n")
                        return
                    name, _, value = line.decode().strip().partition(" ")
                    if name == "end":
                        break
                    options.setdefault(name, []).append(base64.b64decode(value).decode())
            client.settimeout(60)
            code, text = self._notify(options)
            client.sendall(f"{code}\n{text}\n".encode() if text else f"{code}\n".encode())
