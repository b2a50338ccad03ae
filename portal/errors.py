"""The one closed family of refusals. Each door owns one table that translates them; a test proves it total."""

from collections.abc import Iterable

from provisioning.problems import Problem


class PortalError(Exception):
    """A refusal with a sentence for the person who asked."""

    def __init__(self, message: str):
        self.message = message
        super().__init__(message)


class NotFound(PortalError):
    """It does not exist, or this person may not know that it does."""


class Forbidden(PortalError):
    """It exists and is visible, but this person may not do that. The message says whom to ask."""


class Conflict(PortalError):
    """It cannot be done in the present state: busy, taken, or still in use."""


class Invalid(PortalError):
    """The request itself is wrong. ``problems`` holds every reason; warnings are not among them."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()):
        self.problems = tuple(problems)
        super().__init__(message)


class QuotaExceeded(PortalError):
    """One more would pass a limit. The message names the limit."""


class Unavailable(PortalError):
    """Something outside did not answer (AWS, a forge). Nothing was changed; trying again is safe."""
