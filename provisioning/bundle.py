"""A template bundle: the files of one template version, read and checked as a whole.

AWS Proton's layout: ``schema/schema.yaml`` and, for each part, a directory with its manifest (``infrastructure/``;
``instance_infrastructure/`` and ``pipeline_infrastructure/``). Read as well: one ``manifest.yaml`` at the root with the
code in ``infrastructure/``, for either kind. Either may lie in wrapping folders.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from provisioning.archives import read_archive
from provisioning.layout import Directory, Found, find_layout
from provisioning.manifest import Manifest, parse_manifest
from provisioning.names import MAX_FILE, MAX_FILES
from provisioning.problems import Problem, ProblemsFound, errors, pointer
from provisioning.schema import Schema, parse_schema
from provisioning.yaml_reader import decode

Kind = Literal["environment", "service"]
PartName = Literal["infrastructure", "instance", "pipeline"]


@dataclass(frozen=True)
class Part:
    """One directory of infrastructure code.

    ``template_file`` is the CloudFormation file's path in the bundle and ``template`` its text; both are "" for
    Terraform and CodeBuild, whose files are those below ``directory``.
    """

    name: PartName
    directory: str
    manifest: Manifest
    template_file: str
    template: str
    manifest_file: str = ""


@dataclass(frozen=True)
class Bundle:
    """``files`` go by canonical paths, without wrapping folders. ``parts`` has "infrastructure" for an environment,
    "instance" and perhaps "pipeline" for a service, nothing for a customer-managed environment. ``size`` is in bytes.
    """

    kind: Kind
    files: Mapping[str, bytes] = field(repr=False)
    schema: Schema = field(repr=False)
    schema_text: str = field(repr=False)
    parts: Mapping[str, Part] = field(repr=False)
    digest: str
    size: int

    @property
    def has_pipeline(self) -> bool:
        return "pipeline" in self.parts

    def pack(self) -> bytes:
        """A tar.gz of the files: the same bytes for the same digest."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return gzip.compress(packed.getvalue(), mtime=0)

    @staticmethod
    def unpack(content: bytes, kind: Kind, customer_managed: bool = False) -> "Bundle":
        """The bundle that ``pack`` packed, or any archive of one. Raises ProblemsFound."""
        bundle, problems = read_bundle(read_archive(content), kind, customer_managed=customer_managed)
        if bundle is None:
            raise ProblemsFound(errors(problems))
        return bundle


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents, whatever their order, their dates and the archive they came in."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{len(name.encode())}:{name}{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def read_bundle(
    files: Mapping[str, bytes], kind: Kind, *, customer_managed: bool = False
) -> tuple[Bundle | None, tuple[Problem, ...]]:
    """Reads a bundle's files and reports every problem at once; None when any of them is an error.

    ``customer_managed`` is AWS Proton's CUSTOMER_MANAGED: an environment without infrastructure, a service without
    pipeline. Other services have a pipeline exactly when their bundle has one.
    """
    return _Reader(files, kind, customer_managed).read()


class _Reader:
    def __init__(self, files: Mapping[str, bytes], kind: Kind, customer_managed: bool):
        self.kind, self.customer_managed = kind, customer_managed
        self.found: Found = find_layout(files, kind, customer_managed=customer_managed)
        self.files = self.found.files
        self.problems: list[Problem] = list(self.found.problems)

    def read(self) -> tuple[Bundle | None, tuple[Problem, ...]]:
        self.check_sizes()
        schema, text = self.schema()
        parts: dict[str, Part] = {}
        for directory in self.found.directories:
            if part := self.part(directory):
                parts[part.name] = part
        if schema is not None and self.kind == "service":
            self.check_pipeline(schema)
        problems = tuple(self.problems)
        if errors(problems) or schema is None:
            return None, problems
        size = sum(len(content) for content in self.files.values())
        return Bundle(self.kind, self.files, schema, text, parts, digest_of(self.files), size), problems

    def check_sizes(self) -> None:
        if len(self.files) > MAX_FILES:
            self.problems.append(Problem("", f"The bundle has {len(self.files)} files; the most is {MAX_FILES}."))
        for name, content in self.files.items():
            if len(content) > MAX_FILE:
                self.problems.append(Problem("", f"The file is larger than {MAX_FILE // 1024**2} MB.", file=name))

    def text(self, name: str) -> str | None:
        text, problems = decode(self.files[name], file=name)
        self.problems += problems
        return text

    def schema(self) -> tuple[Schema | None, str]:
        name = self.found.schema_file
        text = self.text(name) if name else None
        if text is None:
            return None, ""
        schema, problems = parse_schema(text, self.kind, customer_managed=self.customer_managed, file=name)
        self.problems += problems
        return schema, text

    def part(self, directory: Directory) -> Part | None:
        text = self.text(directory.manifest_file)
        if text is None:
            return None
        manifest, problems = parse_manifest(text, directory.manifest_file)
        self.problems += problems
        if manifest is None:
            return None
        template_file, template = "", ""
        for entry in manifest.entries:
            name = f"{directory.path}/{entry.file}"
            if entry.template_language == "github_actions" and directory.part != "pipeline":
                message = "template_language github_actions belongs into the manifest of pipeline_infrastructure."
                self.problems.append(Problem("", message, entry.line, file=directory.manifest_file))
            if not self.check_file(directory, entry.file, entry.line):
                continue
            if entry.template_language == "cloudformation":
                template_file, template = name, self.text(name) or ""
            elif entry.template_language == "github_actions":
                self.text(name)
        if manifest.engine == "github_actions" and directory.part != "pipeline":
            return None
        return Part(directory.part, directory.path, manifest, template_file, template, directory.manifest_file)

    def check_file(self, directory: Directory, file: str, line: int) -> bool:
        """Whether the file of an entry is there; says so when it is not."""
        below = [name for name in self.files if name.startswith(directory.path + "/")]
        message = ""
        if file == "*":
            depth = directory.path.count("/") + 1
            if not any(name.endswith(".tf") and name.count("/") == depth for name in below):
                message = f"There is no .tf file in {directory.path}/."
        elif file and f"{directory.path}/{file}" not in self.files:
            there = sorted(name for name in below if not name.endswith("/manifest.yaml"))[:10]
            said = f" There: {', '.join(there)}." if there else " The directory has no other file."
            message = f"The manifest names {file}, but there is no {directory.path}/{file}.{said}"
        if message:
            self.problems.append(Problem("", message, line, file=directory.manifest_file))
        return not message

    def check_pipeline(self, schema: Schema) -> None:
        has_directory = any(directory.part == "pipeline" for directory in self.found.directories)
        if has_directory and schema.pipeline is None and not self.customer_managed:
            message = (
                "Missing property [pipelineInputType]: the bundle has pipeline_infrastructure/, "
                "so the schema must name the type of its inputs with pipeline_input_type (the type may be empty)."
            )
            self.problems.append(Problem("/schema", message, file=self.found.schema_file))
        elif schema.pipeline is not None and not has_directory:
            message = (
                "The schema has pipeline_input_type, but the bundle has no pipeline_infrastructure/ with a manifest. "
                "Add the directory, or take the property out."
            )
            path = pointer("schema", "types", schema.pipeline.name)
            self.problems.append(Problem(path, message, schema.pipeline.line, file=self.found.schema_file))
