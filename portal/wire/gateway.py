"""The request path of the Proton API, as a visible list of steps.

``WireMiddleware`` stands before sessions and cookies: a browser's sign-in means nothing here, and no token against
forged forms is needed, since every request is signed.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError

from portal import logs
from portal.errors import PortalError
from portal.wire import callers, discretion, reading, replay, shapes, sigv4
from portal.wire.errors import AwsError, translate
from portal.wire.registry import Caller, Operation, handlers
from portal.wire.service_model import operation_models, target_prefix

log = logging.getLogger(__name__)
LARGEST_BODY = 1024 * 1024  # bytes; a spec and a template file have at most 51,200 characters each
CONTENT_TYPE = "application/x-amz-json-1.0"
NOTIFY = "NotifyResourceDeploymentStatusChange"


@dataclass
class Call:
    """One request on its way through the steps."""

    request: HttpRequest
    operation: Operation | None = None
    caller: Caller | None = None
    signed: sigv4.Signed | None = None
    body: bytes = b""
    members: Mapping[str, Any] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)


def require_https(call: Call) -> None:
    """A portal that is reached over https is not asked over http: a request tells more than its signature hides."""
    if settings.SECURE_SSL_REDIRECT and not call.request.is_secure():
        raise AwsError("AccessDeniedException", f"Use {settings.PORTAL_PUBLIC_URL} as the endpoint.", 403)


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


def authenticate(call: Call) -> None:
    try:
        found = callers.authenticate(sigv4.from_wsgi(call.request.META, call.body))
    except sigv4.Refused as refused:
        raise AwsError(refused.code, refused.message, refused.status) from None
    call.caller, call.signed = Caller(found.user, found.account_id, found.scope), found.signed
    call.request.__dict__["_cached_user"] = found.user  # for the log of requests


def parse(body: bytes) -> Mapping[str, Any]:
    """The members of a JSON body. Raises AwsError."""
    try:
        members = json.loads(body or b"{}", parse_constant=_no_constant)
        if b"\\u" in body:
            reading.storable(members)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The body is not a JSON document that can be read.") from None
    if not isinstance(members, dict):
        raise AwsError("SerializationException", "The body must be a JSON object.")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)


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
    """AWS Proton's managed policies as roles, asked before anything is said about the request; whose rows are concerned
    is asked in ``access``."""
    assert call.operation is not None and call.caller is not None
    if not call.caller.user.at_least(call.operation.role):
        raise AwsError(
            "AccessDeniedException",
            f"User: {call.caller.user.username} is not authorized to perform: proton:{call.operation.name}. "
            f"It needs the role {call.operation.role.label.lower()}.",
        )


def stay_in_scope(call: Call) -> None:
    """A key that was made for one resource may speak about that, and about nothing else."""
    assert call.operation is not None and call.caller is not None
    scope = call.caller.scope
    if scope and (call.operation.name, call.members.get("resourceArn")) != (NOTIFY, scope):
        message = f"This key is for {scope} only: it may perform proton:{NOTIFY} on that."
        raise AwsError("AccessDeniedException", message)


def run(call: Call) -> None:
    assert call.operation is not None and call.caller is not None
    arguments = {call.operation.arguments[name]: value for name, value in call.members.items()}
    try:
        found = call.operation.run(call.caller, **arguments)
    except PortalError as refusal:
        raise translate(refusal, call.operation.name) from refusal
    told = discretion.shown(call.caller.user, call.operation.name, found)
    call.reply = shapes.reply(call.operation.output, told)


Step = Callable[[Call], None]
AT_THE_DOOR: tuple[Step, ...] = (require_https, read_target, read_body, authenticate, authorise)
INSIDE: tuple[Step, ...] = (check_shape, stay_in_scope, run)
STEPS = AT_THE_DOOR + INSIDE


def serve(request: HttpRequest) -> HttpResponse:
    """The reply to one request: always JSON in AWS's shape, with the id that the logs and the audit have."""
    call = Call(request)
    reply = _answer(call, AT_THE_DOOR)
    if reply.status == 200:
        reply = _worked_on(call)
    response = HttpResponse(reply.body, status=reply.status, content_type=CONTENT_TYPE)
    response.headers["x-amzn-RequestId"] = logs.request_id()
    response.headers["Content-Length"] = str(len(response.content))  # else it goes out in chunks
    return response


def _worked_on(call: Call) -> replay.Reply:
    """The rest of the steps; what changes something is done once for each signature."""
    assert call.operation is not None and call.signed is not None
    if not call.operation.mutates:
        return _answer(call, INSIDE)
    try:
        return replay.once(call.signed, lambda: _answer(call, INSIDE))
    except PortalError as refusal:
        error = translate(refusal, call.operation.name)
        return replay.Reply(error.status, orjson.dumps(error.body()))


def _answer(call: Call, steps: tuple[Step, ...]) -> replay.Reply:
    try:
        for step in steps:
            step(call)
    except AwsError as error:
        return replay.Reply(error.status, orjson.dumps(error.body()))
    except Exception:
        log.exception("%s failed", call.operation.name if call.operation else "a request")
        failure = AwsError("InternalServerException", "Something went wrong here. The request id finds it in the logs.")
        return replay.Reply(500, orjson.dumps(failure.body()))
    return replay.Reply(200, orjson.dumps(call.reply))


class WireMiddleware:
    """Answers ``POST /`` with ``X-Amz-Target`` itself, and lets every other request through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path_info == "/" and "HTTP_X_AMZ_TARGET" in request.META:
            return serve(request)
        return self.get_response(request)
