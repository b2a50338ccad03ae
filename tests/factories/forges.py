"""The forge of this machine for a test, and repositories in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portal import forges
from portal.actions import repositories
from portal.models import Deployment, PullRequest, Repository, User
from provisioning.forges.local import LocalForge


@contextmanager
def local(settings: Any, directory: Path) -> Iterator[LocalForge]:
    """As in `make run`: repositories of provider GITHUB are below ``directory``."""
    settings.EMBEDDED, settings.DATA_DIR = True, directory
    settings.GITHUB_APP_ID = settings.GITHUB_TOKEN = ""
    forges.forget()
    found = forges.local_forge()
    assert found is not None
    try:
        yield found
    finally:
        forges.forget()


def repository(by: User, name: str = "acme/infra", **files: str) -> Repository:
    return repositories.create_local(by=by, name=name, files={"README.md": "# Infrastructure\n", **files})


def pull_request(deployment: Deployment, row: Repository, branch: str = "change", text: str = "two\n") -> PullRequest:
    """An open pull request of a deployment, in the forge and as a row."""
    forge, there = forges.forge(row.provider, row.name)
    head = forge.head(there, "main")
    assert head is not None
    forge.commit(there, branch, head, {"dev/main.tf": text}, f"Change {branch}")
    opened = forge.open_pull_request(there, branch, f"Change {branch}", "**Because** <b>of this</b>")
    return PullRequest.objects.create(
        deployment=deployment,
        provider=row.provider,
        repository=row.name,
        base="main",
        branch=branch,
        number=opened.number,
        url=opened.url,
        title=opened.title,
        head=opened.head,
        opened_at=deployment.created_at,
    )
