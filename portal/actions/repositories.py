"""Linking repositories, testing the access to them, and making them in the forge of this machine."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models.functions import Now

from portal import forges
from portal.actions import audit
from portal.actions import tags as tag_actions
from portal.actions.names import unless_taken
from portal.enums import RepositoryProvider, Role
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, Unavailable
from portal.models import Repository, User
from portal.queries import repositories as queries
from portal.queries.rights import require_change
from portal.quotas import REPOSITORIES
from provisioning.engines.base import EngineUnavailable
from provisioning.forges import names
from provisioning.forges.base import Access
from provisioning.forges.errors import ForgeRefused
from provisioning.problems import Problem

Branch = Mapping[str, str]  # {provider, name, branch}
Answer = TypeVar("Answer")
BITBUCKET = "Repositories at Bitbucket cannot be linked: use one at GitHub or at GitHub Enterprise."
README = "# {name}\n"


def _only_platform(by: User) -> None:
    if not by.at_least(Role.PLATFORM):
        raise Forbidden("Repositories are linked by platform engineers. Ask a platform engineer.")


def check_access(provider: str, name: str) -> Access:
    """What the forge says about a repository and its default branch. Asks it, so never in a transaction.

    Raises Invalid with what to do when it cannot be used, and Unavailable when nobody answered.
    """
    if provider == RepositoryProvider.BITBUCKET:
        raise Invalid(BITBUCKET, [Problem("/provider", BITBUCKET)])

    def look() -> Access:
        forge, repository = forges.forge(provider, name)
        found = forge.access(repository)
        if found.default_branch and found.default_branch != repository.branch:
            found = forge.access(forges.forge(provider, name, found.default_branch)[1])
        return found

    found = _asked(look, "/name")
    if found.problem:
        message = f"{name} cannot be used: {found.problem} Give the App or the token that right, then try again."
        raise Invalid(message, [Problem("/name", message)])
    return found


def _asked(look: Callable[[], Answer], path: str) -> Answer:
    try:
        return look()
    except ForgeRefused as refused:
        raise Invalid(str(refused), [Problem(path, str(refused))]) from None
    except EngineUnavailable as silent:
        raise Unavailable(f"The repository could not be asked for: {silent}. Try again later.") from None


def link(
    *,
    by: User,
    provider: str,
    name: str,
    connection_arn: str = "",
    encryption_key: str = "",
    tags: Mapping[str, str] | None = None,
    found: Access | None = None,
) -> Repository:
    """Let environments, pipelines and services use a repository. The access to it is tested first, unless ``found``
    says what a test found just now.

    Raises Invalid when it cannot be used, Unavailable, Conflict when it is linked already, QuotaExceeded.
    """
    _only_platform(by)
    known = f"The repository {name} is linked already."
    if Repository.objects.filter(provider=provider, name=name).exists():
        raise Conflict(known)
    found = found or check_access(provider, name)
    with transaction.atomic():
        if Repository.objects.count() >= REPOSITORIES:
            raise QuotaExceeded(f"There are {REPOSITORIES} linked repositories already: unlink one first.")
        row = unless_taken(
            lambda: Repository.objects.create(
                provider=provider,
                name=name,
                connection_arn=connection_arn,
                encryption_key=encryption_key,
                tags=tag_actions.checked(tags or {}),
                default_branch=found.default_branch,
                tested_at=Now(),
                created_by=by,
            ),
            known,
        )
        audit.record(by=by, action="repository.link", target=row.arn)
    row.refresh_from_db()
    return row


def create_local(*, by: User, name: str, files: Mapping[str, str] | None = None, readme: str = "") -> Repository:
    """A repository in the forge of this machine, with a first commit on main, and linked. One that is there is linked
    as it is. Raises Invalid where there is no such forge, and for a name that no repository can have."""
    _only_platform(by)
    local = forges.local_forge()
    if local is None:
        message = "Repositories are made at GitHub. Make it there, then link it."
        raise Invalid(message, [Problem("/name", message)])
    content = dict(files or {})
    content.setdefault("README.md", readme or README.format(name=name.partition("/")[2]))

    def make() -> None:
        local.create(forges.forge(RepositoryProvider.GITHUB, name)[1], content)

    _asked(make, "/name")
    return link(by=by, provider=RepositoryProvider.GITHUB, name=name)


def check_again(*, by: User, repository: Repository) -> Repository:
    """Ask the forge now, and keep what it says. Raises Unavailable when nobody answered: then nothing is known."""
    require_change(by, repository)
    try:
        found = check_access(repository.provider, repository.name)
        fields: dict[str, Any] = {"problem": "", "default_branch": found.default_branch}
    except Invalid as refused:
        fields = {"problem": refused.message}
    with transaction.atomic():
        if not Repository.objects.filter(pk=repository.pk).update(tested_at=Now(), **fields):
            raise NotFound(f"the repository {repository} is not linked any more")
        audit.record(by=by, action="repository.test", target=repository.arn, usable=not fields["problem"])
    repository.refresh_from_db()
    return repository


def unlink(*, by: User, repository: Repository) -> None:
    """Forget a repository; nothing in it changes. Raises Conflict while something refers to it."""
    require_change(by, repository)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().filter(pk=repository.pk).first()
        if locked is None:
            raise NotFound(f"the repository {repository} is not linked any more")
        if reasons := queries.blockers_of_unlinking(locked):
            raise Conflict(f"{locked} must stay linked. " + " ".join(reasons))
        audit.record(by=by, action="repository.unlink", target=locked.arn)
        locked.delete()


def linked(branch: Branch, path: str) -> dict[str, str]:
    """{provider, name, branch} of a linked repository, which stays linked until the transaction ends.

    Raises Invalid, with ``path`` as its place, unless it is linked and the branch can be one.
    """
    rows = Repository.objects.select_for_update()
    if not rows.filter(provider=branch["provider"], name=branch["name"]).exists():
        message = f"The repository {branch['name']} is not linked. Link it first."
        raise Invalid(message, [Problem(path, message)])
    try:
        names.branch_name(branch["branch"])
    except ForgeRefused as refused:
        raise Invalid(str(refused), [Problem(path, str(refused))]) from None
    return {member: branch[member] for member in ("provider", "name", "branch")}


def chosen(details: Mapping[str, Any]) -> dict[str, str] | None:
    """{provider, name, branch} of a form's picker ("GITHUB:owner/repo") and branch; None when nothing was chosen."""
    provider, _, name = str(details.get("provisioning_repository") or "").partition(":")
    branch = str(details.get("provisioning_branch") or "") or "main"
    return {"provider": provider, "name": name, "branch": branch} if name else None


def of_environment(
    wanted: Branch | None, present: Branch | None, *, entered: bool, is_new: bool
) -> dict[str, str] | None:
    """The repository that an environment delivers to. AWS Proton: not together with a role or an account connection
    (``entered``), and never changed; one that is equal is accepted. Raises Invalid. In a transaction."""
    path = "/provisioning_repository"
    if wanted is not None and not is_new and dict(wanted) != present:
        message = "The repository of an environment never changes: make another environment for another one."
        raise Invalid(message, [Problem(path, message)])
    if entered and (wanted or present) is not None:
        message = "An environment delivers to a repository, or deploys with a role or connection: not both."
        raise Invalid(message, [Problem(path, message)])
    if not is_new:
        return None if present is None else dict(present)
    return None if wanted is None else linked(wanted, path)


def check_branch(provider: str, name: str, branch: str) -> str:
    """Why a branch cannot be used, in a sentence; "" when it is there, and when nobody answered. Asks the forge."""
    try:
        forge, repository = forges.forge(provider, name, branch)
        return "" if forge.head(repository, branch) else f"There is no branch {branch} in {name}."
    except ForgeRefused as refused:
        return str(refused)
    except EngineUnavailable:
        return ""
