"""What an AWS refusal means for whoever made the call."""

import re
from typing import Literal

from botocore.exceptions import ClientError

Kind = Literal["throttled", "expired", "denied", "unavailable", "raced", "absent", "refused"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequests",
            "TooManyRequestsException",
            "PriorRequestNotComplete",
            "SlowDown",
        ),
        "throttled",
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), "expired"),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "OptInRequired",
        ),
        "denied",
    ),
    **dict.fromkeys(
        ("InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable", "RequestTimeout"),
        "unavailable",
    ),
    # Somebody, perhaps an earlier call of ours whose reply was lost, was faster: look again.
    **dict.fromkeys(
        (
            "AlreadyExistsException",
            "ChangeSetNotFound",
            "InvalidChangeSetStatus",
            "InvalidOperationException",
            "OperationInProgressException",
            "OperationStatusCheckFailedException",
            "TokenAlreadyExistsException",
        ),
        "raced",
    ),
}
_ABSENT = re.compile(r"(Stack|ChangeSet)\b.{0,2100}does not exist\.?$", re.DOTALL)
_RACED_TEXTS = (
    "state and can not be updated",  # UpdateStack and CreateChangeSet while another operation runs
    "cannot be called from current stack status",  # CancelUpdateStack after the update ended
    "cannot be deleted while in status",  # DeleteStack while another operation runs
    "_IN_PROGRESS state",
)


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message(error: ClientError) -> str:
    """The provider's own words, with its code."""
    text = str(error.response.get("Error", {}).get("Message", "")) or str(error)
    return f"{code(error)}: {text}" if code(error) else text


def kind(error: ClientError) -> Kind:
    """Which of seven things to do about it. "refused" is a final answer about this request."""
    found = _KINDS.get(code(error))
    if found:
        return found
    if int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500:
        return "unavailable"
    text = str(error.response.get("Error", {}).get("Message", ""))
    if code(error) == "ValidationError":
        if _ABSENT.match(text):
            return "absent"
        if any(part in text for part in _RACED_TEXTS):
            return "raced"
    return "refused"
