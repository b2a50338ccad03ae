"""The manifest of a component. AWS Proton: one entry that names one file, whose text is sent beside the manifest."""

from provisioning.manifest import ManifestEntry, parse_manifest
from provisioning.problems import Problem, errors

MAX_MANIFEST = 1024  # characters; AWS Proton: TemplateManifestContents
MAX_TEMPLATE = 51_200  # characters; AWS Proton: TemplateFileContents
PATH = "/manifest"
MANIFEST = """\
infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"""


def component_manifest(text: str) -> tuple[ManifestEntry | None, tuple[Problem, ...]]:
    """The entry of a component's manifest, or None and why not. Every problem's path is "/manifest"."""
    if not text.strip():
        return None, (Problem(PATH, "The manifest is empty."),)
    if len(text) > MAX_MANIFEST:
        return None, (Problem(PATH, f"The manifest has {len(text)} characters; the most is {MAX_MANIFEST}."),)
    manifest, problems = parse_manifest(text, "manifest.yaml")
    if manifest is None:
        return None, tuple(Problem(PATH, one.message, one.line) for one in errors(problems))
    entry = manifest.main
    if len(manifest.entries) > 1:
        return None, (Problem(PATH, "A component has one file: its manifest has exactly one entry."),)
    if entry.template_language not in ("cloudformation", "terraform"):
        engine = entry.template_language or entry.rendering_engine
        return None, (Problem(PATH, f"Components are written in CloudFormation or Terraform, not {engine}."),)
    if entry.file == "*":
        return None, (Problem(PATH, 'A component has one file, which its manifest names: "*" does not.'),)
    return entry, ()
