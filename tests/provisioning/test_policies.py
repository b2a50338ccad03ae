"""The policies that people paste: nothing in them is wider than it has to be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from provisioning import policies

ACCOUNT, REGION = "210987654321", "us-east-1"
PRINCIPAL = "arn:aws:iam::123456789012:root"


def listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def faults(text: str) -> list[str]:
    """What a careful reader of the policy would not sign."""
    found = []
    for statement in json.loads(text)["Statement"]:
        actions = listed(statement["Action"])
        resources = listed(statement.get("Resource", []))
        condition = statement.get("Condition", {})
        called = condition.get("ForAnyValue:StringEquals", {}).get("aws:CalledVia")
        wide = [action for action in actions if action.endswith(":*")]
        if "*" in actions or "*:*" in actions:
            found.append("every action")
        if wide and called != ["cloudformation.amazonaws.com"]:
            found.append(f"{wide} without CloudFormation between")
        if (
            "*" in resources
            and not called
            and any(not action.partition(":")[2].startswith(READS) for action in actions)
        ):
            found.append(f"{actions} changes everything")
        if "iam:PassRole" in actions and "*" in resources:
            found.append("passes every role")
        if "Principal" in statement and "*" in listed(next(iter(statement["Principal"].values()))):
            found.append("trusts everybody")
        if statement["Effect"] != "Allow":
            found.append("more than grants")
    return found


READS = ("Describe", "List", "Get")


def statement(**fields: Any) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*", **fields}]})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (statement(Action="*"), 2),
        (statement(Action=["*:*"]), 3),
        (statement(Action=["ec2:*"]), 2),
        (statement(Action=["ec2:RunInstances"]), 1),
        (statement(Action=["ec2:DescribeVpcs"]), 0),
        (statement(Action="iam:PassRole"), 2),
        (statement(Action="sts:AssumeRole", Resource=[], Principal={"AWS": "*"}), 1),
    ],
)
def test_the_reader_finds_what_is_too_wide(text: str, count: int) -> None:
    assert len(faults(text)) == count


def everything() -> dict[str, str]:
    return {
        "trust": policies.trust_policy(principal=PRINCIPAL, external_id="deuteron-1"),
        "own trust": policies.trust_policy(principal=PRINCIPAL),
        "codebuild trust": policies.codebuild_trust_policy(account_id=ACCOUNT, region=REGION),
        "codebuild trust of one role": policies.codebuild_trust_policy(
            account_id=ACCOUNT, region=REGION, principal=PRINCIPAL, external_id="deuteron-1"
        ),
        "builds": policies.building_policy(
            account_id=ACCOUNT, region=REGION, role=f"arn:aws:iam::{ACCOUNT}:role/builds"
        ),
        "permissions": policies.provisioning_policy(
            account_id=ACCOUNT, region=REGION, services=("ec2", "ecs", "iam", "sts"), template_bucket="templates"
        ),
        "bare permissions": policies.provisioning_policy(account_id=ACCOUNT, region="cn-north-1"),
        "codebuild": policies.codebuild_policy(account_id=ACCOUNT, region=REGION),
        "portal": policies.portal_policy([f"arn:aws:iam::{ACCOUNT}:role/deuteron", ""]),
    }


@pytest.mark.parametrize("name", sorted(everything()))
def test_no_policy_is_too_wide(name: str) -> None:
    assert faults(everything()[name]) == []


def test_another_account_trusts_the_portal_with_the_external_id_only() -> None:
    assert json.loads(everything()["trust"])["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": PRINCIPAL},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "deuteron-1"}},
        }
    ]


def test_codebuild_is_trusted_for_projects_of_the_portal_in_the_same_account_only() -> None:
    [one] = json.loads(everything()["codebuild trust"])["Statement"]
    assert one["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:*:{ACCOUNT}:project/AWSProton-*"},
    }


def test_cloudformation_reaches_only_stacks_of_the_portal_and_only_it_uses_other_services() -> None:
    found = {one["Sid"]: one for one in json.loads(everything()["permissions"])["Statement"]}
    assert found["StacksOfThePortal"]["Resource"] == f"arn:aws:cloudformation:*:{ACCOUNT}:stack/AWSProton-*"
    assert found["ResourcesOfTemplates"]["Action"] == ["ec2:*", "ecs:*"]
    via = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    assert [found[sid].get("Condition") for sid in ("ResourcesOfTemplates", "RolesOfTemplates")] == [via, via]
    assert found["RolesOfTemplates"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/AWSProton-*"
    assert found["ReadLargeTemplates"]["Resource"] == "arn:aws:s3:::templates/*"


def test_every_call_of_the_engine_is_allowed_by_the_policy() -> None:
    source = "".join(path.read_text() for path in Path(policies.__file__).parent.joinpath("engines").glob("*.py"))
    called = set(
        re.findall(r"\.((?:create|update|delete|describe|execute|cancel|continue|list|get)_[a-z_]+)\(", source)
    )
    called |= set(re.findall(r"get_paginator\(\"([a-z_]+)\"\)", source))
    about = {"change_set", "stack", "stacks", "stack_events", "update_stack", "update_rollback", "stack_resources"}
    names = {name for name in called if name.split("_", 1)[1] in about}
    wanted = {"".join(part.capitalize() for part in name.split("_")) for name in names}
    text = everything()["permissions"]
    assert {name for name in wanted if f'"cloudformation:{name}"' not in text} == set()
    assert len(wanted) > 6


def test_partitions_follow_the_region() -> None:
    assert '"arn:aws-cn:cloudformation:*:210987654321:stack/AWSProton-*"' in everything()["bare permissions"]


def test_services_are_read_from_the_resource_types_of_templates() -> None:
    text = "Type: AWS::ECS::Service\nType: AWS::ElasticLoadBalancingV2::LoadBalancer\nRef: AWS::Region\n"
    assert policies.services_of([text, "Type: AWS::IAM::Role", "Type: AWS::SQS::Queue"]) == (
        "ecs",
        "elasticloadbalancing",
        "sqs",
    )


def test_the_portal_itself_may_assume_exactly_the_roles_that_it_uses() -> None:
    assert json.loads(everything()["portal"])["Statement"][0]["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/deuteron"]
    assert policies.portal_policy([""]) == ""
