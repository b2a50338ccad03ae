"""A proxy in front of the embedded AWS that mends what it does worse than the real one. Real AWS never meets it.

Everything passes unchanged, streamed, but CloudFormation calls that carry a template: those go on with quoted numbers
and booleans in the types of the resources' schemas, as JSON with long-form functions.

    python -m portal.embedded.adapter --listen 127.0.0.1:4566 --upstream 127.0.0.1:4567
"""

import argparse
import hashlib
import http.client
import json
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from portal.embedded.coercion import coerce
from provisioning.engines.cfn_document import parse

ACTIONS = {"CreateStack", "UpdateStack", "CreateChangeSet"}
MAX_CALL = 2 * 1024 * 1024  # a CloudFormation call that is longer passes as it is
MAX_BODY = 51_200  # bytes of a template that CloudFormation takes in the call itself
OWN_BUCKET = "deuteron-embedded-templates"  # one for each caller, for templates that outgrow the call
CHUNK = 64 * 1024
UPSTREAM_SECONDS = 120
_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
_SCOPE = re.compile(r"Credential=[^/]*/\d+/([a-z0-9-]+)/(\w+)/")
_KEY = re.compile(r"Credential=([A-Za-z0-9]{1,32})/")
_NOT_MET = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # a template that is not one


class UpstreamSilent(Exception):
    """The embedded AWS did not answer a call that the adapter made on behalf of its client."""


class Handler(BaseHTTPRequestHandler):
    """One client connection, with one connection to the upstream that is kept as long."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300  # seconds that a silent client may keep its thread
    upstream: tuple[str, int]

    def setup(self) -> None:
        super().setup()
        self._connection: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        super().finish()
        if self._connection is not None:
            self._connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the upstream has a log of its own."""

    def do_GET(self) -> None:
        self._forward()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _forward(self) -> None:
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in _HOP]
        try:
            body = self._body(headers)
        except UpstreamSilent as error:
            self._unavailable(error)
            return
        except (ValueError, OSError):
            self.close_connection = True
            return
        try:
            answer = self._ask(self.command, self.path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._unavailable(error)
            return
        try:
            self._answer(answer)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # the client sees a reply that was cut off, and not a good one
            self._drop()

    def _body(self, headers: list[tuple[str, str]]) -> bytes | Iterator[bytes] | None:
        """What to send on; ``headers`` are adjusted to it."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            headers.append(("Transfer-Encoding", "chunked"))
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if not length:
            return None
        if length <= MAX_CALL and self._is_cloudformation():
            body = self._mended(self.rfile.read(length), headers)
            headers[:] = [header for header in headers if header[0].lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
            return body
        return self._pieces(length)

    def _pieces(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self.rfile.read(min(CHUNK, length))
            if not piece:
                raise OSError("the client hung up")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        """The content of a chunked body."""
        while size := int(self.rfile.readline(1024).split(b";")[0], 16):
            yield from self._pieces(size)
            self.rfile.readline(8)
        while self.rfile.readline(65537).strip():
            pass

    def _ask(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes | Iterator[bytes] | None
    ) -> http.client.HTTPResponse:
        """Sends it; once more on a new connection when the kept one was closed before anything was answered."""
        kept = self._connection is not None
        try:
            return self._send(method, path, headers, body)
        except (ConnectionError, http.client.RemoteDisconnected, http.client.CannotSendRequest):
            self._drop()
            if not kept or not (body is None or isinstance(body, bytes)) or method == "POST":
                raise
        return self._send(method, path, headers, body)

    def _send(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes | Iterator[bytes] | None
    ) -> http.client.HTTPResponse:
        if self._connection is None or _closed(self._connection):
            self._connection = http.client.HTTPConnection(*self.upstream, timeout=UPSTREAM_SECONDS)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = self._connection
        link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            link.putheader(name, value)
        chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
        link.endheaders(body, encode_chunked=chunked)
        return link.getresponse()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        silent = self.command == "HEAD" or answer.status in (204, 304) or answer.status < 200
        chunked = not silent and answer.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := b"" if silent else answer.read1(CHUNK):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        answer.close()  # the connection stays open unless the upstream said otherwise
        if answer.will_close:
            self._drop()

    def _unavailable(self, error: Exception) -> None:
        """The upstream is down: what every AWS SDK takes for a fault of the service, and tries again."""
        self._drop()
        text = f"The embedded AWS does not answer: {error}".replace("<", "").replace("&", "")
        body = (
            "<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>"
            f"<Message>{text}</Message></Error></ErrorResponse>"
        ).encode()
        self.close_connection = True
        try:
            self.send_response_only(503)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:
            pass

    # CloudFormation

    def _is_cloudformation(self) -> bool:
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        content = self.headers.get("Content-Type", "")
        return bool(
            self.command == "POST"
            and scope
            and scope[2] == "cloudformation"
            and content.startswith("application/x-www-form-urlencoded")
        )

    def _mended(self, body: bytes, headers: list[tuple[str, str]]) -> bytes:
        """The call with its template coerced; unchanged when it carries none, or one that cannot be read: the
        embedded AWS has the words for that."""
        call = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if call.get("Action") not in ACTIONS:
            return body
        try:
            return self._coerced(call, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamSilent(str(error) or type(error).__name__) from error

    def _coerced(self, call: dict[str, str], body: bytes, headers: list[tuple[str, str]]) -> bytes:
        """Raises OSError and HTTPException when the embedded S3 does not answer."""
        try:
            text = call.get("TemplateBody") or self._stored(call["TemplateURL"], headers)
            scope = _SCOPE.search(self.headers["Authorization"])
            template = coerce(parse(text), _parameters(call), scope[1] if scope else "us-east-1")
            mended = json.dumps(template, separators=(",", ":"), default=str)
        except _NOT_MET:
            return body
        del call["TemplateBody" if "TemplateBody" in call else "TemplateURL"]
        if len(mended.encode()) <= MAX_BODY:
            call["TemplateBody"] = mended
        else:
            call["TemplateURL"] = self._store(mended, headers)
        return urlencode(call).encode()

    def _stored(self, address: str, headers: list[tuple[str, str]]) -> str:
        """The text behind a TemplateURL of the embedded S3: of the caller's account, else of the portal's."""
        parts = urlsplit(address)
        path = parts.path
        if ".s3." in (parts.hostname or ""):
            path = f"/{(parts.hostname or '').split('.s3.')[0]}{path}"
        for caller in (_caller(headers), []):
            status, content = self._call("GET", path, caller)
            if status == 200:
                return content.decode()
        raise ValueError(f"{address}: not found")

    def _store(self, text: str, headers: list[tuple[str, str]]) -> str:
        """Keeps a template that is too long for the call where the embedded CloudFormation reads it."""
        body, caller = text.encode(), _caller(headers)
        key = _KEY.search(caller[0][1]) if caller else None
        bucket = f"{OWN_BUCKET}-{key[1].lower() if key else 'anybody'}"  # a bucket is closed to other accounts
        path = f"/{bucket}/{hashlib.sha256(body).hexdigest()}"
        self._call("PUT", f"/{bucket}", caller)
        status, _ = self._call("PUT", path, caller, body)
        if status != 200:
            raise OSError(f"the embedded S3 answered {status}")
        return f"http://{self.upstream[0]}:{self.upstream[1]}{quote(path)}"

    def _call(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[int, bytes]:
        host = ("Host", f"{self.upstream[0]}:{self.upstream[1]}")
        answer = self._ask(method, path, [host, *headers, ("Content-Length", str(len(body)))], body)
        return answer.status, answer.read()


def _caller(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Whose account it is: the embedded AWS reads the access key and checks no signature."""
    return [
        (name, value.replace("/cloudformation/", "/s3/")) for name, value in headers if name.lower() == "authorization"
    ]


def _parameters(call: dict[str, str]) -> dict[str, str]:
    return {
        value: call.get(f"Parameters.member.{match[1]}.ParameterValue", "")
        for name, value in call.items()
        if (match := re.fullmatch(r"Parameters\.member\.(\d+)\.ParameterKey", name))
    }


def _closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the upstream hung up while nothing was asked of it."""
    if connection.sock is None:
        return True
    connection.sock.setblocking(False)
    try:
        return connection.sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.sock.settimeout(UPSTREAM_SECONDS)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our errors; anything else is said in one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"adapter: {type(error).__name__}: {error}", file=sys.stderr)


def serve(listen: tuple[str, int], upstream: tuple[str, int]) -> Server:
    """A server that is bound and not yet running. Raises OSError when the port is taken."""
    handler = type("BoundHandler", (Handler,), {"upstream": upstream})
    return Server(listen, handler)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=address, required=True)
    parser.add_argument("--upstream", type=address, required=True)
    arguments = parser.parse_args()
    server = serve(arguments.listen, arguments.upstream)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
