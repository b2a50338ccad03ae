"""Requests signed by botocore, as a server takes them."""

from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from portal.wire import sigv4
from portal.wire.sigv4 import Request

KEY_ID, SECRET, REGION = "AKIAAAAAAAAAAAAAAAAA", "a secret of the tests", "us-east-1"
TARGET = "AwsProton20200720.GetEnvironment"
JSON = {"content-type": "application/x-amz-json-1.0", "x-amz-target": TARGET}


def signed(
    *,
    method: str = "POST",
    url: str = "http://127.0.0.1:8000/",
    body: bytes = b'{"name": "dev"}',
    headers: dict[str, str] | None = None,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    token: str | None = None,
    service: str = "proton",
    region: str = REGION,
) -> Request:
    """At the present second. ``headers`` are JSON's unless given."""
    asked = AWSRequest(method=method, url=url, data=body, headers=JSON if headers is None else headers)
    SigV4Auth(Credentials(key_id, secret, token), service, region).add_auth(asked)
    parts = urlsplit(url)
    found = {name.lower(): value for name, value in asked.headers.items()}
    found.setdefault("host", parts.netloc)
    return Request(method, parts.path or "/", parts.query, found, body)


def key_of(key_id: str, date: str, region: str, service: str) -> bytes:
    """The signing key of ``KEY_ID``; of every other id some other one."""
    return sigv4.signing_key(SECRET if key_id == KEY_ID else f"not {SECRET}", date, region, service)


def refusal(request: Request, **options: Any) -> str:
    """AWS's name of the refusal; "" when the request is accepted."""
    try:
        sigv4.verify(request, key_of, **{"service": "proton", "regions": {REGION}} | options)
    except sigv4.Refused as refused:
        return refused.code
    return ""


def environ(request: Request) -> dict[str, Any]:
    """As gunicorn gives it."""
    found: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        found[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return found
