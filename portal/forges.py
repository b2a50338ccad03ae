"""How the portal reaches repositories: built once per process from the settings. A leaf beside portal/engines.py.

Provider GITHUB is github.com once an App or a token is set; in `make run` without either it is the forge of this
machine, below DATA_DIR/repositories. GITHUB_ENTERPRISE is the server that GITHUB_API_URL names.
"""

from functools import cache, partial

from django.conf import settings

from portal.enums import RepositoryProvider
from provisioning.forges.base import Forge, Repository
from provisioning.forges.github import GitHubForge
from provisioning.forges.github_client import App, Token
from provisioning.forges.local import LocalForge
from provisioning.forges.registry import Forges


def forge(provider: str, name: str, branch: str = "main") -> tuple[Forge, Repository]:
    """The forge that has a repository, and the repository as its verbs take it. Nothing is asked yet.

    Raises ForgeRefused for a provider that is not set up and InvalidName for anything but plain names.
    """
    repository = Repository(provider, name, branch)  # type: ignore[arg-type]  # it checks the provider itself
    return forges()(repository), repository


@cache
def forges() -> Forges:
    """What engines are given."""
    found: dict[str, Forge] = {}
    if (github := _github()) is not None:
        found[github_provider()] = github
    if (local := local_forge()) is not None:
        found[RepositoryProvider.GITHUB] = local
    return Forges({provider: partial(_same, forge) for provider, forge in found.items()})


@cache
def local_forge() -> LocalForge | None:
    """The forge of this machine, whose repositories the portal itself keeps and shows; None for a server."""
    if not settings.EMBEDDED or (_github() is not None and github_provider() == RepositoryProvider.GITHUB):
        return None
    return LocalForge(settings.DATA_DIR / "repositories", url=pull_request_page)


def github_provider() -> RepositoryProvider:
    """The provider of repositories at GITHUB_API_URL."""
    enterprise = settings.GITHUB_API_URL.endswith("/api/v3")
    return RepositoryProvider.GITHUB_ENTERPRISE if enterprise else RepositoryProvider.GITHUB


def is_local(provider: str) -> bool:
    """Whether the portal itself keeps this provider's repositories."""
    return provider == RepositoryProvider.GITHUB and local_forge() is not None


def pull_request_page(name: str, number: int) -> str:
    """The address of a pull request in the forge of this machine: a page of the portal."""
    return f"{settings.PORTAL_PUBLIC_URL}/repositories/github/{name}/pull/{number}/"


def forget() -> None:
    """For tests that change settings: the next call builds everything again."""
    for made in (forges, local_forge, _github):
        made.cache_clear()


@cache
def _github() -> GitHubForge | None:
    credentials: App | Token | None = None
    if settings.GITHUB_APP_ID:
        credentials = App(settings.GITHUB_APP_ID, settings.GITHUB_APP_PRIVATE_KEY, workflows=settings.GITHUB_WORKFLOWS)
    elif settings.GITHUB_TOKEN:
        credentials = Token(settings.GITHUB_TOKEN)
    return None if credentials is None else GitHubForge(credentials, settings.GITHUB_API_URL)


def _same(forge: Forge, _: Repository) -> Forge:
    return forge
