"""The sample bundles, read and rendered."""

from collections.abc import Mapping
from typing import Any

from portal.embedded.samples import SAMPLES, Sample, pack_sample
from provisioning.bundle import Bundle, Kind, read_bundle
from provisioning.context import EnvironmentFacts, ServiceFacts, environment_context, instance_context
from provisioning.render.files import render_file
from provisioning.schema import InputType
from provisioning.sources import read_archive
from provisioning.spec import check_inputs

VERSIONS = [(sample.name, *version) for sample in SAMPLES for version in sample.versions]
SCRIPTED = [each for each in VERSIONS if each[0].startswith("scripted-")]
PROVISIONED = [each for each in VERSIONS if each[0] != "existing-vpc" and each not in SCRIPTED]
NOT_EVERYWHERE = {"terraform-state-environment/v1.0"}  # needs what not every machine has
NUMBER_ONE = "1111111111111111"
ENVIRONMENT_OUTPUTS = {
    "VpcId": "vpc-11111111111111111",
    "SubnetIds": "subnet-11111111111111111,subnet-22222222222222222",
    "ClusterName": "shared",
    "ClusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/shared",
    "ListenerArn": f"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shared/{NUMBER_ONE}/{NUMBER_ONE}",
    "LoadBalancerDnsName": "shared.us-east-1.elb.amazonaws.com",
    "LoadBalancerSecurityGroupId": "sg-11111111111111111",
}
# The least that a spec has to say, and everything that it can.
LEAST: Mapping[str, Mapping[str, Any]] = {
    "vpc-ecs-environment": {},
    "existing-vpc": ENVIRONMENT_OUTPUTS,
    "load-balanced-fargate-service": {},
    "fargate-service-with-workflow": {},
    "queue-worker-service": {"image": "public.ecr.aws/docker/library/busybox:stable"},
}
MOST: Mapping[tuple[str, int, int], Mapping[str, Any]] = {
    ("vpc-ecs-environment", 1, 1): {
        "vpc_cidr": "10.7.0.0/20",
        "container_insights": False,
        "idle_timeout": 300,
        "allowed_ranges": ["192.0.2.0/24", "198.51.100.0/24"],
        "ownership": {"cost_center": "PL-0042", "contact": "platform@example.com"},
    },
    ("load-balanced-fargate-service", 1, 1): {
        "size": "large",
        "path": "/shop",
        "variables": [{"name": "MODE", "value": "fast"}, {"name": "GREETING", "value": 'say "hello": now'}],
    },
    ("load-balanced-fargate-service", 2, 0): {
        "on_call": "shop@example.com",
        "alarm": {"enabled": False, "after_minutes": 10},
    },
}


def sample_of(name: str) -> Sample:
    return next(sample for sample in SAMPLES if sample.name == name)


def sample_bundle(name: str, major: int, minor: int) -> Bundle:
    """Raises AssertionError with the problems when the bundle has any, warnings included."""
    sample = sample_of(name)
    kind: Kind = "environment" if sample.kind == "ENVIRONMENT" else "service"
    files = read_archive(pack_sample(name, major, minor))
    bundle, problems = read_bundle(files, kind, customer_managed=sample.provisioning != "")
    assert problems == ()
    assert bundle is not None
    return bundle


def input_type(bundle: Bundle) -> InputType:
    found = bundle.schema.environment or bundle.schema.service
    assert found is not None
    return found


def least_inputs(name: str, major: int) -> dict[str, Any]:
    required = {"on_call": "shop@example.com"} if (name, major) == ("load-balanced-fargate-service", 2) else {}
    return {**LEAST[name], **required}


def render_bundle(
    bundle: Bundle,
    inputs: Mapping[str, Any],
    *,
    name: str = "shop",
    environment_outputs: Mapping[str, str] = ENVIRONMENT_OUTPUTS,
) -> str:
    """The CloudFormation template as a deployment would send it. Raises AssertionError on wrong inputs."""
    effective, problems = check_inputs(inputs, input_type(bundle))
    assert problems == ()
    part = bundle.parts["infrastructure" if bundle.kind == "environment" else "instance"]
    if bundle.kind == "environment":
        context = environment_context(name=name, inputs=effective)
    else:
        environment = EnvironmentFacts(name="shared", account_id="123456789012", outputs=environment_outputs)
        context = instance_context(
            service=ServiceFacts(name=name), name="live", inputs=effective, environment=environment
        )
    return render_file(part.template, part.template_file, context).text
