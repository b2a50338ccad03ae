"""What can go wrong at a forge. ``ForgeRefused`` is an answer; EngineUnavailable means that there was none."""

from provisioning.engines.base import EngineUnavailable


class ForgeRefused(Exception):
    """The forge said no, and will say so again until somebody does something. ``advice`` is what."""

    def __init__(self, reason: str, advice: str = ""):
        super().__init__(f"{reason} {advice}".strip())
        self.reason = reason
        self.advice = advice


class InvalidName(ForgeRefused):
    """A name that was refused before anything was asked."""

    def __init__(self, what: str, name: str, advice: str):
        shown = ascii(name[:120])
        super().__init__(f"{shown} is not the name of a {what}.", advice[:1].upper() + advice[1:] + ".")


class NoAccess(ForgeRefused):
    """The credentials were refused, or lack a right."""


class Missing(ForgeRefused):
    """There is no such repository, branch, commit or pull request, or it is invisible to these credentials."""


class Moved(ForgeRefused):
    """A branch is not where it was expected: somebody else has changed it meanwhile. Nothing was overwritten."""

    def __init__(self, branch: str, head: str):
        super().__init__(f"The branch {branch} was changed meanwhile.", "Look again.")
        self.branch = branch
        self.head = head


class NothingToMerge(ForgeRefused):
    """A pull request would be empty: everything on the branch is on its base already."""


class Conflicted(ForgeRefused):
    """A merge that a person must resolve."""


class Throttled(EngineUnavailable):
    """The forge asked us to slow down. ``until`` is in seconds since the epoch."""

    def __init__(self, message: str, until: float):
        super().__init__(message)
        self.until = until
