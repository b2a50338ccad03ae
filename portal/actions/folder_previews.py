"""What a deployment would change in a provisioning repository, before anybody asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal import forges
from portal.actions import pull_request_jobs
from portal.actions.targets import Target, who
from portal.models import Deployment, TemplateVersion
from portal.queries import destinations
from provisioning.changes import DiffLine, diff_text
from provisioning.engines.base import EngineUnavailable, Job
from provisioning.engines.base import Target as Place
from provisioning.engines.pr_folder import NotOurs, TooLittle, changes_of
from provisioning.forges.errors import ForgeRefused
from provisioning.render.terraform import METADATA


@dataclass(frozen=True)
class Folder:
    """``files`` are the changed ones by path; ``error`` is why nobody can say."""

    repository: str
    files: Mapping[str, list[DiffLine]] = field(default_factory=dict)
    error: str = ""


def of_new(version: TemplateVersion, target: Target, context: Mapping[str, Any]) -> dict[str, str]:
    """The files of something that is not there yet (``target`` is not saved), by their paths in its folder, without the
    one that names the deployment. Asks no forge. Raises ProblemsFound."""
    files = pull_request_jobs.terraform_files(_deployment(version, target, "create"), target, context)
    return {path: text for path, text in sorted(files.items()) if not path.endswith(METADATA)}


def of_update(version: TemplateVersion, target: Target, context: Mapping[str, Any]) -> Folder | None:
    """None where the target has no provisioning repository. The file that names the deployment is left out: it changes
    each time. Asks the forge, so never in a transaction. Raises ProblemsFound."""
    where = destinations.provisioning_repository(target)
    if where is None:
        return None
    row = _deployment(version, target, "update", delivery={"infrastructure": where})
    row.rendered = pull_request_jobs.terraform_files(row, target, context)
    job = Job(
        deployment=str(row.pk),
        intent="apply",
        name="",
        target=Place("", ""),
        resource_arn=target.arn,
        **pull_request_jobs.fields(row, target),
    )
    try:
        forge, repository = forges.forge(where["provider"], where["name"], where["branch"])
        base = forge.head(repository, repository.branch)
        if base is None:
            return Folder(repository.name, error=f"{repository.name} has no branch {repository.branch}.")
        found = changes_of(job, repository, forge, base)
    except (ForgeRefused, NotOurs, TooLittle, EngineUnavailable) as trouble:
        return Folder(where["name"], error=str(trouble))
    files = {
        path: diff_text(found.existing.get(path, ""), text or "")
        for path, text in sorted(found.changes.items())
        if not path.endswith(METADATA)
    }
    return Folder(repository.name, files)


def _deployment(version: TemplateVersion, target: Target, kind: str, **more: Any) -> Deployment:
    """The row that it would be. It is not saved."""
    return Deployment(
        **who(target),
        kind=kind,
        engine=pull_request_jobs.PULL_REQUEST,
        version=version,
        template_name=version.template.name,
        template_major=version.major,
        template_minor=version.minor,
        **more,
    )
