"""What ``aws proton notify-resource-deployment-status-change`` in a run says to the portal, through the Proton API.

The key stays outside of the sandbox: the run hands over what it was called with, and this signs the request.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from provisioning.commands.request import Callback

TEXTS = {
    "resource-arn": "resourceArn",
    "status": "status",
    "deployment-id": "deploymentId",
    "status-message": "statusMessage",
}
IGNORED = {
    *("region", "profile", "output", "query", "endpoint-url", "color", "ca-bundle", "cli-binary-format"),
    *("cli-read-timeout", "cli-connect-timeout"),
}


def notify(callback: Callback | None, options: Mapping[str, Sequence[str]]) -> tuple[int, str]:
    """(0, "") when the portal took it; else the AWS CLI's exit code 255 and the reason."""
    if callback is None:
        return 255, "This run has no portal to notify."
    try:
        request = read(options)
        _client(callback).notify_resource_deployment_status_change(**request)
    except (ValueError, KeyError, TypeError) as wrong:
        return 255, f"notify-resource-deployment-status-change: {wrong}"
    except (ClientError, BotoCoreError) as refusal:
        return 255, str(refusal)
    return 0, ""


def read(options: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The members of the request. Raises ValueError for an option that the command does not have."""
    request: dict[str, Any] = {}
    for name, values in options.items():
        if name in TEXTS:
            request[TEXTS[name]] = values[-1].strip() if name != "status-message" else values[-1]
        elif name == "outputs":
            request["outputs"] = [output for value in values for output in _outputs(value)]
        elif name == "cli-input-json":
            request = {**json.loads(values[-1]), **request}
        elif name not in IGNORED:
            raise ValueError(f"unknown option --{name}")
    return request


def _outputs(text: str) -> list[Mapping[str, str]]:
    """JSON, or the AWS CLI's shorthand ``key=name,valueString=text``."""
    text = text.strip()
    if text.startswith(("[", "{")):
        value = json.loads(text)
        return [value] if isinstance(value, dict) else list(value)
    key, _, value = text.partition(",valueString=")
    if not key.startswith("key=") or not value:
        raise ValueError(f"cannot read {text[:60]!r} as an output")
    return [{"key": key.removeprefix("key="), "valueString": value}]


def _client(callback: Callback) -> Any:
    session = boto3.Session(
        aws_access_key_id=callback.key_id,
        aws_secret_access_key=callback.secret,
        aws_session_token=callback.token or None,
        region_name=callback.region,
    )
    make: Any = session.client
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3}, proxies={})
    return make("proton", endpoint_url=callback.endpoint, config=config)
