"""The request path of the Proton API, as a visible list of steps.

``WireMiddleware`` stands before sessions and cookies: a browser's sign-in means nothing here, and no token against
forged forms is needed, since every request is signed.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError

from portal import logs
from portal.errors import PortalError
from portal.wire import shapes
from portal.wire.errors import AwsError, translate
from portal.wire.registry import Caller, Operation, handlers
from portal.wire.service_model import operation_models, target_prefix

log = logging.getLogger(__name__)
LARGEST_BODY = 1024 * 1024  # bytes; a spec and a template file have at most 51,200 characters each
CONTENT_TYPE = "application/x-amz-json-1.0"


@dataclass
class Call:
    """One request on its way through the steps."""

    request: HttpRequest
    operation: Operation | None = None
    caller: Caller | None = None
    body: bytes = b""
    members: Mapping[str, Any] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)


def read_target(call: Call) -> None:
    """``X-Amz-Target: AwsProton20200720.ListServices``."""
    prefix, _, name = call.request.META["HTTP_X_AMZ_TARGET"].partition(".")
    call.operation = handlers().get(name) if prefix == target_prefix() else None
    if call.operation is None:
        if prefix == target_prefix() and name in operation_models():
            raise AwsError("ValidationException", f"{name} is not yet available in Deuteron.")
        raise AwsError("UnknownOperationException", "")


def read_body(call: Call) -> None:
    try:
        length = int(call.request.META.get("CONTENT_LENGTH") or 0)
        if length > LARGEST_BODY:
            raise AwsError("RequestEntityTooLargeException", f"The body has more than {LARGEST_BODY} bytes.", 413)
        call.body = call.request.read()
    except (UnreadablePostError, RawPostDataException, ValueError):
        raise AwsError("SerializationException", "The body could not be read.") from None


def parse(body: bytes) -> Mapping[str, Any]:
    """The members of a JSON body. Raises AwsError."""
    try:
        members = json.loads(body or b"{}", parse_constant=_no_constant)
        if b"\\u" in body:
            _storable(members)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The body is not a JSON document that can be read.") from None
    if not isinstance(members, dict):
        raise AwsError("SerializationException", "The body must be a JSON object.")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _storable(members: Any) -> None:
    """Raises ValueError for half a surrogate pair and for NUL, which no database keeps."""
    if "\0" in json.dumps(members, ensure_ascii=False).encode().decode() or "\\u0000" in json.dumps(members):
        raise ValueError("NUL")


def check_shape(call: Call) -> None:
    assert call.operation is not None
    members = parse(call.body)
    try:
        found = shapes.problems(call.operation.input, members)
    except shapes.WrongType as wrong:
        raise AwsError("SerializationException", f"{wrong}.") from None
    if found:
        raise AwsError("ValidationException", shapes.summary(found))
    call.members = shapes.known(call.operation.input, members)


def authorise(call: Call) -> None:
    """AWS Proton's managed policies as roles; whose rows are concerned is asked in ``access``."""
    assert call.operation is not None and call.caller is not None
    if not call.caller.user.at_least(call.operation.role):
        raise AwsError(
            "AccessDeniedException",
            f"User: {call.caller.user.username} is not authorized to perform: proton:{call.operation.name}. "
            f"It needs the role {call.operation.role.label.lower()}.",
        )


def run(call: Call) -> None:
    assert call.operation is not None and call.caller is not None
    arguments = {call.operation.arguments[name]: value for name, value in call.members.items()}
    try:
        found = call.operation.run(call.caller, **arguments)
    except PortalError as refusal:
        raise translate(refusal, call.operation.name) from refusal
    call.reply = shapes.reply(call.operation.output, found)


STEPS: tuple[Callable[[Call], None], ...] = (read_target, read_body, check_shape, authorise, run)


def serve(request: HttpRequest) -> HttpResponse:
    """The reply to one request: always JSON in AWS's shape, with the id that the logs and the audit have."""
    call = Call(request)
    try:
        for step in STEPS:
            step(call)
        status, body = 200, dict(call.reply)
    except AwsError as error:
        status, body = error.status, error.body()
    except Exception:
        log.exception("%s failed", call.operation.name if call.operation else "a request")
        error = AwsError("InternalServerException", "Something went wrong here. The request id finds it in the logs.")
        status, body = 500, error.body()
    return _response(status, body)


def _response(status: int, body: Mapping[str, Any]) -> HttpResponse:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = HttpResponse(content, status=status, content_type=CONTENT_TYPE)
    response.headers["x-amzn-RequestId"] = logs.request_id()
    return response


class WireMiddleware:
    """Answers ``POST /`` with ``X-Amz-Target`` itself, and lets every other request through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path_info == "/" and "HTTP_X_AMZ_TARGET" in request.META:
            return serve(request)
        return self.get_response(request)
