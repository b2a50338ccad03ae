"""Where in a bundle its parts are: wrapping folders, both layouts, and the directories of each kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from provisioning.names import SCHEMAS, is_junk
from provisioning.problems import Problem

PartName = Literal["infrastructure", "instance", "pipeline"]
DIRECTORIES: Mapping[PartName, str] = {
    "infrastructure": "infrastructure",
    "instance": "instance_infrastructure",
    "pipeline": "pipeline_infrastructure",
}


@dataclass(frozen=True)
class Directory:
    part: PartName
    path: str
    manifest_file: str


@dataclass(frozen=True)
class Found:
    """``schema_file`` is "" when there is none."""

    files: Mapping[str, bytes]
    schema_file: str
    directories: tuple[Directory, ...]
    problems: tuple[Problem, ...]


def find_layout(files: Mapping[str, bytes], kind: str, *, customer_managed: bool) -> Found:
    """Strips wrapping folders and tells what is where; everything that is missing or forbidden is a problem."""
    cleaned = {name.removeprefix("./"): content for name, content in files.items() if not is_junk(name)}
    problems: list[Problem] = []
    root = _root(cleaned, problems)
    inside = {name.removeprefix(root): cleaned[name] for name in sorted(cleaned) if name.startswith(root)}
    schema_file = _schema(inside, problems)
    if kind == "environment":
        directories = _environment(inside, customer_managed, problems)
    else:
        directories = _service(inside, customer_managed, problems)
    return Found(inside, schema_file, directories, tuple(problems))


def _root(files: Mapping[str, bytes], problems: list[Problem]) -> str:
    """The folder that holds schema/, with a slash at its end; "" for the archive's own root."""
    roots = {name.removesuffix(schema) for name in files for schema in SCHEMAS if f"/{name}".endswith(f"/{schema}")}
    if not roots:
        manifests = ("infrastructure/manifest.yaml", "instance_infrastructure/manifest.yaml", "manifest.yaml")
        for manifest in manifests:
            roots = {name.removesuffix(manifest) for name in files if f"/{name}".endswith(f"/{manifest}")}
            if roots:
                break
    if not roots:
        return ""
    least = min(root.count("/") for root in roots)
    nearest = sorted(root for root in roots if root.count("/") == least)
    if len(nearest) > 1:
        listed = ", ".join(root.rstrip("/") for root in nearest)
        problems.append(Problem("", f"There is more than one bundle in the archive ({listed}); send one."))
    return nearest[0]


def _schema(files: Mapping[str, bytes], problems: list[Problem]) -> str:
    for name in SCHEMAS:
        if name in files:
            if name.endswith(".yml"):
                problems.append(Problem("", "AWS Proton calls this file schema/schema.yaml.", None, "warning", name))
            return name
    hint = " Move schema.yaml into a folder schema/." if "schema.yaml" in files else ""
    problems.append(Problem("", f"The bundle has no schema/schema.yaml.{hint}", file="schema/schema.yaml"))
    return ""


def _any_below(files: Mapping[str, bytes], folder: str) -> bool:
    return any(name.startswith(folder + "/") for name in files)


def _proton(files: Mapping[str, bytes], part: PartName) -> Directory | None:
    folder = DIRECTORIES[part]
    for manifest in (f"{folder}/manifest.yaml", f"{folder}/manifest.yml"):
        if manifest in files:
            return Directory(part, folder, manifest)
    return None


def _loose(files: Mapping[str, bytes], part: PartName) -> Directory | None:
    if "manifest.yaml" in files and _any_below(files, "infrastructure"):
        return Directory(part, "infrastructure", "manifest.yaml")
    return None


def _environment(files: Mapping[str, bytes], customer_managed: bool, problems: list[Problem]) -> tuple[Directory, ...]:
    found = _proton(files, "infrastructure") or _loose(files, "infrastructure")
    if customer_managed:
        if _any_below(files, "infrastructure"):
            message = "A customer-managed environment template has a schema only; take infrastructure/ out."
            problems.append(Problem("", message, file="infrastructure"))
        return ()
    if found is None:
        hint = ""
        if _any_below(files, DIRECTORIES["instance"]):
            hint = " With instance_infrastructure/ it looks like the bundle of a service template."
        missing = "infrastructure/manifest.yaml"
        problems.append(Problem("", f"The bundle has no {missing}.{hint}", file=missing))
        return ()
    return (found,)


def _service(files: Mapping[str, bytes], customer_managed: bool, problems: list[Problem]) -> tuple[Directory, ...]:
    found = []
    instance = _proton(files, "instance") or _loose(files, "instance")
    if instance is not None:
        found.append(instance)
    else:
        hint = ""
        if _any_below(files, "infrastructure"):
            hint = " Rename infrastructure/: for services it is called instance_infrastructure/."
        missing = "instance_infrastructure/manifest.yaml"
        problems.append(Problem("", f"The bundle has no {missing}.{hint}", file=missing))
    folder = DIRECTORIES["pipeline"]
    if customer_managed:
        if _any_below(files, folder):
            message = f"This template's pipelines are customer managed; take {folder}/ out."
            problems.append(Problem("", message, file=folder))
        return tuple(found)
    pipeline = _proton(files, "pipeline")
    if pipeline is not None:
        found.append(pipeline)
    elif _any_below(files, folder):
        missing = f"{folder}/manifest.yaml"
        problems.append(Problem("", f"The bundle has no {missing}.", file=missing))
    elif _any_below(files, "pipeline"):
        problems.append(Problem("", f"Rename pipeline/: it is called {folder}/ since 2021.", file="pipeline"))
    return tuple(found)
