"""Speaking to GitHub: as an App with short-lived tokens for one repository each, or with a token that a person made.

What goes wrong is translated here, once: an answer that means no is a ForgeRefused with what to do about it; no answer,
or one that makes no sense, is EngineUnavailable; a request to slow down says until when.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import github
import requests
from github import Auth, GithubException

from provisioning.engines.base import EngineUnavailable
from provisioning.forges import names
from provisioning.forges.base import Repository
from provisioning.forges.errors import ForgeRefused, Missing, NoAccess, Throttled

PUBLIC = "https://api.github.com"
_RENEW_SECONDS = 600  # a token lives an hour: none is used in its last ten minutes
_NONSENSE = (AssertionError, KeyError, TypeError, ValueError, RuntimeError, github.BadAttributeException)

T = TypeVar("T")


@dataclass(frozen=True)
class App:
    """A GitHub App: its id and its private key (PEM). ``workflows``: whether its tokens may write workflow files."""

    app_id: str
    private_key: str = field(repr=False)
    workflows: bool = False


@dataclass(frozen=True)
class Token:
    """A person's token: the fallback where no App can be had. It can do whatever that person can."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class _Session:
    client: github.Github
    expires: float
    permissions: Mapping[str, str] | None  # None for a person's token


class Client:
    """One session per repository; safe for threads. ``timeout`` is in seconds."""

    def __init__(
        self,
        credentials: App | Token,
        base_url: str = PUBLIC,
        *,
        timeout: int = 15,
        clock: Callable[[], float] = time.time,
    ):
        self._credentials = credentials
        self._base_url = names.base_url(base_url)
        self._timeout = timeout
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def ask(self, repository: Repository, call: Callable[[Any], T]) -> T:
        """What ``call`` makes of PyGithub's repository. Repeats once with a new token when an App's was refused."""
        for last in (not isinstance(self._credentials, App), True):
            try:
                return self._ask(repository, call)
            except _Refused as refused:
                self._forget(repository)
                if last:
                    raise NoAccess(
                        f"GitHub refuses the credentials for {repository.name}: {refused}.",
                        "Renew the token, or install the App again and enter its key.",
                    ) from None
        raise AssertionError  # the loop ends by returning or raising

    def ask_or_none(self, repository: Repository, call: Callable[[Any], T]) -> T | None:
        """The same; None when what was asked for is not there. Raises Missing when the repository is not there."""
        try:
            return self.ask(repository, call)
        except Missing:
            self.ask(repository, lambda there: there.default_branch)
            return None

    def permissions(self, repository: Repository) -> Mapping[str, str] | None:
        """What an App's token may do; None for a person's token."""
        return self._session(repository).permissions

    def _ask(self, repository: Repository, call: Callable[[Any], T]) -> T:
        with _translated(repository, self._clock):
            return call(self._session(repository).client.get_repo(repository.name))

    def _forget(self, repository: Repository) -> None:
        with self._lock:
            self._sessions.pop(repository.name, None)

    def _session(self, repository: Repository) -> _Session:
        with self._lock:
            found = self._sessions.get(repository.name)
        if found is None or found.expires - self._clock() < _RENEW_SECONDS:
            found = self._begun(repository)
            with self._lock:
                self._sessions[repository.name] = found
        return found

    def _begun(self, repository: Repository) -> _Session:
        if isinstance(self._credentials, Token):
            return _Session(self._github(Auth.Token(self._credentials.token)), float("inf"), None)
        app = self._github(Auth.AppAuth(self._credentials.app_id, self._credentials.private_key))
        owner, _, name = repository.name.partition("/")
        wanted = {"contents": "write", "pull_requests": "write", "metadata": "read"}
        ask = app.requester.requestJsonAndCheck
        try:
            _, installation = ask("GET", f"/repos/{owner}/{name}/installation")
        except github.UnknownObjectException:
            raise NoAccess(
                f"The GitHub App is not installed on {repository.name}, or there is no such repository.",
                "Check the name, and install the App on it.",
            ) from None
        granted = installation.get("permissions") or {}
        if "checks" in granted:  # to show what the checks of a pull request say
            wanted["checks"] = "read"
        if self._credentials.workflows and granted.get("workflows") == "write":
            wanted["workflows"] = "write"
        wish = {"repositories": [name], "permissions": wanted}
        _, answer = ask("POST", f"/app/installations/{int(installation['id'])}/access_tokens", input=wish)
        expires = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC).timestamp()
        return _Session(self._github(Auth.Token(answer["token"])), expires, dict(answer.get("permissions", {})))

    def _github(self, auth: Auth.Auth) -> github.Github:
        return github.Github(
            auth=auth,
            base_url=self._base_url,
            timeout=self._timeout,
            user_agent="Deuteron",
            per_page=100,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )


class _Refused(Exception):
    """401: worth one attempt with a new token."""


class _translated:
    """Turns what PyGithub raises into what engines understand."""

    def __init__(self, repository: Repository, clock: Callable[[], float]):
        self._repository = repository
        self._clock = clock

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, GithubException):
            raise self._meaning(error) from None
        if isinstance(error, requests.RequestException):
            raise EngineUnavailable(f"GitHub did not answer: {type(error).__name__}") from error
        if isinstance(error, _NONSENSE):
            raise EngineUnavailable(f"GitHub answered nonsense: {error}") from error

    def _meaning(self, error: GithubException) -> Exception:
        status, said, name = error.status, message(error), self._repository.name
        headers = {key.lower(): value for key, value in (error.headers or {}).items()}
        if status == 429 or isinstance(error, github.RateLimitExceededException) or _limited(status, headers):
            return Throttled(f"GitHub asks to slow down: {said}", self._until(headers))
        if status == 401:
            return _Refused(said)
        if status == 403:
            return NoAccess(
                f"GitHub does not allow this on {name}: {said}.",
                "Give the App or the token write access to contents and pull requests, and to workflows for those.",
            )
        if status in (404, 410) or (status == 409 and "empty" in said.lower()):
            return Missing(f"GitHub knows no such thing in {name}: {said}.", "Check the name and the access to it.")
        if status >= 500 or status < 400:
            return EngineUnavailable(f"GitHub answered {status}: {said}")
        return Answered(status, said)

    def _until(self, headers: Mapping[str, str]) -> float:
        now = self._clock()
        try:
            if "retry-after" in headers:
                return now + min(max(float(headers["retry-after"]), 1), 3600)
            if headers.get("x-ratelimit-remaining") == "0":
                return min(max(float(headers["x-ratelimit-reset"]), now + 1), now + 3600)
        except (KeyError, ValueError):
            pass
        return now + 60


class Answered(ForgeRefused):
    """An answer whose meaning depends on the question: 405, 409 or 422."""

    def __init__(self, status: int, said: str):
        super().__init__(f"GitHub refused: {said}.", "Mend what it names, then try again.")
        self.status = status
        self.said = said


def message(error: GithubException) -> str:
    """What GitHub said, with the messages of a failed validation."""
    data = error.data if isinstance(error.data, Mapping) else {}
    said = [str(data.get("message", "")) or f"status {error.status}"]
    for entry in data.get("errors") or ():
        said.append(str(entry.get("message") or entry.get("code") or "") if isinstance(entry, Mapping) else str(entry))
    return ": ".join(part.rstrip(".") for part in said if part)[:500]


def _limited(status: int, headers: Mapping[str, str]) -> bool:
    return status == 403 and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")
