"""Requests for an operation, made from its input shape: good ones, boundaries, wrong types, too much, and nonsense."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape

from portal.wire.service_model import modelled_errors

UUID = "0e4b8f2a-1111-4222-8333-123456789abc"
ACCOUNT = "123456789012"
BEFORE_THE_OPERATION = {"SerializationException", "ValidationException", "AccessDeniedException"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
# What members that have a pattern are given; names lead to rows of the world that is asked.
GOOD: Mapping[str, tuple[str, ...]] = {
    "ResourceName": ("home", "web", "dev", "vpc", "web-app", "bucket", "unknown", "a" * 100),
    "ResourceNameOrEmpty": ("", "web", "dev", "unknown"),
    "TemplateVersionPart": ("1", "0", "2", "9" * 20),
    "Arn": (f"arn:aws:proton:us-east-1:{ACCOUNT}:environment/home", ROLE),
    "RoleArn": (ROLE,),
    "RoleArnOrEmptyString": (ROLE, ""),
    "AwsAccountId": (ACCOUNT, "222222222222"),
    "DeploymentId": (UUID,),
    "EnvironmentAccountConnectionId": (UUID,),
    "S3Bucket": ("proton-templates-bucket",),
    "RepositoryName": ("owner/repo",),
    "NextToken": ("WyJ4IiwxXQ==",),
    "EmptyNextToken": ("",),
    "ClientToken": ("token", "", "t" * 64),
    "SpecContents": (
        "proton: EnvironmentSpec\nspec: {cluster_name: main}\n",
        "proton: ServiceSpec\ninstances: [{name: dev, environment: home, spec: {image: a}}]\n",
        "[1, 2",
        "x" * 51_200,
        "a: &a [*a]",
    ),
    "TemplateManifestContents": (
        "infrastructure: {templates: [{file: a.yaml, rendering_engine: jinja, template_language: cloudformation}]}",
        "{",
    ),
}
NONSENSE: tuple[Any, ...] = (
    "",
    " ",
    "!",
    "../../etc/passwd",
    "a\nb",
    "\u202e\u0001",
    "{{ 7 * 7 }}",
    "'; DROP TABLE portal_service; --",
    "😀" * 40,
    "x" * 60_000,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    True,
    None,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    ["a"] * 200,
)


def good(shape: Shape, chance: random.Random, *, full: bool) -> Any:
    """A value that the shape allows."""
    if isinstance(shape, StructureShape):
        if shape.is_tagged_union:
            name = chance.choice(list(shape.members))
            return {name: good(shape.members[name], chance, full=full)}
        return {
            name: good(member, chance, full=full)
            for name, member in shape.members.items()
            if name in shape.required_members or full
        }
    if isinstance(shape, ListShape):
        count = max(shape.metadata.get("min", 0), 1)
        return [good(shape.member, chance, full=full) for _ in range(count)]
    if isinstance(shape, StringShape):
        if shape.enum:
            return chance.choice(shape.enum)
        if shape.name in GOOD:
            return chance.choice(GOOD[shape.name])
        return chance.choice(["text", "x" * max(1, shape.metadata.get("max", 1) if full else 1)])[
            : shape.metadata.get("max")
        ]
    if shape.type_name == "integer":
        return chance.choice([1, 2, 100])
    return chance.random() < 0.5


def requests(shape: StructureShape, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """``count`` requests; the same ones for the same seed."""
    chance = random.Random(seed)
    members = list(shape.members)
    for number in range(count):
        made = good(shape, chance, full=chance.random() < 0.5)
        kind = number % 4
        if kind == 1 and members:
            made[chance.choice(members)] = chance.choice(NONSENSE)
        elif kind == 2 and members:
            made.pop(chance.choice(members), None)
            made["unknownMember"] = chance.choice(NONSENSE)
        elif kind == 3 and members:
            for name in members:
                if chance.random() < 0.5:
                    made[name] = chance.choice(NONSENSE)
        yield made


def planted(shape: Shape, value: Any, canary: str) -> Any:
    """The same value, with a comment in every text that the model calls sensitive."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: planted(shape.members[name], item, canary) if name in shape.members else item
            for name, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [planted(shape.member, item, canary) for item in value]
    if isinstance(value, str) and shape.metadata.get("sensitive"):
        return f"# {canary}\n{value} # {canary}"
    return value


def allowed_errors(operation: str) -> frozenset[str]:
    """Names of errors that a client of the operation is prepared for."""
    return modelled_errors(operation) | BEFORE_THE_OPERATION
