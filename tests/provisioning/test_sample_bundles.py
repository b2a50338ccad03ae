"""The sample bundles are what `make run` shows first: they must be without a fault."""

import re

import boto3
import pytest

from portal.embedded.samples import FOLDER, SAMPLES, pack_sample
from provisioning.lint import lint_template
from provisioning.problems import Problem
from provisioning.schema import compatible
from tests.factories.sample_bundles import (
    MOST,
    NOT_EVERYWHERE,
    PROVISIONED,
    VERSIONS,
    least_inputs,
    render_bundle,
    sample_bundle,
)


def test_every_folder_is_a_version_of_a_sample():
    folders = {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*/schema")}
    assert folders - NOT_EVERYWHERE == {f"{name}/v{major}.{minor}" for name, major, minor in VERSIONS}


@pytest.mark.parametrize(("name", "major", "minor"), VERSIONS)
def test_a_sample_packs_to_the_same_bytes_each_time(name, major, minor):
    assert pack_sample(name, major, minor) == pack_sample(name, major, minor)


@pytest.mark.parametrize(("name", "major", "minor"), VERSIONS)
def test_a_sample_is_read_without_any_problem(name, major, minor):
    assert sample_bundle(name, major, minor).schema_text.startswith(("schema:", "#"))


@pytest.mark.parametrize(("name", "major", "minor"), PROVISIONED)
def test_a_sample_renders_with_the_least_that_a_spec_has_to_say(name, major, minor):
    rendered = render_bundle(sample_bundle(name, major, minor), least_inputs(name, major))
    sections = re.findall(r"^(\w+):", rendered, re.MULTILINE)
    assert sections == ["AWSTemplateFormatVersion", "Description", "Resources", "Outputs"]


@pytest.mark.parametrize(("name", "major", "minor"), PROVISIONED)
def test_a_sample_with_all_inputs_is_lint_clean(name, major, minor):
    inputs = MOST.get((name, major, minor), least_inputs(name, major))
    assert lint_template(render_bundle(sample_bundle(name, major, minor), inputs), "cloudformation.yaml") == ()


def test_minor_versions_accept_the_specs_of_their_predecessors():
    for name in ("vpc-ecs-environment", "load-balanced-fargate-service", "fargate-service-with-workflow"):
        assert compatible(sample_bundle(name, 1, 0).schema, sample_bundle(name, 1, 1).schema) == ()


def test_the_second_major_asks_for_something_new():
    name = "load-balanced-fargate-service"
    problems = compatible(sample_bundle(name, 1, 1).schema, sample_bundle(name, 2, 0).schema)
    assert ["on_call" in problem.message or "on_call" in problem.path for problem in problems] == [True]
    assert all(isinstance(problem, Problem) for problem in problems)


def test_one_sample_of_each_kind_and_one_in_the_loose_layout():
    assert {(sample.kind, sample.provisioning) for sample in SAMPLES} == {
        ("ENVIRONMENT", ""),
        ("ENVIRONMENT", "CUSTOMER_MANAGED"),
        ("SERVICE", ""),
    }
    assert "manifest.yaml" in sample_bundle("queue-worker-service", 1, 0).files


def test_cloudformation_creates_environments_and_services_from_the_samples(aws, aws_account):
    session = boto3.Session(aws_access_key_id=aws_account, aws_secret_access_key="embedded", region_name="us-east-1")
    cloudformation = session.client("cloudformation", endpoint_url=aws.endpoint)

    def deployed(stack: str, body: str) -> dict[str, str]:
        cloudformation.create_stack(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    names = {}
    for name, major, minor in PROVISIONED:
        bundle = sample_bundle(name, major, minor)
        own = f"{name.split('-')[0]}{major}{minor}"
        inputs = MOST.get((name, major, minor), least_inputs(name, major))
        if bundle.kind == "environment":
            environment = deployed(own, render_bundle(bundle, inputs, name=own))
            names[own] = set(environment)
        else:
            names[own] = set(deployed(own, render_bundle(bundle, inputs, name=own, environment_outputs=environment)))
    environment_outputs = {
        "VpcId",
        "SubnetIds",
        "ClusterName",
        "ClusterArn",
        "ListenerArn",
        "LoadBalancerDnsName",
        "LoadBalancerSecurityGroupId",
    }
    assert names == {
        "vpc10": environment_outputs,
        "vpc11": environment_outputs,
        "load10": {"Url", "ServiceArn", "LogGroup"},
        "load11": {"Url", "ServiceArn", "LogGroup"},
        "load20": {"Url", "ServiceArn", "LogGroup", "OnCall"},
        "fargate10": {"Url", "ServiceArn", "LogGroup"},
        "fargate11": {"Url", "ServiceArn", "LogGroup"},
        "queue10": {"QueueUrl", "QueueArn", "FailuresQueueUrl", "LogGroup"},
    }
