"""Section 4.1 of AWS Proton's parameters: which name exists for which part."""

import json
from typing import Any

import pytest

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
from provisioning.problems import ProblemsFound
from provisioning.render import render_file

SERVICE = ServiceFacts("shop", "main", "arn:connection", "acme/shop")
PROD = EnvironmentFacts("prod", "123456789012", {"VpcId": "vpc-1"})
WEB = InstanceFacts("web", {"port": 80}, {"Url": "https://web"}, PROD)

SERVICE_NAMES = {
    "name": "shop",
    "branch_name": "main",
    "repository_connection_arn": "arn:connection",
    "repository_id": "acme/shop",
}
PROD_NAMES = {"name": "prod", "account_id": "123456789012", "outputs": {"VpcId": "vpc-1"}}


def of_instance(component: ComponentFacts | None = None, **inputs: Any) -> dict[str, Any]:
    return instance_context(service=SERVICE, name="web", inputs=inputs, environment=PROD, component=component)


def test_an_environment_reads_its_name_and_inputs_and_no_outputs_of_anything():
    assert environment_context(name="prod", inputs={"cidr": "10.0.0.0/16"}) == {
        "environment": {"name": "prod", "inputs": {"cidr": "10.0.0.0/16"}}
    }


def test_an_instance_reads_the_outputs_of_its_environment_and_not_its_inputs():
    assert of_instance(port=80)["environment"] == PROD_NAMES


def test_an_instance_reads_its_service_with_branch_and_repository():
    assert of_instance()["service"] == SERVICE_NAMES


def test_an_instance_reads_its_name_inputs_and_attached_component():
    component = ComponentFacts("bucket", {"BucketName": "b"})
    assert of_instance(component, port=80)["service_instance"] == {
        "name": "web",
        "inputs": {"port": 80},
        "components": {"default": {"name": "bucket", "outputs": {"BucketName": "b"}}},
        "environment": PROD_NAMES,
    }


def test_an_absent_component_leaves_a_default_without_name_and_with_empty_outputs():
    assert of_instance()["service_instance"]["components"] == {"default": {"outputs": {}}}


def test_the_legacy_alias_of_an_instance_is_its_environment():
    context = of_instance()
    assert context["service_instance"]["environment"] == context["environment"]


def test_a_pipeline_reads_every_instance_in_the_order_of_the_spec_and_no_environment_of_its_own():
    worker = InstanceFacts("worker", {}, {}, PROD)
    assert pipeline_context(service=SERVICE, inputs={"dir": "src"}, instances=[worker, WEB]) == {
        "service": SERVICE_NAMES,
        "pipeline": {"inputs": {"dir": "src"}},
        "service_instances": [
            {"name": "worker", "inputs": {}, "outputs": {}, "environment": PROD_NAMES},
            {"name": "web", "inputs": {"port": 80}, "outputs": {"Url": "https://web"}, "environment": PROD_NAMES},
        ],
    }


def test_an_attached_component_reads_the_service_by_name_and_the_instance_by_name_and_inputs():
    assert component_context(name="bucket", environment=PROD, service=SERVICE, instance=WEB) == {
        "component": {"name": "bucket"},
        "environment": PROD_NAMES,
        "service": {"name": "shop"},
        "service_instance": {"name": "web", "inputs": {"port": 80}},
    }


def test_a_detached_component_reads_neither_service_nor_instance():
    assert component_context(name="bucket", environment=PROD) == {
        "component": {"name": "bucket"},
        "environment": PROD_NAMES,
    }


def test_a_service_without_a_pipeline_has_empty_repository_fields():
    context = instance_context(service=ServiceFacts("shop"), name="web", inputs={}, environment=PROD)
    assert context["service"] == {
        "name": "shop",
        "branch_name": "",
        "repository_connection_arn": "",
        "repository_id": "",
    }


def test_a_context_is_json_and_a_copy_of_what_it_was_made_of():
    inputs = {"ports": [80, 443], "tags": {"team": "a"}}
    context = environment_context(name="prod", inputs=inputs)
    inputs["ports"].append(8080)  # type: ignore[attr-defined]
    assert json.loads(json.dumps(context)) == context
    assert context["environment"]["inputs"] == {"ports": [80, 443], "tags": {"team": "a"}}


MATRIX = {  # what AWS Proton's table says: which part may read the name
    "environment.name": {"environment", "instance", "component"},
    "environment.inputs.cidr": {"environment"},
    "environment.account_id": {"instance", "component"},
    "environment.outputs.VpcId": {"instance", "component"},
    "service.name": {"instance", "pipeline", "component"},
    "service.branch_name": {"instance", "pipeline"},
    "service.repository_connection_arn": {"instance", "pipeline"},
    "service.repository_id": {"instance", "pipeline"},
    "service_instance.name": {"instance", "component"},
    "service_instance.inputs.port": {"instance", "component"},
    "service_instance.components.default.name": {"instance"},
    "service_instance.components.default.outputs.BucketName": {"instance"},
    "pipeline.inputs.dir": {"pipeline"},
    "service_instances[0].name": {"pipeline"},
    "service_instances[0].inputs.port": {"pipeline"},
    "service_instances[0].outputs.Url": {"pipeline"},
    "service_instances[0].environment.name": {"pipeline"},
    "service_instances[0].environment.account_id": {"pipeline"},
    "service_instances[0].environment.outputs.VpcId": {"pipeline"},
    "service_instance.environment.outputs.VpcId": {"instance"},  # the legacy alias
    "component.name": {"component"},
}
CONTEXTS = {
    "environment": environment_context(name="prod", inputs={"cidr": "10.0.0.0/16"}),
    "instance": of_instance(ComponentFacts("bucket", {"BucketName": "b"}), port=80),
    "pipeline": pipeline_context(service=SERVICE, inputs={"dir": "src"}, instances=[WEB]),
    "component": component_context(name="bucket", environment=PROD, service=SERVICE, instance=WEB),
}


@pytest.mark.parametrize("name", sorted(MATRIX))
def test_the_namespace_matrix(name: str):
    def readable(context: dict[str, Any]) -> bool:
        try:
            return render_file(f"A: '{{{{ {name} }}}}'", "f.yaml", context).text != "A: ''"
        except ProblemsFound:
            return False

    assert {part for part, context in CONTEXTS.items() if readable(context)} == MATRIX[name]
