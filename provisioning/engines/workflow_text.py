"""What commits and pull requests of workflows say, and what is read from them again."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.engines.base import Job
from provisioning.forges.errors import InvalidName
from provisioning.forges.names import branch_name, file_path, one_line

_MAX_DIFF = 30_000  # characters; a pull request's text has at most 65,536
_MAX_INPUTS = 10_000
_TRAILER = re.compile(r"Deuteron-([A-Z][a-z]+): (.*)")


@dataclass(frozen=True)
class Version:
    """One commit of the template's branch. ``branch`` is the one that its pull request comes from, ``digest`` is that
    of its ``files``' contents, ``version`` the template's."""

    deployment: str
    branch: str
    version: str
    digest: str
    files: tuple[str, ...]
    service: str


def digest_of(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def commit_message(job: Job, version: Version) -> str:
    """The last paragraph is for the next deployment to read: nothing else remembers what was written."""
    what = f"{one_line(str(job.settings.get('template') or 'the template'), 80)} {one_line(version.version, 40)}"
    trailers = [
        ("Deployment", version.deployment),
        ("Service", version.service),
        ("Branch", version.branch),
        ("Version", version.version),
        ("Digest", version.digest),
        *(("File", path) for path in version.files),
    ]
    lines = "\n".join(f"Deuteron-{name}: {one_line(value, 1000)}" for name, value in trailers)
    return f"Workflow of {one_line(version.service, 100)} from {what.strip()}\n\n{lines}\n"


def read_version(message: str, service: str) -> Version | None:
    """What a commit of the template's branch says about itself; None for a commit of other hands."""
    paragraph = message.rstrip().rpartition("\n\n")[2]
    matches = [match for line in paragraph.split("\n") if (match := _TRAILER.fullmatch(line))]
    found: list[tuple[str, str]] = [(match.group(1), match.group(2)) for match in matches]
    values = dict(found)
    if values.get("Service") != service:
        return None
    try:
        return Version(
            deployment=values["Deployment"],
            branch=branch_name(values["Branch"]),
            version=values["Version"],
            digest=values["Digest"],
            files=tuple(file_path(value) for name, value in found if name == "File"),
            service=service,
        )
    except (KeyError, InvalidName):
        return None


def title(job: Job, *, first: bool) -> str:
    service = job.settings.get("service")
    if job.intent == "remove":
        return one_line(f"Remove the workflow of {service}")
    what = f"{job.settings.get('template') or 'its template'} {job.settings.get('version') or ''}".strip()
    return one_line(f"{'Add' if first else 'Update'} the workflow of {service} ({what})")


def body(job: Job, version: Version, changed: str) -> str:
    """What it is, from which template version, with what inputs, and what changed since the last."""
    settings = job.settings
    service = _code(str(settings.get("service")))
    if job.intent == "remove":
        return f"The service {service} is being deleted. This takes the workflow away that its template brought.\n"
    template = f"{settings.get('template') or 'the template'} {settings.get('version') or ''}".strip()
    parts = [
        f"The workflow of the service {service}, written by the template {_code(template)}.",
        "Merge it to use it, or close it: it is not opened again before the template's next version. What you "
        "change in the file is yours, and later versions are merged with it.",
        "Files:\n" + "\n".join(f"- {_code(path)}" for path in version.files),
    ]
    if settings.get("inputs"):
        inputs = json.dumps(settings["inputs"], indent=2, ensure_ascii=False, default=str)
        parts.append("Inputs:\n" + _block(inputs[:_MAX_INPUTS], "json"))
    if changed:
        parts.append("What changed in the template's output since the last version:\n" + _block(changed, "diff"))
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    """A few words that Markdown takes as they are."""
    return "`" + one_line(text).replace("`", "'") + "`"


def _block(text: str, language: str) -> str:
    """A code block whose end the text cannot write itself."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text[:_MAX_DIFF]}\n{fence}"
