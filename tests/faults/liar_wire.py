"""AWS's query protocol as far as the liar needs it: calls as they come in, replies as they go out."""

import http.client
import json
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
ElementTree.register_namespace("", NAMESPACE)
UPSTREAM_SECONDS = 30
_KEY = re.compile(r"Credential=([^/]*)/\d+/([a-z0-9-]+)/(\w+)/")
_PROCESS = re.compile(r"\bapp/(\d+)\b")
_HOP = {"transfer-encoding", "content-length", "connection", "keep-alive"}


@dataclass(frozen=True)
class Call:
    """One request of a client. ``process`` is what its AWS_SDK_UA_APP_ID says, 0 when it says nothing."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> dict[str, Any]:
        """The body of a call of a JSON service."""
        return dict(json.loads(self.body or b"{}"))

    @property
    def target(self) -> str:
        """The operation of a call of a JSON service."""
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    @property
    def key(self) -> str:
        """The access key that signed it."""
        return self._scope[0]

    @property
    def service(self) -> str:
        return self._scope[2]

    @property
    def process(self) -> int:
        match = _PROCESS.search(self.headers.get("User-Agent", ""))
        return int(match[1]) if match else 0

    @property
    def _scope(self) -> tuple[str, str, str]:
        match = _KEY.search(self.headers.get("Authorization", ""))
        return (match[1], match[2], match[3]) if match else ("", "", "")


@dataclass
class Reply:
    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/xml")])

    @property
    def good(self) -> bool:
        return self.status < 300

    @property
    def tree(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    def text(self, name: str) -> str:
        """The text of the first element of that name, "" without one."""
        return self.tree.findtext(f".//{{{NAMESPACE}}}{name}", "")

    def but(self, tree: ElementTree.Element) -> "Reply":
        return Reply(self.status, ElementTree.tostring(tree), self.headers)


class Refusal(Exception):
    """An answer of the liar's own."""

    def __init__(self, code: str, message: str = "", status: int = 400):
        super().__init__(message)
        self.code, self.message, self.status = code, message or code, status

    @property
    def reply(self) -> Reply:
        error = f"<Error><Type>Sender</Type><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return Reply(self.status, f'<ErrorResponse xmlns="{NAMESPACE}">{error}</ErrorResponse>'.encode())


def answer(action: str, content: str = "") -> Reply:
    result = f"<{action}Result>{content}</{action}Result>"
    return Reply(200, f'<{action}Response xmlns="{NAMESPACE}">{result}</{action}Response>'.encode())


def now() -> str:
    """As the emulator writes it, so that texts compare like times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def members(tree: ElementTree.Element, name: str) -> Iterable[ElementTree.Element]:
    return tree.findall(f".//{{{NAMESPACE}}}{name}/{{{NAMESPACE}}}member")


def get(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{{{NAMESPACE}}}{name}", "")


def put(element: ElementTree.Element, name: str, text: str) -> None:
    found = element.find(f"{{{NAMESPACE}}}{name}")
    if found is None:
        found = ElementTree.SubElement(element, f"{{{NAMESPACE}}}{name}")
    found.text = text


class Upstream:
    """The emulator. One kept connection per thread."""

    def __init__(self, address: str):
        self.address = address
        self._local = threading.local()

    def ask(self, call: Call) -> Reply:
        for attempt in (1, 2):  # a kept connection may have been closed meanwhile
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(self.address, timeout=UPSTREAM_SECONDS)
                self._local.connection = connection
            try:
                connection.request(call.method, call.path, call.body, dict(call.headers))
                found = connection.getresponse()
                body = found.read()
            except (http.client.BadStatusLine, ConnectionError):
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
                continue
            headers = [(name, value) for name, value in found.getheaders() if name.lower() not in _HOP]
            return Reply(found.status, body, headers)
        raise AssertionError("not reached")
