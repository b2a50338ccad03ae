"""manifest.yaml: which engine renders which file. AWS Proton: one for each infrastructure directory of a bundle."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from provisioning.codebuild_settings import read_settings
from provisioning.names import unsafe
from provisioning.problems import Problem, errors, pointer
from provisioning.yaml_reader import Document, read_yaml

Engine = Literal["cloudformation", "terraform", "codebuild", "github_actions"]
LANGUAGES = {"jinja": ("cloudformation", "github_actions"), "hcl": ("terraform",), "codebuild": ("",)}


@dataclass(frozen=True)
class ManifestEntry:
    """One entry of ``infrastructure.templates``.

    ``file`` is relative to the manifest's directory, "*" for all .tf files of it, "" for CodeBuild; ``settings`` is
    CodeBuild's block. ``line`` is where the entry starts.
    """

    rendering_engine: str
    template_language: str
    file: str
    settings: Mapping[str, Any] | None = None
    line: int = 1


@dataclass(frozen=True)
class Manifest:
    entries: tuple[ManifestEntry, ...]

    @property
    def main(self) -> ManifestEntry:
        """The entry that provisions; workflow files (github_actions) stand beside it."""
        return next((entry for entry in self.entries if entry.template_language != "github_actions"), self.entries[0])

    @property
    def engine(self) -> Engine:
        """What provisions this part: "github_actions" only where the manifest has nothing but workflow files."""
        if self.main.rendering_engine == "codebuild":
            return "codebuild"
        return self.main.template_language  # type: ignore[return-value]

    @property
    def workflows(self) -> tuple[ManifestEntry, ...]:
        """Entries whose files become workflows in the service's repository."""
        return tuple(entry for entry in self.entries if entry.template_language == "github_actions")


def dump_settings(settings: Mapping[str, Any]) -> str:
    """A manifest of one CodeBuild entry with these settings: what ``parse_manifest`` reads."""
    entry = {"rendering_engine": "codebuild", "settings": dict(settings)}
    return yaml.safe_dump({"infrastructure": {"templates": [entry]}}, sort_keys=False, width=10_000, allow_unicode=True)


def parse_manifest(text: str, file: str) -> tuple[Manifest | None, tuple[Problem, ...]]:
    """Reads a manifest; None when any problem is an error. ``file`` is the manifest's own path, for the problems."""
    document, problems = read_yaml(text, file=file)
    if document is None:
        return None, problems
    reader = _Reader(document, file)
    entries = reader.entries()
    if errors(reader.problems):
        return None, tuple(reader.problems)
    return Manifest(entries), tuple(reader.problems)


class _Reader:
    def __init__(self, document: Document, file: str):
        self.document, self.file = document, file
        self.problems: list[Problem] = []

    def say(self, path: str, message: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(path, message, self.document.line(path), severity, self.file))

    def entries(self) -> tuple[ManifestEntry, ...]:
        top = self.document.value
        if not isinstance(top, Mapping) or not isinstance(top.get("infrastructure"), Mapping):
            self.say("", "A manifest starts with infrastructure: and, below it, templates: (a list).")
            return ()
        self.unknown("", top, ("infrastructure",))
        infrastructure = top["infrastructure"]
        self.unknown("/infrastructure", infrastructure, ("templates",))
        templates = infrastructure.get("templates")
        if not isinstance(templates, list) or not templates:
            self.say("/infrastructure/templates", "infrastructure.templates must be a list with at least one entry.")
            return ()
        read = [self.entry(pointer("infrastructure", "templates", at), entry) for at, entry in enumerate(templates)]
        entries = tuple(entry for entry in read if entry is not None)
        if len(entries) == len(templates):
            self.check_together(entries)
        return entries

    def unknown(self, path: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in value:
            if key not in known and not key.startswith("x-"):
                close = difflib.get_close_matches(key, known, 1)
                hint = f" Did you mean {close[0]}?" if close else ""
                self.say(path + pointer(key), f"{key} has no meaning in a manifest and is ignored.{hint}", "warning")

    def entry(self, path: str, value: Any) -> ManifestEntry | None:
        if not isinstance(value, Mapping):
            self.say(path, "An entry has the keys rendering_engine, template_language and file.")
            return None
        before = len(errors(self.problems))
        known = ("file", "rendering_engine", "template_language", "settings")
        self.unknown(path, value, (*known, "codebuild") if value.get("rendering_engine") == "codebuild" else known)
        engine, language = value.get("rendering_engine"), value.get("template_language")
        if not isinstance(engine, str) or engine.lower() not in LANGUAGES:
            old = " (engine is the name it had before 2021)" if "engine" in value and engine is None else ""
            where = path + "/rendering_engine" if engine is not None else path
            self.say(where, f"rendering_engine must be jinja, hcl or codebuild{old}.")
            return None
        engine = engine.lower()
        if language is not None and not isinstance(language, str):
            self.say(path + "/template_language", "template_language must be text.")
            return None
        language = (language or "").lower()
        if engine == "codebuild":
            ready = ManifestEntry(engine, "", "", self.settings(path, value), self.document.line(path) or 1)
        else:
            if language not in LANGUAGES[engine]:
                said = f"not {language}" if language else "but template_language is missing"
                self.say(path, f"rendering_engine {engine} goes with {' or '.join(LANGUAGES[engine])}, {said}.")
            self.file_name(path, value.get("file"), engine)
            if "settings" in value:
                self.say(path + "/settings", "settings have a meaning for rendering_engine codebuild only.", "warning")
            file = value.get("file")
            name = file.removeprefix("./") if isinstance(file, str) else ""
            if engine == "hcl" and name == "*.tf":  # as an older page of AWS Proton's guide has it
                name = "*"
            ready = ManifestEntry(engine, language, name, None, self.document.line(path) or 1)
        return ready if len(errors(self.problems)) == before else None

    def file_name(self, path: str, file: Any, engine: str) -> None:
        where = path + "/file" if file is not None else path
        if not isinstance(file, str) or not file:
            names = "a file" if engine == "jinja" else 'a file, or "*" for every .tf file of the directory'
            self.say(where, f"file must name {names}.")
        elif file != "*" and (reason := unsafe(file)):
            self.say(where, f"{file} {reason}.")
        elif file == "*" and engine == "jinja":
            self.say(where, 'file must name one file; "*" goes with template_language terraform only.')

    def settings(self, path: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for key in ("template_language", "file"):
            if value.get(key):
                self.say(f"{path}/{key}", f"{key} has no meaning for rendering_engine codebuild.", "warning")
        key = "codebuild" if "codebuild" in value and "settings" not in value else "settings"
        settings = value.get(key)
        if key == "codebuild":
            self.say(f"{path}/{key}", "codebuild: is read as settings:.", "warning")
        if not isinstance(settings, Mapping):
            self.say(path, "rendering_engine codebuild needs settings: with the commands to run.")
            return {}
        return read_settings(settings, f"{path}/{key}", self.document.written, self.say)

    def check_together(self, entries: tuple[ManifestEntry, ...]) -> None:
        provisioning = [entry for entry in entries if entry.template_language != "github_actions"]
        kinds = {(entry.rendering_engine, entry.template_language) for entry in provisioning}
        if len(kinds) > 1:
            self.say("/infrastructure/templates", "All entries of one manifest must use the same engine.")
        elif len(provisioning) > 1 and provisioning[0].rendering_engine != "hcl":
            what = "one CloudFormation file" if provisioning[0].file else "one CodeBuild entry"
            self.say("/infrastructure/templates", f"A manifest names exactly {what}; this one has {len(provisioning)}.")
