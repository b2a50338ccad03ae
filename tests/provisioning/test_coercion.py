"""Quoted numbers and booleans, as CloudFormation reads them."""

from typing import Any

import pytest

from portal.embedded.coercion import coerce, resource_schema
from provisioning.engines.cfn_document import parse


def properties(kind: str, given: Any, *, parameters: Any = None, **more: Any) -> Any:
    template = {"Resources": {"X": {"Type": kind, "Properties": given}}, **more}
    return coerce(template, parameters or {}, "us-east-1")["Resources"]["X"]["Properties"]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("AWS::ECS::Service", {"DesiredCount": "3"}, {"DesiredCount": 3}),
        ("AWS::ECS::Service", {"DesiredCount": "3.0"}, {"DesiredCount": 3}),
        ("AWS::ECS::Service", {"EnableECSManagedTags": "true"}, {"EnableECSManagedTags": True}),
        ("AWS::ECS::Service", {"DesiredCount": "many"}, {"DesiredCount": "many"}),
        ("AWS::ECS::Service", {"ServiceName": "42"}, {"ServiceName": "42"}),
        ("AWS::ECS::TaskDefinition", {"Cpu": 256, "Memory": "512"}, {"Cpu": "256", "Memory": "512"}),
        (
            "AWS::ECS::TaskDefinition",
            {"ContainerDefinitions": [{"Essential": "false", "PortMappings": [{"ContainerPort": "8080"}]}]},
            {"ContainerDefinitions": [{"Essential": False, "PortMappings": [{"ContainerPort": 8080}]}]},
        ),
        (
            "AWS::EC2::SecurityGroup",
            {"SecurityGroupIngress": [{"IpProtocol": -1, "FromPort": "80", "ToPort": "80"}]},
            {"SecurityGroupIngress": [{"IpProtocol": "-1", "FromPort": 80, "ToPort": 80}]},
        ),
        ("AWS::Logs::LogGroup", {"RetentionInDays": "30"}, {"RetentionInDays": 30}),
        ("AWS::SQS::Queue", {"FifoQueue": "True", "Unknown": "1"}, {"FifoQueue": True, "Unknown": "1"}),
        ("Custom::Thing", {"Count": "1"}, {"Count": "1"}),
    ],
)
def test_scalars_take_the_types_of_the_schema(kind: str, given: Any, expected: Any) -> None:
    assert properties(kind, given) == expected


def test_functions_are_left_alone_and_both_sides_of_a_condition_are_followed() -> None:
    given = {
        "DesiredCount": {"Fn::If": ["Big", "10", {"Ref": "Count"}]},
        "Cluster": {"Fn::GetAtt": ["Cluster", "Arn"]},
        "ServiceName": {"Fn::Sub": "${AWS::StackName}-1"},
    }
    assert properties("AWS::ECS::Service", given) == {
        **given,
        "DesiredCount": {"Fn::If": ["Big", 10, {"Ref": "Count"}]},
    }


def test_a_parameter_where_a_number_is_due_becomes_its_value() -> None:
    declared = {"Count": {"Type": "Number", "Default": "2"}, "Name": {"Type": "String", "Default": "7"}}
    given = {"DesiredCount": {"Ref": "Count"}, "ServiceName": {"Ref": "Name"}}
    assert properties("AWS::ECS::Service", given, Parameters=declared)["DesiredCount"] == 2
    asked = properties("AWS::ECS::Service", given, Parameters=declared, parameters={"Count": "5"})
    assert asked == {"DesiredCount": 5, "ServiceName": {"Ref": "Name"}}


def test_recursive_schemas_end() -> None:
    rule: dict[str, Any] = {"Statement": {"RateBasedStatement": {"Limit": "100", "AggregateKeyType": "IP"}}}
    for _ in range(30):
        rule = {"Statement": {"NotStatement": rule}}
    given = {"Scope": "REGIONAL", "Rules": [{"Name": "a", "Priority": "1", **rule}]}
    coerced = properties("AWS::WAFv2::RuleGroup", given)
    assert coerced["Rules"][0]["Priority"] == 1


def test_every_schema_that_is_asked_for_is_found() -> None:
    for region in ("us-east-1", "eu-central-1", "nowhere-9"):
        schema = resource_schema("AWS::ECS::Service", region)
        assert schema is not None
        assert schema["properties"]["DesiredCount"]["type"] == "integer"


def test_a_template_is_read_as_cloudformation_reads_it() -> None:
    text = """
AWSTemplateFormatVersion: 2010-09-09
Resources:
  A:
    Type: AWS::SQS::Queue
    Condition: Yes1
    Properties:
      QueueName: !Sub "${AWS::StackName}-a"
      Tags: [{Key: a, Value: !GetAtt B.Nested.Arn}]
      KmsMasterKeyId: !If [C, !Ref K, !Ref "AWS::NoValue"]
      Zones: !GetAZs ""
      Joined: !Join [",", [!Select [0, !Cidr [10.0.0.0/16, 4, 8]]]]
      Of: !Condition C
      Found:
        Fn::FindInMap: [a, b, c]
"""
    template = parse(text)
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template["Resources"]["A"]["Properties"] == {
        "QueueName": {"Fn::Sub": "${AWS::StackName}-a"},
        "Tags": [{"Key": "a", "Value": {"Fn::GetAtt": ["B", "Nested.Arn"]}}],
        "KmsMasterKeyId": {"Fn::If": ["C", {"Ref": "K"}, {"Ref": "AWS::NoValue"}]},
        "Zones": {"Fn::GetAZs": ""},
        "Joined": {"Fn::Join": [",", [{"Fn::Select": [0, {"Fn::Cidr": ["10.0.0.0/16", 4, 8]}]}]]},
        "Of": {"Condition": "C"},
        "Found": {"Fn::FindInMap": ["a", "b", "c"]},
    }


@pytest.mark.parametrize("text", ["", "a: [", "just text", "Resources: 1", "!Ref x"])
def test_what_is_no_template_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="The template"):
        parse(text)
