"""Signed requests for every operation of the API that only reads, about things that are there."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

TARGET = "AwsProton20200720."
# What a request is about by the end of the operation's name: the first that matches.
ABOUT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("EnvironmentTemplate", {"name": "guarded"}),
    ("ServiceTemplate", {"name": "serving"}),
    ("EnvironmentTemplateVersion", {"templateName": "guarded"}),
    ("ServiceTemplateVersion", {"templateName": "serving"}),
    ("EnvironmentTemplateVersions", {"templateName": "guarded"}),
    ("ServiceTemplateVersions", {"templateName": "serving"}),
    ("EnvironmentAccountConnection", {"id": "{connection}"}),
    ("GetDeployment", {"id": "{deployment}"}),
    ("GetEnvironment", {"name": "fine"}),
    ("GetServiceInstance", {"name": "dev", "serviceName": "shop"}),
    ("GetService", {"name": "shop"}),
    ("GetComponent", {"name": "bucket"}),
    ("GetRepository", {"name": "acme/infra", "provider": "GITHUB"}),
    ("PipelineOutputs", {"serviceName": "delivered"}),
    ("PipelineProvisionedResources", {"serviceName": "delivered"}),
    ("ListTagsForResource", {"resourceArn": "{arn}"}),
)
MEMBERS: dict[str, Any] = {
    "majorVersion": "1",
    "minorVersion": "0",
    "environmentName": "fine",
    "serviceName": "shop",
    "serviceInstanceName": "dev",
    "componentName": "bucket",
    "requestedBy": "MANAGEMENT_ACCOUNT",
}


def reads(world: Mapping[str, str], key_id: str, secret: str) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Name, body and headers of each; KeyError for a required member that nothing here has a value for.

    ``world`` has the ids of what exists: connection, deployment, arn.
    """
    from portal.wire.registry import handlers
    from tests.wire.signing import JSON, signed

    for name, operation in sorted(handlers().items()):
        if operation.mutates:
            continue
        about = next((members for end, members in ABOUT if name.endswith(end)), {})
        known = {**MEMBERS, **{member: value.format(**world) for member, value in about.items()}}
        body = json.dumps({member: known[member] for member in operation.input.required_members}).encode()
        headers = {**JSON, "x-amz-target": TARGET + name}
        request = signed(url="http://testserver/", body=body, headers=headers, key_id=key_id, secret=secret)
        yield name, body, dict(request.headers)
