"""Renderings with invented values, before anybody uses a bundle."""

import re
from typing import Any

import pytest

from provisioning.problems import Problem
from provisioning.render.developer import authored_strings
from provisioning.render.errors import UNKNOWN_NAME
from provisioning.render.invented import invented_output
from provisioning.render.samples import Part, render_sample, sample_contexts, sample_inputs

FILE = "instance_infrastructure/cloudformation.yaml"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "default": "d", "enum": ["e"]}, "d"),
        ({"type": "string", "example": "x", "enum": ["e"]}, "x"),
        ({"type": "string", "enum": ["e", "f"]}, "e"),
        ({"type": "string"}, "sample"),
        ({"type": "string", "minLength": 10}, "10.0.0.0/16"),
        ({"type": "string", "minLength": 60}, "sample" + "x" * 54),
        ({"type": "string", "maxLength": 3}, "s"),
        ({"type": "string", "pattern": r"([0-9]{1,3}\.){3}[0-9]{1,3}($|/(16|18|24))"}, "10.0.0.0/16"),
        ({"type": "string", "pattern": r"^\d{12}(,\d{12})*$"}, "123456789012"),
        ({"type": "string", "pattern": r"^(a+)+b(?!c)$"}, "sample"),
        ({"type": "number"}, 1),
        ({"type": "number", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4}, 8),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True}, ["sample", "sample-1"]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "sample"}),
        ({"anyOf": [{"type": "boolean"}]}, True),
        ({"type": ["null", "integer"]}, 1),
        ({}, "sample"),
        ("nonsense", "sample"),
    ],
)
def test_a_sample_input_is_what_the_author_wrote_or_fits_the_schema(schema: Any, value: Any):
    assert sample_inputs({"type": "object", "properties": {"x": schema}}) == {"x": value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vpc_cidr", "10.0.0.0/16"),
        ("image", "public.ecr.aws/nginx/nginx:latest"),
        ("schedule_expression", "rate(5 minutes)"),
    ],
)
def test_a_sample_input_is_guessed_from_its_name(name: str, value: str):
    assert sample_inputs({"properties": {name: {"type": "string"}}}) == {name: value}


def test_the_least_inputs_are_the_required_ones_and_the_defaults():
    properties = {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"default": 1}}
    schema = {"properties": properties, "required": ["a"]}
    assert sample_inputs(schema, least=True) == {"a": "sample", "c": 1}
    assert sample_inputs({"properties": "nonsense", "required": "nonsense"}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VpcId", "vpc-0123456789abcdef0"),
        ("VPC", "vpc-0123456789abcdef0"),
        ("ClusterArn", "arn:aws:ecs:us-east-1:123456789012:cluster/ClusterArn"),
        ("ExecutionRoleArn", "arn:aws:iam::123456789012:role/ExecutionRoleArn"),
        ("SomethingArn", "arn:aws:iam::123456789012:role/SomethingArn"),
        ("TableName", "sample-TableName"),
    ],
)
def test_an_output_that_nobody_has_seen_has_a_plausible_value(name: str, value: str):
    assert invented_output(name) == value


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("PublicSubnetOne", r"subnet-[0-9a-f]{17}"),
        ("ContainerSecurityGroup", r"sg-[0-9a-f]{17}"),
        ("SubnetIds", r"subnet-[0-9a-f]{17},subnet-[0-9a-f]{17}"),
        ("PrivateSubnets", r"subnet-[0-9a-f]{17},subnet-[0-9a-f]{17}"),
    ],
)
def test_an_identifier_is_shaped_like_awss_and_differs_by_name(name: str, pattern: str):
    assert re.fullmatch(pattern, invented_output(name))
    assert invented_output(name) == invented_output(name)
    assert invented_output(name) != invented_output("X" + name)
    assert len(set(invented_output(name).split(","))) == len(invented_output(name).split(","))


def samples(text: str, part: Part = "instance", **schema: Any) -> list[str | None]:
    return [render_sample(text, FILE, context).text for context in sample_contexts(part, schema)]


def test_a_service_renders_with_every_input_and_a_component_and_with_the_least_and_none():
    text = (
        "A: {{ environment.outputs.VpcId }}\n{% if service_instance.inputs.x is defined %}B: 1\n{% endif %}"
        "C: {{ service_instance.components.default.outputs.SampleName | default('none') }}\n"
        "D: {{ 'Any' in environment.outputs }}"
    )
    assert samples(text, properties={"x": {"type": "string"}}) == [
        "A: vpc-0123456789abcdef0\nB: 1\nC: sample-value\nD: True",
        "A: vpc-0123456789abcdef0\nC: none\nD: True",
    ]


def test_an_environment_renders_with_its_inputs():
    text = "A: {{ environment.inputs.cidr }} {{ environment.name }}"
    assert (
        samples(text, "infrastructure", properties={"cidr": {"default": "10.1.0.0/16"}})
        == ["A: 10.1.0.0/16 sample-environment"] * 2
    )


def test_a_pipeline_renders_with_instances_whose_outputs_hand_their_inputs_on():
    text = (
        "A: {{ {'go1.x': 'go'}[service_instances[0].outputs.LambdaRuntime] }}\nB: {{ service_instances | length }}\n"
        "C: {{ service_instances[0].outputs.Other }} {{ service_instances[0].environment.account_id }}\n"
        "D: {{ pipeline.inputs.dir }} {{ service.repository_id }}\n"
    )
    contexts = sample_contexts(
        "pipeline",
        {"properties": {"dir": {"default": "src"}}},
        instance_input_type={"properties": {"lambda_runtime": {"type": "string", "default": "go1.x"}}},
    )
    assert [render_sample(text, FILE, context).text for context in contexts] == [
        f"A: go\nB: {count}\nC: sample-Other 123456789012\nD: src sample-owner/sample-repository\n" for count in (2, 1)
    ]


def test_known_outputs_of_an_environment_are_used_and_others_are_absent():
    (context, _) = sample_contexts("instance", {}, environment_outputs={"VpcId": "vpc-1"})
    assert render_sample("A: {{ environment.outputs.VpcId }}", FILE, context).text == "A: vpc-1"
    assert render_sample("A: {{ environment.outputs.Other }}", FILE, context).problems == (
        Problem(
            "",
            "with sample values: environment.outputs.Other has no value",
            line=1,
            severity="warning",
            file=FILE,
        ),
    )


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("A: {{ {'a': 1}[environment.outputs.Size] }}", "warning"),
        ("A: {{ environment.outputs.Pair.split('=')[1] }}", "warning"),
        ("A: {{ environment.outputs.Vpc | proton_cfn_iam_policy_arns }}", "warning"),
        ("A: [{{ environment.outputs.Vpc }}", "warning"),
        ("A: {{ nope }}", "error"),
        ("A: {{ environment.inputs.x }}", "error"),
        ("A: {% if %}", "error"),
    ],
)
def test_what_only_invented_values_break_is_a_warning_and_what_is_wrong_in_itself_an_error(text: str, severity: str):
    (context, _) = sample_contexts("instance", {})
    sample = render_sample(text, FILE, context)
    assert (sample.text, [problem.severity for problem in sample.problems]) == (None, [severity])


def test_an_unknown_name_is_told_by_its_code():
    (context, _) = sample_contexts("instance", {})
    assert [problem.code for problem in render_sample("A: {{ nope }}", FILE, context).problems] == [UNKNOWN_NAME]


def test_a_value_that_only_the_guard_refuses_is_a_warning_beside_the_text():
    (context, _) = sample_contexts("instance", {"properties": {"subnets": {"type": "string"}}})
    sample = render_sample("A: [{{ service_instance.inputs.subnets }}]", FILE, context)
    assert sample.text == f"A: [{invented_output('subnets')}]"
    assert [(problem.severity, problem.path) for problem in sample.problems] == [
        ("warning", "/service_instance/inputs/subnets")
    ]


def test_the_strings_of_a_schemas_author_are_its_defaults_constants_and_choices():
    properties = {
        "a": {"type": "string", "default": "d", "description": "not this", "enum": ["e", 1]},
        "b": {"type": "array", "default": ["f"], "items": {"const": "c"}},
        "c": {"anyOf": [{"properties": {"d": {"default": {"k": "v"}}}}]},
    }
    assert authored_strings({"type": "object", "properties": properties}) == {"d", "e", "f", "c", "k", "v"}
