"""What is rendered and checked: two bundles of the size of small real ones, and a schema with twenty inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.bundle import Bundle, Kind, read_bundle
from provisioning.context import Context, EnvironmentFacts, ServiceFacts, environment_context, instance_context
from provisioning.schema import InputType

DATA = Path(__file__).parent / "data"
ENVIRONMENT_INPUTS = {"cidr": "10.40.0.0/16", "name": "orders", "flow_logs": "on"}
SERVICE_INPUTS = {"image": "registry/shop:17", "port": 8080, "cpu": 512, "memory": 1024, "copies": 3}
WIZARD_INPUTS = {
    "name": "orders",
    "retention": 11,
    "size": "small",
    "dns": True,
    "owner": "the shop's people",
    "nodes": 15,
    "disk": "large",
    "encrypted": True,
    "cost_center": "4711",
    "max_nodes": 19,
    "traffic": "medium",
    "insights": False,
    "domain": "orders.example.com",
    "timeout": 23,
    "backup": "small",
    "public": True,
    "contact": "alarms@example.com",
    "threshold": 27,
    "tier": "small",
    "protect": True,
}
_SERVICE = ServiceFacts("shop")
_HOME = EnvironmentFacts(
    "orders",
    "123456789012",
    {
        "NetworkId": "vpc-0a1b2c3d",
        "Subnets": "subnet-1a2b,subnet-3c4d",
        "ClusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/orders",
    },
)


@dataclass(frozen=True)
class Sample:
    """A bundle, what a person typed into its form, and the namespaces that follow from checked inputs."""

    bundle: Bundle
    inputs: Mapping[str, Any]
    context: Callable[[Mapping[str, Any]], Context]

    @property
    def input_type(self) -> InputType:
        found = self.bundle.schema.environment or self.bundle.schema.service
        assert found is not None
        return found

    @property
    def template(self) -> str:
        return next(iter(self.bundle.parts.values())).template

    @property
    def file(self) -> str:
        return next(iter(self.bundle.parts.values())).template_file


def files_of(name: str) -> dict[str, bytes]:
    """The files of a bundle below ``data/`` by their paths in it."""
    folder = DATA / name
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _bundle(name: str, kind: Kind) -> Bundle:
    bundle, problems = read_bundle(files_of(name), kind)
    assert bundle is not None, problems
    return bundle


def environment() -> Sample:
    return Sample(
        _bundle("environment", "environment"),
        ENVIRONMENT_INPUTS,
        lambda inputs: environment_context(name="orders", inputs=inputs),
    )


def service() -> Sample:
    return Sample(
        _bundle("service", "service"),
        SERVICE_INPUTS,
        lambda inputs: instance_context(service=_SERVICE, name="prod", inputs=inputs, environment=_HOME),
    )


def wizard_type() -> InputType:
    """Twenty inputs of four kinds."""
    found = _bundle("wizard", "environment").schema.environment
    assert found is not None
    return found
