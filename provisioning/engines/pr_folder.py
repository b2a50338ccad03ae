"""What a deployment changes in a provisioning repository: the resource's folder, compared with what is there."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioning.changes import unified
from provisioning.engines.base import Job
from provisioning.forges.base import Forge, Repository
from provisioning.render import terraform
from provisioning.render.terraform import METADATA, Place


class NotOurs(Exception):
    """The folder belongs to another resource."""


class TooLittle(Exception):
    """The job does not say what is to be written."""


@dataclass(frozen=True)
class FolderChanges:
    """``changes`` by path from the top of the repository; ``existing`` are texts that were read for the comparison."""

    changes: Mapping[str, str | None]
    existing: Mapping[str, str]

    def diff(self, path: str) -> str:
        return unified(path, self.existing.get(path, ""), self.changes[path] or "")


def changes_of(job: Job, repository: Repository, forge: Forge, base: str) -> FolderChanges:
    """Only files whose content changes. .tf files that an earlier version wrote and this one does not have are taken
    away: their header says that they are managed from here. Raises NotOurs and TooLittle."""
    tree = forge.tree(repository, base)
    folder = terraform.folder(_place(job.settings), tree)
    there = {path: blob for path, blob in tree.items() if path.startswith(folder + "/")}
    arn = job.resource_arn
    if not arn:
        raise TooLittle("The job does not say which resource it is about.")

    def text(path: str) -> str:
        return (forge.read(repository, base, path) or b"").decode(errors="replace")

    metadata = f"{folder}/{METADATA}"
    owner = terraform.owner(text(metadata)) if metadata in there else ""
    if owner and owner != arn:
        raise NotOurs(f"The folder {folder} of {repository.name} belongs to {owner}. Nothing was touched.")
    if job.intent == "remove":
        if not owner:
            return FolderChanges({}, {})
        own = [path for path in there if path.endswith(".tf") and path.rpartition("/")[0] == folder]
        read = {path: text(path) for path in (*own, metadata)}  # not those of what runs in it, in folders below
        inside = {path.removeprefix(folder + "/"): content for path, content in read.items()}
        gone = {f"{folder}/{path}": content for path, content in terraform.deletion(inside).items()}
        return FolderChanges(gone, read)
    if METADATA not in job.files:
        raise TooLittle("The deployment has no rendered files.")
    wanted = {f"{folder}/{path}": content for path, content in job.files.items()}
    changes: dict[str, str | None] = {
        path: content for path, content in wanted.items() if there.get(path) != blob_id(content)
    }
    read = {path: text(path) for path in changes if path in there}
    for path in there:
        if path.endswith(".tf") and path.rpartition("/")[0] == folder and path not in wanted:
            content = text(path)
            if terraform.is_managed(content):
                changes[path], read[path] = None, content
    return FolderChanges(changes, read)


def blob_id(text: str) -> str:
    """Git's id of a file's content."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _place(settings: Mapping[str, Any]) -> Place:
    kind = settings.get("kind")
    if kind not in ("environment", "service_instance", "pipeline", "component"):
        raise TooLittle(f"The job does not say what is deployed (kind {kind!r}).")
    names = {key: str(settings.get(key) or "") for key in ("environment", "service", "instance", "component")}
    needed = {
        "environment": ("environment",),
        "service_instance": ("environment", "service", "instance"),
        "pipeline": ("service",),
        "component": ("environment", "component"),
    }[kind]
    missing = [key for key in needed if not names[key]]
    if missing:
        raise TooLittle(f"The job does not name the {missing[0]} that the folder is called after.")
    return Place(kind, **{key: value for key, value in names.items() if key in needed})
