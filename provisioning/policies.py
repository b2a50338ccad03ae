"""The IAM policies that roles need so that the portal can work with them, as text to paste. Pure: values in, text out.

Two kinds of document: whom a role trusts, and what it may do. What it may do in AWS services is allowed only when
CloudFormation calls (``aws:CalledVia``), and CloudFormation only on stacks of this portal (``AWSProton-*``).
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

Statement = dict[str, Any]
STACKS = "AWSProton-*"
ON_PROJECTS = (
    *("BatchGetProjects", "CreateProject", "UpdateProject"),
    *("StartBuild", "StopBuild", "BatchGetBuilds", "ListBuildsForProject"),
)
ON_STACKS = (
    "CancelUpdateStack",
    "ContinueUpdateRollback",
    "CreateChangeSet",
    "DeleteChangeSet",
    "DeleteStack",
    "DescribeChangeSet",
    "DescribeEvents",
    "DescribeStackEvents",
    "DescribeStackResources",
    "DescribeStacks",
    "ExecuteChangeSet",
    "GetTemplate",
    "ListChangeSets",
    "ListStackResources",
)
ON_ROLES = (
    "AttachRolePolicy",
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "PassRole",
    "PutRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
)
# IAM namespaces of CloudFormation's resource types, where lower case is not enough.
NAMESPACES = {
    "apigatewayv2": "apigateway",
    "applicationautoscaling": "application-autoscaling",
    "certificatemanager": "acm",
    "cognito": "cognito-idp",
    "docdb": "rds",
    "efs": "elasticfilesystem",
    "elasticloadbalancingv2": "elasticloadbalancing",
    "kinesisfirehose": "firehose",
    "neptune": "rds",
    "opensearchservice": "es",
    "stepfunctions": "states",
}
NEVER = {"iam", "cloudformation", "proton", "organizations", "sts"}  # have statements of their own, or none
RESOURCE_TYPE = re.compile(r"\bAWS::([A-Za-z0-9]+)::[A-Za-z0-9]+")


def services_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The IAM namespaces of the resource types that CloudFormation templates name, sorted."""
    found = {match.lower() for text in texts for match in RESOURCE_TYPE.findall(text)}
    return tuple(sorted({NAMESPACES.get(name, name) for name in found} - NEVER))


def partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def trust_policy(*, principal: str, external_id: str = "") -> str:
    """Of a role that the portal assumes. ``principal`` is the ARN of the portal's identity, or of its account's root.

    ``external_id`` guards a role of another account; a role of the portal's own account has none.
    """
    return _text([_trusted(principal, external_id)])


def _trusted(principal: str, external_id: str) -> Statement:
    statement: Statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return statement


def codebuild_trust_policy(*, account_id: str, region: str, principal: str = "", external_id: str = "") -> str:
    """Of a role that CodeBuild assumes: only for projects of this portal in the same account. With a ``principal`` the
    portal assumes it as well, to start builds where there is no other role."""
    source = f"arn:{partition(region)}:codebuild:*:{account_id}:project/{STACKS}"
    condition = {"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": source}}
    service = {"Service": "codebuild.amazonaws.com"}
    own: Statement = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole", "Condition": condition}
    return _text([own, *([_trusted(principal, external_id)] if principal else [])])


def provisioning_policy(
    *, account_id: str, region: str, services: Iterable[str] = (), template_bucket: str = ""
) -> str:
    """What a role may do that provisions through CloudFormation: environments, instances, components or pipelines.

    ``services`` are the IAM namespaces that templates make resources of. Only CloudFormation may use them for the role.
    """
    aws = f"arn:{partition(region)}"
    via: Mapping[str, Any] = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    statements: list[Statement] = [
        {
            "Sid": "StacksOfThePortal",
            "Effect": "Allow",
            "Action": [f"cloudformation:{name}" for name in ON_STACKS],
            "Resource": f"{aws}:cloudformation:*:{account_id}:stack/{STACKS}",
        },
        {
            "Sid": "FindStacks",
            "Effect": "Allow",
            "Action": ["cloudformation:DescribeStacks", "cloudformation:ListStacks"],
            "Resource": "*",
        },
    ]
    if template_bucket:
        statements.append(
            {
                "Sid": "ReadLargeTemplates",
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": f"{aws}:s3:::{template_bucket}/*",
            }
        )
    wanted = sorted(set(services) - NEVER)
    if wanted:
        statements.append(
            {
                "Sid": "ResourcesOfTemplates",
                "Effect": "Allow",
                "Action": [f"{name}:*" for name in wanted],
                "Resource": "*",
                "Condition": dict(via),
            }
        )
    statements.append(
        {
            "Sid": "RolesOfTemplates",
            "Effect": "Allow",
            "Action": [f"iam:{name}" for name in ON_ROLES],
            "Resource": f"{aws}:iam::{account_id}:role/{STACKS}",
            "Condition": dict(via),
        }
    )
    return _text(statements)


def building_policy(*, account_id: str, region: str, role: str) -> str:
    """What the role needs by which the portal starts builds that have ``role``."""
    aws = f"arn:{partition(region)}"
    group = f"{aws}:logs:*:{account_id}:log-group:/aws/codebuild/{STACKS}"
    passed = {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}
    return _text(
        [
            {
                "Sid": "Builds",
                "Effect": "Allow",
                "Action": [f"codebuild:{name}" for name in ON_PROJECTS],
                "Resource": f"{aws}:codebuild:*:{account_id}:project/{STACKS}",
            },
            {"Sid": "ReadLogs", "Effect": "Allow", "Action": "logs:GetLogEvents", "Resource": [group, f"{group}:*"]},
            {"Sid": "GiveRole", "Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": passed},
        ]
    )


def codebuild_policy(*, account_id: str, region: str) -> str:
    """The least that a build needs: its log. What the commands of a template do in AWS comes on top."""
    group = f"arn:{partition(region)}:logs:*:{account_id}:log-group:/aws/codebuild/{STACKS}"
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    return _text([{"Sid": "Logs", "Effect": "Allow", "Action": actions, "Resource": [group, f"{group}:*"]}])


def portal_policy(roles: Iterable[str]) -> str:
    """What the portal's own identity needs: to assume exactly these roles. "" when there are none."""
    wanted = sorted({role for role in roles if role})
    if not wanted:
        return ""
    return _text([{"Sid": "EnterAccounts", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": wanted}])


def _text(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
