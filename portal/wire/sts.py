"""Short-lived keys, asked for as of AWS STS: ``aws sts get-session-token --endpoint-url http://portal/sts/``."""

import logging
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal import logs
from portal.actions import replies, session_keys
from portal.errors import PortalError
from portal.wire import callers, sigv4
from portal.wire.callers import Authenticated
from portal.wire.errors import AwsError

log = logging.getLogger(__name__)
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
LONGEST_BODY = 16_384  # bytes
# The names that AWS's services with query parameters have for what those with JSON call otherwise; each is a 403.
QUERY_NAMES = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ExpiredTokenException": "ExpiredToken",
}


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def sts(request: HttpRequest) -> HttpResponse:
    """Looks at no cookie. Every answer is XML."""
    request_id = logs.request_id() or str(uuid.uuid4())
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_BODY:
            raise AwsError("ValidationError", "The request is too long.")
        body = request.body
        caller = callers.authenticate(sigv4.from_wsgi(request.META, body), service="sts")
        action, parameters = _read(body)
        run = ACTIONS.get(action)
        if run is None:
            raise AwsError("InvalidAction", f"Could not find operation {action[:64]} for version 2011-06-15")
        result = run(caller, parameters)
    except sigv4.Refused as refused:
        code = QUERY_NAMES.get(refused.code)
        return _error(request_id, code or "Throttling", refused.message, 403 if code else 400)
    except DatabaseError:
        log.error("no short-lived key can be given out", exc_info=True)
        return _error(request_id, "ServiceUnavailable", "The database does not answer. Try again.", 503)
    except AwsError as failure:
        return _error(request_id, failure.name, failure.message, failure.status)
    text = (
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{action}Response>"
    )
    return HttpResponse(text, content_type="text/xml")


def _read(body: bytes) -> tuple[str, Mapping[str, str]]:
    try:
        parameters = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise AwsError("MalformedQueryString", "The body must be form-encoded.") from None
    return parameters.get("Action", ""), parameters


def _error(request_id: str, code: str, message: str, status: int) -> HttpResponse:
    text = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{"Sender" if status < 500 else "Receiver"}</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return HttpResponse(text, content_type="text/xml", status=status)


def _get_caller_identity(caller: Authenticated, parameters: Mapping[str, str]) -> str:
    arn = f"arn:aws:iam::{caller.account_id}:user/{caller.user.username}"
    return f"<UserId>AIDA{caller.user.pk:017d}</UserId><Account>{caller.account_id}</Account><Arn>{escape(arn)}</Arn>"


def _get_session_token(caller: Authenticated, parameters: Mapping[str, str]) -> str:
    if caller.is_session:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    if parameters.get("SerialNumber") or parameters.get("TokenCode"):
        raise AwsError("AccessDenied", "This portal knows no MFA devices at /sts/: leave them out.", 403)
    seconds = parameters.get("DurationSeconds", str(session_keys.DEFAULT_SECONDS))
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 10):
        raise AwsError("ValidationError", "DurationSeconds must be a whole number.")
    try:
        if not replies.begin(caller.key_id, caller.signed.signature):
            raise AwsError("ServiceUnavailable", "This signed request was answered already: sign a new one.", 503)
        issued = session_keys.issue(
            by=caller.user,
            user=caller.user,
            account_id=caller.account_id,
            seconds=int(seconds),
            parent_id=caller.key_id,
            purpose="GetSessionToken",
        )
    except PortalError as refusal:
        raise AwsError("ValidationError", refusal.message) from refusal
    expires = issued.key.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"<Credentials><AccessKeyId>{issued.key.key_id}</AccessKeyId><SecretAccessKey>{issued.secret}</SecretAccessKey>"
        f"<SessionToken>{issued.token}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
    )


def _assume_role(caller: Authenticated, parameters: Mapping[str, str]) -> str:
    raise AwsError(
        "AccessDenied",
        "This portal has no roles to assume: what a key may do is its person's role in the portal. Use the access key "
        "itself, or GetSessionToken.",
        403,
    )


ACTIONS: dict[str, Callable[[Authenticated, Mapping[str, str]], str]] = {
    "AssumeRole": _assume_role,
    "GetCallerIdentity": _get_caller_identity,
    "GetSessionToken": _get_session_token,
}
