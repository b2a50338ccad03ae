"""What a CloudFormation template says, as plain values."""

from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 as CloudFormation reads it: dates are text, ``!Name`` is the function ``Fn::Name``."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = node.value
        if name == "Fn::GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _function)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def parse(text: str) -> dict[str, Any]:
    """A template as plain values with long-form functions. Raises ValueError when it is not a template at all."""
    try:
        template = yaml.load(text, Loader=_Loader)  # noqa: S506  a subclass of the safe loader
    except yaml.YAMLError as error:
        raise ValueError(f"The template is not YAML: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ValueError("The template has no Resources.")
    return template
