"""Bundles for tests: files, schemas and archives, good and hostile."""

import gzip
import io
import tarfile
import textwrap
import zipfile
from collections.abc import Iterable, Mapping

MANIFEST = """\
infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"""
TERRAFORM_MANIFEST = """\
infrastructure:
  templates:
    - file: "*"
      rendering_engine: hcl
      template_language: terraform
"""
CODEBUILD_MANIFEST = """\
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          python: 3.10
        env:
          variables:
            STAGE: 1.20
        provision:
          - ./deploy.sh
        deprovision:
          - ./destroy.sh
"""
TEMPLATE = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"


def schema_text(properties: str, kind: str = "environment", required: Iterable[str] = (), more: str = "") -> str:
    """A schema with one type; ``properties`` is their YAML, ``more`` is YAML below ``schema:``."""
    names = "".join(f"\n        - {name}" for name in required)
    text = f'schema:\n  format:\n    openapi: "3.0.0"\n  {kind}_input_type: Inputs\n'
    text += textwrap.indent(more, "  ") + "  types:\n    Inputs:\n      type: object\n"
    if properties:
        text += "      properties:\n" + textwrap.indent(textwrap.dedent(properties).strip("\n"), " " * 8) + "\n"
    return text + (f"      required:{names}\n" if names else "")


ENVIRONMENT_SCHEMA = schema_text("vpc_cidr: {type: string, default: 10.0.0.0/16}\nname: {type: string}\n")
SERVICE_SCHEMA = schema_text("port: {type: number, default: 80}\nimage: {type: string}\n", "service", ["image"])
PIPELINE_SCHEMA = """\
schema:
  format:
    openapi: "3.0.0"
  service_input_type: Inputs
  pipeline_input_type: PipelineInputs
  types:
    Inputs:
      type: object
      properties:
        port: {type: number, default: 80}
    PipelineInputs:
      type: object
      properties:
        test_command: {type: string, default: make test}
"""


def encoded(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    return {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}


def environment_files(**changes: str | bytes | None) -> dict[str, bytes]:
    """Proton's layout of an environment bundle; ``changes`` go by schema, manifest and template."""
    parts = {"schema": ENVIRONMENT_SCHEMA, "manifest": MANIFEST, "template": TEMPLATE, **changes}
    names = {
        "schema": "schema/schema.yaml",
        "manifest": "infrastructure/manifest.yaml",
        "template": "infrastructure/cloudformation.yaml",
    }
    return encoded({names[part]: content for part, content in parts.items() if content is not None})


def service_files(*, pipeline: bool = False, **changes: str | bytes | None) -> dict[str, bytes]:
    """Proton's layout of a service bundle; ``changes`` go by schema, manifest and template."""
    schema = PIPELINE_SCHEMA if pipeline else SERVICE_SCHEMA
    parts = {"schema": schema, "manifest": MANIFEST, "template": TEMPLATE, **changes}
    names = {
        "schema": "schema/schema.yaml",
        "manifest": "instance_infrastructure/manifest.yaml",
        "template": "instance_infrastructure/cloudformation.yaml",
    }
    files = {names[part]: content for part, content in parts.items() if content is not None}
    if pipeline:
        files["pipeline_infrastructure/manifest.yaml"] = MANIFEST
        files["pipeline_infrastructure/cloudformation.yaml"] = TEMPLATE
    return encoded(files)


def wrapped(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tar_of(*(member(name, content) for name, content in files.items())))


def zip_of(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
