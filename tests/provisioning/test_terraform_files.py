"""The files of self-managed provisioning, field by field as AWS Proton wrote them."""

import json
from typing import Any

import pytest

from provisioning.bundle import read_bundle
from provisioning.context import (
    ComponentFacts,
    EnvironmentFacts,
    InstanceFacts,
    ServiceFacts,
    component_context,
    environment_context,
    instance_context,
    pipeline_context,
)
from provisioning.forges.errors import InvalidName
from provisioning.problems import ProblemsFound
from provisioning.render import terraform
from provisioning.render.terraform import Place, Resource

PREFIX = "arn:aws:proton:us-east-1:111111111111"
DEPLOYMENT = "4a6a0798-8f47-4baa-9a50-120335667a0b"
TAGS = {
    "proton:account": "111111111111",
    "proton:template": f"{PREFIX}:environment-template/vpc",
    "proton:environment": f"{PREFIX}:environment/dev",
}
DEV = EnvironmentFacts("dev", "111111111111", {"VpcId": "vpc-1"})
HEADER = f"""\
/*
This file is managed by AWS Proton. Any changes made directly to this file will be overwritten the next time AWS Proton performs an update.

To manage this resource, see AWS Proton Resource: {PREFIX}:environment/dev

If the resource is no longer accessible within AWS Proton, it may have been deleted and may require manual cleanup.
*/

"""  # noqa: E501


def resource(kind: Any = "environment", arn: str = f"{PREFIX}:environment/dev", **more: str) -> Resource:
    template = f"{PREFIX}:environment-template/vpc"
    return Resource(kind, arn, DEPLOYMENT, template, "1", "0", **more)


def environment_files(inputs: dict[str, Any], sources: dict[str, str] | None = None) -> dict[str, str]:
    context = environment_context(name="dev", inputs=inputs)
    return terraform.files(resource(), sources or {"main.tf": "# main\n"}, context, TAGS)


def test_an_environment_has_its_code_its_variables_its_values_and_its_metadata():
    files = environment_files({"vpc_cidr": "10.0.0.0/16", "count": 2, "public": True})
    assert sorted(files) == [
        ".proton/deployment-metadata.json",
        "main.tf",
        "proton.auto.tfvars.json",
        "proton.environment.variables.tf",
    ]
    assert files["main.tf"] == HEADER + "# main\n"
    assert files["proton.environment.variables.tf"] == HEADER + (
        'variable "environment" {\n  type = object({\n    inputs = map(string)\n    name   = string\n  })\n'
        '  default = null\n}\n\nvariable "proton_tags" {\n  type    = map(string)\n  default = null\n}\n'
    )
    assert files["proton.auto.tfvars.json"] == (
        '{\n  "environment" : {\n    "name" : "dev",\n    "inputs" : {\n      "vpc_cidr" : "10.0.0.0/16",\n'
        '      "count" : 2,\n      "public" : true\n    }\n  },\n  "proton_tags" : {\n'
        '    "proton:account" : "111111111111",\n'
        f'    "proton:template" : "{PREFIX}:environment-template/vpc",\n'
        f'    "proton:environment" : "{PREFIX}:environment/dev"\n  }},\n'
        f'  "//" : "{PREFIX}:environment/dev"\n}}'
    )
    assert files[".proton/deployment-metadata.json"] == (
        f'{{\n  "deploymentId" : "{DEPLOYMENT}",\n  "isResourceDeleted" : false,\n  "resourceMetadata" : {{\n'
        f'    "arn" : "{PREFIX}:environment/dev",\n    "templateArn" : "{PREFIX}:environment-template/vpc",\n'
        '    "templateMajorVersion" : "1",\n    "templateMinorVersion" : "0"\n  }\n}'
    )


def test_a_service_instance_reads_its_environment_its_service_and_itself():
    arn = f"{PREFIX}:service/web/service-instance/one"
    context = instance_context(service=ServiceFacts("web"), name="one", inputs={"port": 80}, environment=DEV)
    files = terraform.files(
        resource("service_instance", arn, environment_arn=f"{PREFIX}:environment/dev"), {"main.tf": ""}, context, TAGS
    )
    values = json.loads(files["proton.auto.tfvars.json"])
    assert values == {
        "environment": {"account_id": "111111111111", "name": "dev", "outputs": {"VpcId": "vpc-1"}},
        "service": {"name": "web", "repository_connection_arn": "", "repository_id": "", "branch_name": ""},
        "service_instance": {"name": "one", "inputs": {"port": 80}, "components": {}},
        "proton_tags": TAGS,
        "//": arn,
    }
    assert '    "components" : { }\n' in files["proton.auto.tfvars.json"]
    metadata = json.loads(files[".proton/deployment-metadata.json"])["resourceMetadata"]
    assert list(metadata) == ["arn", "templateArn", "templateMajorVersion", "templateMinorVersion", "environmentArn"]
    declared = files["proton.service_instance.variables.tf"].partition("*/\n\n")[2]
    assert declared == (
        'variable "environment" {\n  type = object({\n    account_id = string\n    name       = string\n'
        "    outputs    = map(string)\n  })\n  default = null\n}\n\n"
        'variable "service" {\n  type = object({\n    name                      = string\n'
        "    branch_name               = string\n    repository_connection_arn = string\n"
        "    repository_id             = string\n  })\n}\n\n"
        'variable "service_instance" {\n  type = object({\n    name       = string\n    inputs     = map(string)\n'
        "    components = map(any)\n  })\n  default = null\n}\n\n"
        'variable "proton_tags" {\n  type    = map(string)\n  default = null\n}\n'
    )


def test_a_service_instance_with_a_component_reads_the_components_outputs():
    context = instance_context(
        service=ServiceFacts("web"),
        name="one",
        inputs={},
        environment=DEV,
        component=ComponentFacts("db", {"Url": "x"}),
    )
    arn = f"{PREFIX}:service/web/service-instance/one"
    files = terraform.files(resource("service_instance", arn), {}, context, TAGS)
    components = json.loads(files["proton.auto.tfvars.json"])["service_instance"]["components"]
    assert components == {"default": {"name": "db", "outputs": {"Url": "x"}}}


def test_a_pipeline_reads_all_its_instances():
    service = ServiceFacts("web", "main", "arn:connection", "acme/web")
    instances = [InstanceFacts(name, {"port": 80}, {}, DEV) for name in ("one", "two")]
    context = pipeline_context(service=service, inputs={"folder": "."}, instances=instances)
    files = terraform.files(resource("pipeline", f"{PREFIX}:service/web/pipeline"), {}, context, TAGS)
    values = json.loads(files["proton.auto.tfvars.json"])
    environment = {"account_id": "111111111111", "name": "dev", "outputs": {"VpcId": "vpc-1"}}
    assert values["service_instances"] == [
        {"name": name, "inputs": {"port": 80}, "outputs": {}, "environment": environment} for name in ("one", "two")
    ]
    assert values["service"] == {
        "name": "web",
        "repository_connection_arn": "arn:connection",
        "repository_id": "acme/web",
        "branch_name": "main",
    }
    assert values["pipeline"] == {"inputs": {"folder": "."}}
    assert '"service_instances" : [ {\n    "name" : "one",' in files["proton.auto.tfvars.json"]
    declared = files["proton.pipeline.variables.tf"].partition("*/\n\n")[2]
    assert declared.startswith(
        'variable "service_instances" {\n  type = list(\n    object({\n      name    = string\n'
        "      inputs  = map(string)\n      outputs = map(string)\n      environment = object({\n"
        "        account_id = string\n        name       = string\n        outputs    = map(string)\n"
        "      })\n    })\n  )\n}\n\n"
    )


@pytest.mark.parametrize("attached", [True, False])
def test_a_component_names_its_service_only_while_it_is_attached(attached):
    more: dict[str, Any] = {}
    if attached:
        more = {"service": ServiceFacts("web"), "instance": InstanceFacts("one", {"port": 80}, {}, DEV)}
    context = component_context(name="db", environment=DEV, **more)
    arns = {
        "service_arn": f"{PREFIX}:service/web",
        "service_instance_arn": f"{PREFIX}:service/web/service-instance/one",
    }
    about = resource(
        "component",
        f"{PREFIX}:component/db",
        environment_arn=f"{PREFIX}:environment/dev",
        **(arns if attached else {}),
    )
    files = terraform.files(about, {"db.tf": ""}, context, TAGS)
    values = json.loads(files["proton.auto.tfvars.json"])
    expected = ["component", "environment", *(["service", "service_instance"] if attached else []), "proton_tags", "//"]
    assert list(values) == expected
    assert (values["component"], values["environment"]["name"]) == ({"name": "db"}, "dev")
    metadata = json.loads(files[".proton/deployment-metadata.json"])
    attachment = ["serviceArn", "serviceInstanceArn"] if attached else []
    assert list(metadata["componentMetadata"]) == ["arn", "environmentArn", *attachment, "componentType"]
    assert metadata["componentMetadata"]["componentType"] == "default"
    assert "resourceMetadata" not in metadata


def test_lists_and_maps_need_a_type_that_can_hold_them():
    flat = environment_files({"a": "x"})["proton.environment.variables.tf"]
    deep = environment_files({"a": "x", "subnets": ["s-1"], "more": {"k": 1}})
    assert ("inputs = map(string)" in flat, "inputs = any" in flat) == (True, False)
    assert "inputs = any" in deep["proton.environment.variables.tf"]
    assert '      "subnets" : [ "s-1" ],\n' in deep["proton.auto.tfvars.json"]


def test_no_value_reaches_a_terraform_file():
    hostile = '"} */ resource "null_resource" "x" { ${evil}'
    files = environment_files({"x": hostile}, {"main.tf": "# {{ environment.inputs.x }}\n"})
    assert [name for name, text in files.items() if hostile in text] == []
    assert json.loads(files["proton.auto.tfvars.json"])["environment"]["inputs"]["x"] == hostile
    assert files["main.tf"].endswith("# {{ environment.inputs.x }}\n")


@pytest.mark.parametrize("name", ["proton.environment.variables.tf", "proton.auto.tfvars.json", ".proton/x"])
def test_names_of_generated_files_are_reserved(name):
    with pytest.raises(ProblemsFound, match="reserved"):
        environment_files({}, {name: ""})


def test_an_arn_that_would_end_the_comment_is_refused():
    with pytest.raises(ValueError, match="ARN"):
        terraform.files(
            resource(arn=f"{PREFIX}:environment/dev*/evil"), {}, environment_context(name="dev", inputs={}), TAGS
        )


PLACES = [
    (Place("environment", environment="dev"), "dev"),
    (Place("service_instance", environment="dev", service="web", instance="one"), "dev/web-one"),
    (Place("pipeline", service="web"), "web/pipeline"),
    (Place("component", environment="dev", component="db"), "dev/db"),
]


@pytest.mark.parametrize(("place", "folder"), PLACES)
def test_both_layouts_of_a_repository_are_known(place, folder):
    assert terraform.folder(place, {"README.md", "environments.md"}) == folder
    assert terraform.folder(place, {"environments/README.md"}) == f"environments/{folder}"


@pytest.mark.parametrize(
    ("tree", "folder"),
    [
        (set(), "dev/db"),
        ({"dev/main.tf"}, "dev/db"),
        ({"dev/components/db/main.tf"}, "dev/components/db"),
        ({"dev/db/main.tf"}, "dev/db"),
        ({"dev/db/main.tf", "dev/components/other/main.tf"}, "dev/db"),
        ({"dev/components/other/main.tf"}, "dev/components/db"),
        ({"environments/dev/components/db/main.tf"}, "environments/dev/components/db"),
    ],
)
def test_a_component_stays_where_it_is(tree, folder):
    assert terraform.folder(Place("component", environment="dev", component="db"), tree) == folder


def test_a_folder_never_leads_elsewhere():
    with pytest.raises(InvalidName):
        terraform.folder(Place("environment", environment="../etc"), set())
    with pytest.raises(InvalidName):
        terraform.folder(Place("environment", environment=".git"), set())


def test_a_deletion_keeps_the_files_and_lets_go_of_them():
    files = {**environment_files({"a": "x"}), "mine.tf": "# mine\n"}
    changed = terraform.deletion(files)
    assert sorted(changed) == [".proton/deployment-metadata.json", "main.tf", "proton.environment.variables.tf"]
    assert changed["main.tf"] == (
        "/*\nThis file is no longer managed by AWS Proton. The associated resource has been deleted in Proton.\n*/\n\n"
        "# main\n"
    )
    assert json.loads(changed[".proton/deployment-metadata.json"]) == {
        "deploymentId": "<proton-resource-deleted>",
        "isResourceDeleted": True,
        "resourceMetadata": json.loads(files[".proton/deployment-metadata.json"])["resourceMetadata"],
    }
    assert terraform.deletion({**files, **changed}) == {}
    assert terraform.deletion({}) == {}
    assert terraform.owner(files[".proton/deployment-metadata.json"]) == f"{PREFIX}:environment/dev"
    assert terraform.owner(changed[".proton/deployment-metadata.json"]) == ""


@pytest.mark.parametrize(
    ("file", "expected"), [('"*"', ["main.tf", "outputs.tf"]), ("main.tf", ["main.tf"]), ("./main.tf", ["main.tf"])]
)
def test_the_manifest_says_which_files_are_copied(file, expected):
    entry = f"rendering_engine: hcl, template_language: terraform, file: {file}"
    manifest = f"infrastructure:\n  templates:\n    - {{{entry}}}\n"
    schema = (
        "schema:\n  format:\n    openapi: '3.0.0'\n  environment_input_type: I\n  types:\n    I:\n      type: object\n"
    )
    bundle, problems = read_bundle(
        {
            "schema/schema.yaml": schema.encode(),
            "infrastructure/manifest.yaml": manifest.encode(),
            "infrastructure/main.tf": b"# main\n",
            "infrastructure/outputs.tf": b"# outputs\n",
            "infrastructure/notes.md": b"notes\n",
        },
        "environment",
    )
    assert bundle is not None, problems
    assert sorted(terraform.sources(bundle, bundle.parts["infrastructure"])) == expected
