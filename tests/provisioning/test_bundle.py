import gzip
import io
import random
import tarfile
from collections.abc import Mapping

import pytest

from provisioning.bundle import Bundle, Kind, digest_of, read_bundle
from provisioning.problems import Problem, ProblemsFound, errors
from tests.factories.bundles import (
    CODEBUILD_MANIFEST,
    MANIFEST,
    PIPELINE_SCHEMA,
    SERVICE_SCHEMA,
    TEMPLATE,
    TERRAFORM_MANIFEST,
    encoded,
    environment_files,
    schema_text,
    service_files,
    tar_gz,
    wrapped,
    zip_of,
)

WORKFLOW = """\
    - rendering_engine: jinja
      template_language: github_actions
      file: deploy.yml
"""


def bundle_of(files: Mapping[str, bytes], kind: Kind = "environment", *, customer_managed: bool = False) -> Bundle:
    bundle, problems = read_bundle(files, kind, customer_managed=customer_managed)
    assert bundle is not None, problems
    return bundle


def refusals(
    files: Mapping[str, bytes], kind: Kind = "environment", *, customer_managed: bool = False
) -> list[tuple[str, int | None, str]]:
    bundle, problems = read_bundle(files, kind, customer_managed=customer_managed)
    assert bundle is None
    return [(problem.file, problem.line, problem.message) for problem in errors(problems)]


def without(files: Mapping[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in names}


def test_an_environment_has_infrastructure() -> None:
    bundle = bundle_of(environment_files())
    assert list(bundle.parts) == ["infrastructure"]
    part = bundle.parts["infrastructure"]
    assert (part.directory, part.template_file) == ("infrastructure", "infrastructure/cloudformation.yaml")
    assert (part.template, part.manifest.engine) == (TEMPLATE, "cloudformation")
    assert bundle.schema.environment is not None
    assert bundle.schema_text == environment_files()["schema/schema.yaml"].decode()
    assert bundle.size == sum(map(len, environment_files().values()))
    assert not bundle.has_pipeline


def test_a_service_has_instance_infrastructure() -> None:
    bundle = bundle_of(service_files(), "service")
    assert list(bundle.parts) == ["instance"]
    assert bundle.parts["instance"].template_file == "instance_infrastructure/cloudformation.yaml"
    assert not bundle.has_pipeline


def test_a_service_has_a_pipeline_exactly_when_its_bundle_has_one() -> None:
    bundle = bundle_of(service_files(pipeline=True), "service")
    assert list(bundle.parts) == ["instance", "pipeline"]
    assert bundle.parts["pipeline"].template_file == "pipeline_infrastructure/cloudformation.yaml"
    assert bundle.has_pipeline


def test_a_pipeline_without_pipeline_input_type_is_refused_in_protons_words() -> None:
    ((file, _, message),) = refusals(service_files(pipeline=True, schema=SERVICE_SCHEMA), "service")
    assert file == "schema/schema.yaml"
    assert message.startswith("Missing property [pipelineInputType]: the bundle has pipeline_infrastructure/")


def test_pipeline_input_type_without_a_pipeline_is_refused() -> None:
    ((file, line, message),) = refusals(service_files(schema=PIPELINE_SCHEMA), "service")
    assert (file, line) == ("schema/schema.yaml", 11)
    assert message.startswith("The schema has pipeline_input_type, but the bundle has no pipeline_infrastructure/")


def test_a_customer_managed_environment_has_a_schema_only() -> None:
    bundle = bundle_of(environment_files(manifest=None, template=None), customer_managed=True)
    assert bundle.parts == {}


def test_a_customer_managed_environment_with_infrastructure_is_refused() -> None:
    assert refusals(environment_files(), customer_managed=True) == [
        ("infrastructure", None, "A customer-managed environment template has a schema only; take infrastructure/ out.")
    ]


def test_a_service_with_customer_managed_pipelines_has_none() -> None:
    assert not bundle_of(service_files(), "service", customer_managed=True).has_pipeline


def test_a_service_with_customer_managed_pipelines_must_not_bring_one() -> None:
    found = refusals(service_files(pipeline=True), "service", customer_managed=True)
    assert [(file, line) for file, line, _ in found] == [("pipeline_infrastructure", None), ("schema/schema.yaml", 5)]


def test_a_loose_bundle_has_one_manifest_at_its_root_for_either_kind() -> None:
    loose = encoded({"manifest.yaml": MANIFEST, "infrastructure/cloudformation.yaml": TEMPLATE})
    environment = bundle_of({**loose, "schema/schema.yaml": environment_files()["schema/schema.yaml"]})
    service = bundle_of({**loose, "schema/schema.yaml": SERVICE_SCHEMA.encode()}, "service")
    assert environment.parts["infrastructure"].template_file == "infrastructure/cloudformation.yaml"
    assert service.parts["instance"].template_file == "infrastructure/cloudformation.yaml"
    assert service.parts["instance"].template == TEMPLATE


@pytest.mark.parametrize("folder", ["environment", "bundles/environment/v1", "."])
def test_wrapping_folders_are_stripped(folder: str) -> None:
    assert bundle_of(wrapped(environment_files(), folder)) == bundle_of(environment_files())


def test_extra_files_and_junk_are_accepted() -> None:
    extra = {"README.md": b"# hello", "infrastructure/package-lock.json": b"{}" * 200_000, ".DS_Store": b"\0\xff"}
    bundle = bundle_of({**environment_files(), **extra})
    assert sorted(bundle.files) == sorted([*environment_files(), "README.md", "infrastructure/package-lock.json"])


def test_files_beside_the_wrapping_folder_are_no_part_of_the_bundle() -> None:
    files = {**wrapped(environment_files(), "v1"), "README.md": b"x", "v1/infrastructure/cdk/schema/schema.yaml": b"x"}
    assert sorted(bundle_of(files).files) == sorted([*environment_files(), "infrastructure/cdk/schema/schema.yaml"])


def test_two_bundles_in_one_archive_are_refused() -> None:
    files = {**wrapped(environment_files(), "environment"), **wrapped(service_files(), "service")}
    assert ("", None, "There is more than one bundle in the archive (environment, service); send one.") in refusals(
        files
    )


def test_schema_yml_is_accepted_with_a_warning() -> None:
    files = environment_files(schema=None)
    bundle, problems = read_bundle(
        {**files, "schema/schema.yml": environment_files()["schema/schema.yaml"]}, "environment"
    )
    assert bundle is not None
    assert problems == (
        Problem("", "AWS Proton calls this file schema/schema.yaml.", None, "warning", "schema/schema.yml"),
    )


def test_everything_that_is_missing_is_named() -> None:
    assert refusals({"README.md": b"x"}) == [
        ("schema/schema.yaml", None, "The bundle has no schema/schema.yaml."),
        ("infrastructure/manifest.yaml", None, "The bundle has no infrastructure/manifest.yaml."),
    ]
    assert refusals({"schema.yaml": b"x"}, "service") == [
        ("schema/schema.yaml", None, "The bundle has no schema/schema.yaml. Move schema.yaml into a folder schema/."),
        ("instance_infrastructure/manifest.yaml", None, "The bundle has no instance_infrastructure/manifest.yaml."),
    ]


def test_a_bundle_of_the_other_kind_is_told_apart() -> None:
    messages = [message for _, _, message in refusals(service_files())]
    assert messages == [
        "The bundle has no infrastructure/manifest.yaml. "
        "With instance_infrastructure/ it looks like the bundle of a service template.",
        "Missing property environment_input_type: it names the type that describes the environment's inputs.",
    ]


def test_directory_names_of_the_preview_are_refused_with_the_new_name() -> None:
    files = encoded({"schema/schema.yaml": SERVICE_SCHEMA, "infrastructure/manifest.yaml": MANIFEST, "pipeline/x": "x"})
    assert [message for _, _, message in refusals(files, "service")] == [
        "The bundle has no instance_infrastructure/manifest.yaml. "
        "Rename infrastructure/: for services it is called instance_infrastructure/.",
        "Rename pipeline/: it is called pipeline_infrastructure/ since 2021.",
    ]


def test_a_pipeline_directory_without_manifest_is_refused() -> None:
    files = without(service_files(pipeline=True), "pipeline_infrastructure/manifest.yaml")
    assert (
        "pipeline_infrastructure/manifest.yaml",
        None,
        "The bundle has no pipeline_infrastructure/manifest.yaml.",
    ) in (refusals(files, "service"))


def test_a_manifest_naming_a_missing_file_is_refused_with_its_line() -> None:
    files = environment_files(manifest=MANIFEST.replace("cloudformation.yaml", "cfn.yaml"))
    message = "The manifest names cfn.yaml, but there is no infrastructure/cfn.yaml."
    message += " There: infrastructure/cloudformation.yaml."
    assert refusals(files) == [("infrastructure/manifest.yaml", 3, message)]


def test_terraform_needs_a_tf_file_in_the_directory_itself() -> None:
    files = environment_files(manifest=TERRAFORM_MANIFEST, template=None)
    nested = {**files, "infrastructure/modules/main.tf": b"x"}
    assert refusals(nested) == [("infrastructure/manifest.yaml", 3, "There is no .tf file in infrastructure/.")]
    part = bundle_of({**files, "infrastructure/main.tf": b"x"}).parts["infrastructure"]
    assert (part.manifest.engine, part.template_file, part.template) == ("terraform", "", "")


def test_a_codebuild_bundle_brings_what_its_commands_need() -> None:
    files = environment_files(manifest=CODEBUILD_MANIFEST, template=None)
    bundle = bundle_of({**files, "infrastructure/deploy.sh": b"#!/bin/sh", "infrastructure/lambda.zip": b"PK\xff\xfe"})
    assert bundle.parts["infrastructure"].manifest.engine == "codebuild"
    assert bundle.parts["infrastructure"].template == ""


def test_instance_and_pipeline_may_use_different_engines() -> None:
    files = service_files(pipeline=True)
    files["pipeline_infrastructure/manifest.yaml"] = TERRAFORM_MANIFEST.encode()
    files["pipeline_infrastructure/main.tf"] = b"x"
    parts = bundle_of(files, "service").parts
    assert [part.manifest.engine for part in parts.values()] == ["cloudformation", "terraform"]


def test_workflows_belong_to_pipelines() -> None:
    files = service_files(pipeline=True)
    files["pipeline_infrastructure/manifest.yaml"] = (MANIFEST + WORKFLOW).encode()
    assert refusals(files, "service")[0][2].startswith("The manifest names deploy.yml, but there is no")
    files["pipeline_infrastructure/deploy.yml"] = b"on: push"
    manifest = bundle_of(files, "service").parts["pipeline"].manifest
    assert (manifest.engine, [entry.file for entry in manifest.workflows]) == ("cloudformation", ["deploy.yml"])
    elsewhere = {**environment_files(manifest=MANIFEST + WORKFLOW), "infrastructure/deploy.yml": b"on: push"}
    assert refusals(elsewhere) == [
        (
            "infrastructure/manifest.yaml",
            6,
            "template_language github_actions belongs into the manifest of pipeline_infrastructure.",
        )
    ]


def test_a_pipeline_of_nothing_but_workflows_is_one() -> None:
    files = service_files(pipeline=True)
    files["pipeline_infrastructure/manifest.yaml"] = ("infrastructure:\n  templates:\n" + WORKFLOW).encode()
    files["pipeline_infrastructure/deploy.yml"] = b"on: push"
    part = bundle_of(files, "service").parts["pipeline"]
    assert (part.manifest.engine, part.template_file) == ("github_actions", "")


def test_files_that_are_read_must_be_text() -> None:
    files = environment_files(schema=b"\xff\xfe", manifest=b"a: 1\nb: \xe9\n")
    assert refusals(files) == [
        ("schema/schema.yaml", 1, "This is not text in UTF-8."),
        ("infrastructure/manifest.yaml", 2, "This is not text in UTF-8."),
    ]
    assert refusals(environment_files(template=b"\xff")) == [
        ("infrastructure/cloudformation.yaml", 1, "This is not text in UTF-8.")
    ]


def test_every_problem_of_every_file_is_reported_at_once() -> None:
    files = service_files(pipeline=True, schema="schema: {types: {}}", manifest="infrastructure: 5")
    files["pipeline_infrastructure/manifest.yaml"] = b"a: ["
    assert [file for file, _, _ in refusals(files, "service")] == [
        "schema/schema.yaml",
        "schema/schema.yaml",
        "instance_infrastructure/manifest.yaml",
        "pipeline_infrastructure/manifest.yaml",
    ]


def test_warnings_come_with_the_bundle() -> None:
    bundle, problems = read_bundle(
        environment_files(schema=schema_text("port: {type: number, maxLength: 5}")), "environment"
    )
    assert bundle is not None
    assert [(problem.severity, problem.line) for problem in problems] == [("warning", 9)]


def test_limits_hold_for_files_that_came_without_an_archive() -> None:
    many = {f"infrastructure/{number}.txt": b"x" for number in range(500)}
    assert refusals({**environment_files(), **many})[0][2] == "The bundle has 503 files; the most is 500."
    large = {"infrastructure/large.bin": b"\0" * (2 * 1024 * 1024 + 1)}
    assert refusals({**environment_files(), **large}) == [
        ("infrastructure/large.bin", None, "The file is larger than 2 MB.")
    ]


def test_the_digest_depends_on_names_and_contents_only() -> None:
    files = environment_files()
    shuffled = dict(random.Random(7).sample(sorted(files.items()), len(files)))
    assert digest_of(files) == digest_of(shuffled)
    assert bundle_of(wrapped(files, "v1")).digest == bundle_of(files).digest
    assert digest_of({"a": b"bc"}) != digest_of({"ab": b"c"})
    assert digest_of({"a": b"", "b": b""}) != digest_of(
        {"a0:b": b""}
    )  # lengths come first, so that nothing runs together
    assert digest_of({"a": b"1"}) != digest_of({"a": b"2"})


def test_a_bundle_is_packed_the_same_every_time_and_comes_back_whole() -> None:
    files = {**service_files(pipeline=True), "instance_infrastructure/" + "x" * 200: b"long name", "ü": b"y"}
    bundle = bundle_of(files, "service")
    backwards = bundle_of(dict(reversed(files.items())), "service")
    assert bundle.pack() == backwards.pack()
    assert Bundle.unpack(bundle.pack(), "service") == bundle
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(bundle.pack()))) as archive:
        assert {(one.mtime, one.uid, one.uname) for one in archive} == {(0, 0, "")}


@pytest.mark.parametrize("pack", [tar_gz, zip_of], ids=["tar.gz", "zip"])
def test_unpack_takes_any_archive_of_a_bundle(pack: object) -> None:
    assert callable(pack)
    assert Bundle.unpack(pack(wrapped(environment_files(), "v1")), "environment") == bundle_of(environment_files())


def test_unpack_refuses_what_is_no_bundle() -> None:
    with pytest.raises(ProblemsFound) as refusal:
        Bundle.unpack(tar_gz({"a": b"x"}), "environment")
    assert len(refusal.value.problems) == 2
