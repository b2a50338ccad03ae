import pytest

from provisioning.manifest import Manifest, ManifestEntry, parse_manifest
from provisioning.problems import Problem
from tests.factories.bundles import CODEBUILD_MANIFEST, MANIFEST, TERRAFORM_MANIFEST

FILE = "infrastructure/manifest.yaml"
ENVIRONMENT = "env must hold variables and secrets_manager, each a mapping."
COMMANDS = "provision must be a list of commands, each in quotes where it holds a colon."
PROVISION = "settings need provision: a list of commands that create and update the infrastructure."
START = "infrastructure:\n  templates:\n"


def read(text: str) -> Manifest:
    manifest, problems = parse_manifest(text, FILE)
    assert manifest is not None, problems
    assert problems == ()
    return manifest


def refusals(text: str) -> list[tuple[int | None, str]]:
    manifest, problems = parse_manifest(text, FILE)
    assert manifest is None
    assert {problem.file for problem in problems} == {FILE}
    return [(problem.line, problem.message) for problem in problems if problem.severity == "error"]


def warnings(text: str) -> list[str]:
    manifest, problems = parse_manifest(text, FILE)
    assert manifest is not None
    return [problem.message for problem in problems if problem.severity == "warning"]


def entry(engine: str, language: str | None = None, file: str | None = None, more: str = "") -> str:
    lines = [f"rendering_engine: {engine}"]
    lines += [f"template_language: {language}"] if language else []
    lines += [f"file: {file}"] if file else []
    return "    - " + "\n      ".join(lines) + "\n" + more


def test_a_cloudformation_manifest() -> None:
    manifest = read(MANIFEST)
    assert manifest.entries == (ManifestEntry("jinja", "cloudformation", "cloudformation.yaml", line=3),)
    assert (manifest.engine, manifest.workflows) == ("cloudformation", ())


def test_the_file_name_is_free() -> None:
    assert read(START + entry("jinja", "cloudformation", "./nested/environment.yml")).main.file == (
        "nested/environment.yml"
    )


def test_a_terraform_manifest_takes_every_file_of_its_directory() -> None:
    manifest = read(TERRAFORM_MANIFEST)
    assert manifest.entries == (ManifestEntry("hcl", "terraform", "*", line=3),)
    assert manifest.engine == "terraform"


def test_a_terraform_manifest_may_write_the_wildcard_as_the_older_guide_did() -> None:
    assert read(START + entry("hcl", "terraform", '"*.tf"')).main.file == "*"


def test_a_terraform_manifest_may_name_several_files() -> None:
    manifest = read(START + entry("hcl", "terraform", "main.tf") + entry("hcl", "terraform", "outputs.tf"))
    assert [one.file for one in manifest.entries] == ["main.tf", "outputs.tf"]


def test_a_codebuild_manifest_has_settings_and_no_file() -> None:
    manifest = read(CODEBUILD_MANIFEST)
    assert manifest.engine == "codebuild"
    assert manifest.main.file == manifest.main.template_language == ""
    assert manifest.main.settings == {
        "image": "aws/codebuild/amazonlinux2-x86_64-standard:4.0",
        "runtimes": {"python": "3.10"},
        "env": {"variables": {"STAGE": "1.20"}},
        "provision": ["./deploy.sh"],
        "deprovision": ["./destroy.sh"],
    }


def test_codebuild_settings_know_every_key_of_the_reference() -> None:
    keys = "        input_type: HCL\n        project_properties:\n          TimeoutInMinutes: 30\n"
    secrets = "          secrets_manager:\n            TOKEN: proton/token:Secret\n"
    text = CODEBUILD_MANIFEST.replace("        provision:\n", secrets + keys + "        provision:\n")
    settings = read(text).main.settings
    assert settings is not None
    assert settings["input_type"] == "HCL"
    assert settings["project_properties"] == {"TimeoutInMinutes": 30}
    assert settings["env"] == {"variables": {"STAGE": "1.20"}, "secrets_manager": {"TOKEN": "proton/token:Secret"}}


def test_codebuild_settings_are_read_under_their_older_names_too() -> None:
    text = CODEBUILD_MANIFEST.replace("settings:", "codebuild:").replace("deprovision:", "deprovisioning:")
    manifest, problems = parse_manifest(text, FILE)
    assert manifest is not None
    assert manifest.main.settings == read(CODEBUILD_MANIFEST).main.settings
    assert [(problem.line, problem.message) for problem in problems] == [
        (4, "codebuild: is read as settings:."),
        (13, "deprovisioning is read as deprovision."),
    ]


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("image: aws", "image: [aws]\n        x: aws", 5, "image must be text."),
        ("python: 3.10", "[python]", 6, "runtimes must map names to versions, such as nodejs: 16."),
        ("variables:\n            STAGE: 1.20", "STAGE: 1", 8, ENVIRONMENT),
        ("- ./deploy.sh", "- echo: hello", 11, COMMANDS),
        ("        image:", "        input_type: XML\n        image:", 5, "input_type must be JSON or HCL."),
        ("        image:", "        project_properties: 5\n        image:", 5, "project_properties must be a mapping."),
        ("        provision:\n          - ./deploy.sh\n", "", 4, PROVISION),
    ],
)
def test_codebuild_settings_are_checked(before: str, after: str, line: int, message: str) -> None:
    assert refusals(CODEBUILD_MANIFEST.replace(before, after, 1)) == [(line, message)]


def test_codebuild_without_deprovision_is_a_warning() -> None:
    text = CODEBUILD_MANIFEST.replace("        deprovision:\n          - ./destroy.sh\n", "")
    assert warnings(text) == ["Without deprovision nothing is removed when the resource is deleted."]


def test_codebuild_needs_settings() -> None:
    assert refusals(START + entry("codebuild")) == [
        (3, "rendering_engine codebuild needs settings: with the commands to run.")
    ]


def test_a_pipeline_may_have_workflow_files_beside_its_engine_or_alone() -> None:
    workflow = entry("jinja", "github_actions", "deploy.yml")
    beside = read(START + workflow + entry("hcl", "terraform", '"*"'))
    assert beside.engine == "terraform"
    assert [one.file for one in beside.workflows] == ["deploy.yml"]
    assert read(START + workflow).engine == "github_actions"


def test_manifest_names_exactly_one_cloudformation_file() -> None:
    two = START + entry("jinja", "cloudformation", "a.yaml") + entry("jinja", "cloudformation", "b.yaml")
    assert refusals(two) == [(2, "A manifest names exactly one CloudFormation file; this one has 2.")]
    assert refusals(START + entry("jinja", "cloudformation", '"*"')) == [
        (5, 'file must name one file; "*" goes with template_language terraform only.')
    ]
    assert refusals(START + entry("jinja", "cloudformation")) == [(3, "file must name a file.")]


def test_a_manifest_has_one_codebuild_entry() -> None:
    two = CODEBUILD_MANIFEST + CODEBUILD_MANIFEST.removeprefix(START)
    assert refusals(two) == [(2, "A manifest names exactly one CodeBuild entry; this one has 2.")]


def test_engines_are_not_mixed_in_one_manifest() -> None:
    both = START + entry("jinja", "cloudformation", "a.yaml") + entry("hcl", "terraform", "a.tf")
    assert refusals(both) == [(2, "All entries of one manifest must use the same engine.")]


@pytest.mark.parametrize("file", ["../secret.yaml", "/etc/passwd", "a/../../b", '"a\\\\b"'])
def test_a_file_outside_its_directory_is_refused(file: str) -> None:
    assert len(refusals(START + entry("jinja", "cloudformation", file))) == 1


def test_an_unknown_pair_of_engine_and_language_is_refused() -> None:
    assert refusals(START + entry("jinja", "terraform", "a.tf") + entry("hcl", None, "a.tf")) == [
        (3, "rendering_engine jinja goes with cloudformation or github_actions, not terraform."),
        (6, "rendering_engine hcl goes with terraform, but template_language is missing."),
    ]
    assert refusals(START + entry("ansible", "yaml", "a.yml")) == [
        (3, "rendering_engine must be jinja, hcl or codebuild.")
    ]


def test_the_manifest_key_engine_of_the_preview_is_refused_by_its_name() -> None:
    assert refusals(START + "    - engine: jinja\n      file: a.yaml\n") == [
        (3, "rendering_engine must be jinja, hcl or codebuild (engine is the name it had before 2021).")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A manifest starts with infrastructure: and, below it, templates: (a list)."),
        ("- a", "A manifest starts with infrastructure: and, below it, templates: (a list)."),
        ("infrastructure: {}", "infrastructure.templates must be a list with at least one entry."),
        ("infrastructure: {templates: []}", "infrastructure.templates must be a list with at least one entry."),
        ("infrastructure: {templates: [x]}", "An entry has the keys rendering_engine, template_language and file."),
        ("infrastructure: {templates: [", "This is not valid YAML: "),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, message: str) -> None:
    (refusal,) = refusals(text)
    assert refusal[1].startswith(message)


def test_every_problem_of_a_manifest_is_reported_at_once() -> None:
    text = START + entry("jinja", "terraform") + entry("puppet") + "    - 5\n"
    assert len(refusals(text)) == 4


def test_keys_without_meaning_are_warnings_with_a_suggestion() -> None:
    manifest, problems = parse_manifest(MANIFEST + "      x-note: ours\n      template_langauge: a\nversion: 1\n", FILE)
    assert manifest == read(MANIFEST)
    hint = "template_langauge has no meaning in a manifest and is ignored. Did you mean template_language?"
    assert problems == (
        Problem("/version", "version has no meaning in a manifest and is ignored.", 8, "warning", FILE),
        Problem("/infrastructure/templates/0/template_langauge", hint, 7, "warning", FILE),
    )
