"""The wire door's table of refusals: each of the family becomes an error of AWS's, with its HTTP status."""

from dataclasses import dataclass

from portal.errors import Conflict, Forbidden, Invalid, NotFound, PortalError, QuotaExceeded, Unavailable
from portal.wire.service_model import modelled_errors
from provisioning.problems import Problem

AWS_NAMES: dict[type[PortalError], str] = {
    NotFound: "ResourceNotFoundException",
    Forbidden: "AccessDeniedException",
    Conflict: "ConflictException",
    Invalid: "ValidationException",
    QuotaExceeded: "ServiceQuotaExceededException",
    Unavailable: "InternalServerException",
}
SERVER_ERRORS = {"InternalServerException"}
MISMATCH = (
    "IdempotentParameterMismatch: the request uses the same {what} as a previous, but non-identical request. "
    "Send the same parameters again, or choose another {what}."
)


@dataclass(eq=False)
class AwsError(Exception):
    """``name`` goes into ``__type``. The HTTP status is 400, but where AWS answers otherwise."""

    name: str
    message: str
    status: int = 400

    def body(self) -> dict[str, str]:
        return {"__type": self.name, "message": self.message}


def translate(refusal: PortalError, operation: str) -> AwsError:
    """What an operation answers. An error that the operation does not declare becomes a ValidationException."""
    name = AWS_NAMES[type(refusal)]
    if name not in modelled_errors(operation):
        name = "ValidationException"
    return AwsError(name, _message(refusal), 500 if name in SERVER_ERRORS else 400)


def _message(refusal: PortalError) -> str:
    """The sentence, followed by every problem that it does not name yet.

    Where it ends with them after a heading, each gets its place: a call has no form that shows it.
    """
    problems = getattr(refusal, "problems", ())
    together = " ".join(problem.message for problem in problems)
    heading = refusal.message.removesuffix(together) if together else refusal.message
    if heading != refusal.message and heading.strip():
        return heading + " ".join(_placed(problem) for problem in problems)
    parts = [refusal.message, *(_placed(one) for one in problems if one.message not in refusal.message)]
    return " ".join(part for part in parts if part)


def _placed(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message
