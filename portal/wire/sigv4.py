"""Signature Version 4 on the server's side. The one place that decides whether a request is signed.

Everything that is not expected is refused. What may not change without a fresh look at every caller: the operation
stands in ``x-amz-target``, so that header and every other ``x-amz-*`` must be signed; the body is hashed as it came;
path and query are taken as they stood on the request line, and must be in their one normal form.
"""

import calendar
import hmac
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([A-Z0-9]{16,32})/(\d{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;_-]{1,2000}), ?Signature=([0-9a-f]{64})",
    re.ASCII,
)
TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
TARGET = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+", re.ASCII)
PATH = re.compile(r"/[!$&-;=@-Z_a-z~%]*", re.ASCII)  # RFC 3986; what is not in it never comes unencoded
PAIR = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+=(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})*", re.ASCII)
MAY_HOLD_A_COMMA = {"x-amz-user-agent"}  # in all others a comma means that a server joined two headers into one
STATUS = {"ThrottlingException": 400}  # all others 403: who cannot prove who they are is refused
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS access key id, "
    "secret access key and signing method."
)


class Refused(Exception):
    """``code`` is AWS's own name of the error, ``status`` the HTTP status that goes with it."""

    def __init__(self, code: str, message: str):
        self.code, self.message = code, message
        self.status = STATUS.get(code, 403)
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` and ``query`` as on the request line, undecoded. Names of ``headers`` are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature vouches for. ``token`` is "" without a session token."""

    key_id: str
    token: str = field(repr=False)
    signature: str = field(repr=False)


def verify(
    request: Request,
    key_of: Callable[[str, str, str, str], bytes],
    *,
    service: str,
    regions: Collection[str],
    now: float | None = None,
) -> Signed:
    """Who signed the request, when the signature is right; raises Refused otherwise.

    ``key_of(key id, date, region, service)`` gives the signing key (``signing_key``). For a key id that nobody knows it
    gives some other key after the same work: the answer to it is the answer to a wrong signature.
    """
    headers = request.headers
    authorization = headers.get("authorization", "")
    if not authorization:
        if "x-amz-" in request.query.lower():
            _incomplete("Sign the request in its Authorization header: presigned requests are not accepted.")
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = AUTHORIZATION.fullmatch(authorization)
    if found is None:
        _incomplete(
            f"The Authorization header must read {ALGORITHM} Credential=KEY/DATE/REGION/SERVICE/aws4_request, "
            "SignedHeaders=..., Signature=..., once."
        )
    key_id, date, region, scope_service, names, signature = found.groups()
    signed_names = _signed_names(names)
    _check_headers(headers, signed_names, needs_target=service == "proton")
    timestamp, at = _time(headers, signed_names)
    _check_skew(timestamp, at, time.time() if now is None else now)
    if timestamp[:8] != date:
        _wrong(f"Date in Credential scope does not match {timestamp[:8]}, the date of the request.")
    if scope_service != service:
        _wrong(f"Credential should be scoped to correct service: '{service}'.")
    if region not in regions:
        _wrong(f"Credential should be scoped to a valid region, not '{region}': this portal is in {min(regions)}.")
    canonical = _canonical(request, names, signed_names)
    scope = f"{date}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{sha256(canonical).hexdigest()}"
    wanted = hmac.digest(key_of(key_id, date, region, service), text.encode(), "sha256").hex()
    if not hmac.compare_digest(wanted, signature):
        _wrong(MISMATCH)
    return Signed(key_id, headers.get("x-amz-security-token", ""), signature)


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """What signs a day's requests to one service in one region."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def from_wsgi(environ: Mapping[str, Any], body: bytes) -> Request:
    """The request as the server took it. gunicorn gives the request line as RAW_URI, others as REQUEST_URI.

    Headers with an underscore in their name must not get here: gunicorn and Django's own server drop them.
    """
    uri = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if uri is None:
        path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/~")
        query = environ.get("QUERY_STRING", "")
    else:
        if not uri.startswith("/"):  # the absolute form, which proxies may send
            uri = "/" + uri.partition("://")[2].partition("/")[2]
        path, _, query = uri.partition("?")
    headers = {_header_name(key): value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[_header_name(key)] = environ[key]
    return Request(environ["REQUEST_METHOD"], path, query, headers, body)


@lru_cache(maxsize=512)
def _header_name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").lower()


@lru_cache(maxsize=256)
def _signed_names(names: str) -> tuple[str, ...]:
    found = tuple(names.split(";"))
    if list(found) != sorted(set(found)) or "" in found or "_" in names:
        _incomplete("SignedHeaders must name each header once, in lower case and in order.")
    return found


def _check_headers(headers: Mapping[str, str], signed: tuple[str, ...], *, needs_target: bool) -> None:
    if "host" not in signed:
        _wrong("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    for name, value in headers.items():
        if name.startswith("x-amz-"):
            if name not in signed:
                _wrong(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
            if "," in value and name not in MAY_HOLD_A_COMMA:
                _wrong(f"'{name}' may be sent once only.")
    if "," in headers.get("host", ","):
        _wrong("'Host' must be sent, once.")
    if needs_target and not TARGET.fullmatch(headers.get("x-amz-target", "")):
        _wrong("'x-amz-target' must be sent, once, and be a 'SignedHeader' in the AWS Authorization.")


def _time(headers: Mapping[str, str], signed: tuple[str, ...]) -> tuple[str, int]:
    """The timestamp that is signed, and the same in seconds since 1970."""
    stamp = headers.get("x-amz-date", "")
    if stamp:
        if not TIMESTAMP.fullmatch(stamp):
            _incomplete("'x-amz-date' must read YYYYMMDDTHHMMSSZ.")
    elif "date" in headers:
        if "date" not in signed:
            _wrong("'Date' must be a 'SignedHeader' in the AWS Authorization, or 'x-amz-date' be sent.")
        stamp = headers["date"]
        if not TIMESTAMP.fullmatch(stamp):
            stamp = _basic_form(stamp)
    else:
        _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return stamp, _seconds(stamp)


def _basic_form(stamp: str) -> str:
    try:
        return parsedate_to_datetime(stamp).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        _incomplete("'Date' must read as RFC 1123 says, or YYYYMMDDTHHMMSSZ.")


@lru_cache(maxsize=256)
def _seconds(stamp: str) -> int:
    try:
        return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        _incomplete("The timestamp of the request is no time.")


def _check_skew(timestamp: str, at: int, now: float) -> None:
    """AWS's own sentences, from which SDKs read the server's time."""
    if abs(now - at) <= SKEW_SECONDS:
        return
    minutes = SKEW_SECONDS // 60
    server = _text(now)
    if at < now:
        limit = _text(now - SKEW_SECONDS)
        _wrong(f"Signature expired: {timestamp} is now earlier than {limit} ({server} - {minutes} min.)")
    limit = _text(now + SKEW_SECONDS)
    _wrong(f"Signature not yet current: {timestamp} is still later than {limit} ({server} + {minutes} min.)")


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _canonical(request: Request, names: str, signed: tuple[str, ...]) -> bytes:
    headers = request.headers
    lines = [f"{name}:{_canonical_value(name, headers.get(name))}\n" for name in signed]
    digest = sha256(request.body).hexdigest()
    if headers.get("x-amz-content-sha256", digest) != digest:
        _wrong("'x-amz-content-sha256' must be the SHA-256 of the body: unsigned and streamed bodies are not accepted.")
    query = _canonical_query(request.query) if request.query else ""
    path = _canonical_path(request.path)
    try:
        return f"{request.method}\n{path}\n{query}\n{''.join(lines)}\n{names}\n{digest}".encode("latin-1")
    except UnicodeEncodeError:
        _wrong("The request holds characters that cannot come over a line.")


def _canonical_value(name: str, value: str | None) -> str:
    if value is None:
        _wrong(f"'{name}' is a 'SignedHeader' and was not sent.")
    if value.isprintable() and value.isascii() and "  " not in value and value == value.strip():
        return value
    if name == "host" or name.startswith(("x-amz-", "content-")):
        _wrong(f"'{name}' holds characters or spaces that do not belong there.")
    if "\t" in value or "\n" in value or "\r" in value:
        _wrong(f"'{name}' holds control characters.")
    return " ".join(filter(None, value.split(" ")))


@lru_cache(maxsize=64)
def _canonical_path(path: str) -> str:
    """Encoded once more, as every service but S3 does it. Raises Refused for a path with a shorter form."""
    if not PATH.fullmatch(path) or "//" in path or any(part in {".", ".."} for part in path.split("/")):
        _wrong("The path of the request must be in its shortest form, without '//', '.' and '..'.")
    return quote(path, safe="/~")


def _canonical_query(query: str) -> str:
    pairs = query.split("&")
    if not all(PAIR.fullmatch(pair) for pair in pairs):
        _wrong("The query of the request must be name=value pairs, encoded as RFC 3986 says.")
    if any(pair.lower().startswith("x-amz-") for pair in pairs):
        _incomplete("Sign the request in its Authorization header: presigned requests are not accepted.")
    return "&".join(sorted(pairs, key=lambda pair: pair.split("=", 1)))


def _incomplete(message: str) -> NoReturn:
    raise Refused("IncompleteSignatureException", message)


def _wrong(message: str) -> NoReturn:
    raise Refused("InvalidSignatureException", message)
