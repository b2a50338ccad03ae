"""Contexts and short cuts that the tests of the renderer share."""

from collections.abc import Callable
from typing import Any

import pytest

from provisioning.context import (
    ComponentFacts,
    Context,
    EnvironmentFacts,
    ServiceFacts,
    environment_context,
    instance_context,
)
from provisioning.problems import Problem, ProblemsFound
from provisioning.render import render_file

FILE = "instance_infrastructure/cloudformation.yaml"
SERVICE = ServiceFacts("shop", "main", "arn:aws:codestar-connections:us-east-1:123456789012:connection/1", "acme/shop")
ENVIRONMENT = EnvironmentFacts("prod", "123456789012", {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2"})


def instance(component: ComponentFacts | None = None, **inputs: Any) -> Context:
    return instance_context(service=SERVICE, name="web", inputs=inputs, environment=ENVIRONMENT, component=component)


def environment(**inputs: Any) -> Context:
    return environment_context(name="prod", inputs=inputs)


def rendered(text: str, context: Context | None = None) -> str:
    return render_file(text, FILE, instance() if context is None else context).text


def problems(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Problem, ...]:
    with pytest.raises(ProblemsFound) as found:
        call(*args, **kwargs)
    return found.value.problems


def refusals(text: str, context: Context | None = None) -> tuple[Problem, ...]:
    return problems(render_file, text, FILE, instance() if context is None else context)
