"""What a run is given: inputs in AWS Proton's shape, and settings of the manifest."""

import json

import pytest

from provisioning.commands.plan import hcl, input_files
from provisioning.context import (
    EnvironmentFacts,
    InstanceFacts,
    ServiceFacts,
    environment_context,
    instance_context,
    pipeline_context,
)

HOME = EnvironmentFacts("dev", "123456789012", {"VpcId": "vpc-1"})
SERVICE = ServiceFacts("web")


def document(context):
    return json.loads(input_files(context, "infrastructure")["infrastructure/proton-inputs.json"])


def test_an_environment_gets_its_name_and_inputs_with_their_types():
    inputs = {"cidr": "10.0.0.0/16", "count": 2, "public": True, "zones": ["a", "b"], "more": {"x": 1}}
    assert document(environment_context(name="dev", inputs=inputs)) == {
        "environment": {"name": "dev", "inputs": inputs}
    }


def test_an_instance_gets_service_environment_and_no_alias():
    context = instance_context(service=SERVICE, name="prod", inputs={"port": 80}, environment=HOME)
    assert document(context) == {
        "environment": {"name": "dev", "account_id": "123456789012", "outputs": {"VpcId": "vpc-1"}},
        "service": {"name": "web", "branch_name": "", "repository_connection_arn": "", "repository_id": ""},
        "service_instance": {"name": "prod", "inputs": {"port": 80}, "components": {}},
    }


def test_a_pipeline_gets_every_instance():
    instance = InstanceFacts("prod", {"port": 80}, {"Url": "u"}, HOME)
    found = document(pipeline_context(service=SERVICE, inputs={"cmd": "make"}, instances=[instance]))
    assert sorted(found) == ["pipeline", "service", "service_instances"]
    assert found["service_instances"][0]["outputs"] == {"Url": "u"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a", '"a"'),
        (80, "80"),
        (True, "true"),
        ("${x} %{y}", '"$${x} %%{y}"'),
        (["a", 1], '["a", 1]'),
        ({"a": ["b"]}, '{"a" = ["b"]}'),
        ('say "x"\n', '"say \\"x\\"\\n"'),
    ],
)
def test_values_in_the_language_of_terraform(value, written):
    assert hcl(value) == written


def test_hcl_stands_beside_json_where_it_is_asked_for():
    files = input_files(environment_context(name="dev", inputs={"a": 1}), "", "HCL")
    assert sorted(files) == ["proton-inputs.json", "proton-inputs.tfvars"]
    assert files["proton-inputs.tfvars"] == 'environment = {"name" = "dev", "inputs" = {"a" = 1}}\n'
