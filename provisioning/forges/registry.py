"""Forges by provider."""

from collections.abc import Callable, Mapping

from provisioning.forges.base import Forge, Repository
from provisioning.forges.errors import ForgeRefused

_NAMES = {
    "LOCAL": "this machine",
    "GITHUB": "GitHub",
    "GITHUB_ENTERPRISE": "GitHub Enterprise",
    "BITBUCKET": "Bitbucket",
}


class Forges:
    """What the engines of pull requests are given: ``forges(repository)`` is the forge that has it.

    ``makers`` by provider; one may choose credentials by the repository, and should answer with the same object for the
    same credentials, since tokens are kept there.
    """

    def __init__(self, makers: Mapping[str, Callable[[Repository], Forge]]):
        self._makers = dict(makers)

    def __call__(self, repository: Repository) -> Forge:
        """Raises ForgeRefused for a provider that is not set up."""
        maker = self._makers.get(repository.provider)
        if maker is None:
            name = _NAMES[repository.provider]
            raise ForgeRefused(f"Repositories at {name} are not set up.", "Ask an administrator to set it up.")
        return maker(repository)

    def providers(self) -> tuple[str, ...]:
        return tuple(self._makers)
