"""A CommandPlan as CodeBuild's buildspec, version 0.2.

The files travel in the buildspec itself while they are small, else as the source of the build. ``aws proton notify-…``
leads to the portal: a wrapper signs it with the key of this build, and every other command with the build's own role.
"""

import base64
import gzip
import io
import shlex
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

import yaml

from provisioning.commands.plan import CommandPlan
from provisioning.commands.request import Callback

MOST_INLINE = 30_000  # characters of packed files that a buildspec carries
FILES = "DEUTERON_FILES"  # the variable that holds them
MARK = "DEUTERON_DEPLOYMENT"  # the variable that says whose build it is
_WRAPPER = """\
#!/bin/bash
real=$(PATH=${PATH#/tmp/deuteron:} command -v aws) || { echo 'aws: not found' >&2; exit 127; }
if [ "$1" = proton ]; then
  export AWS_ACCESS_KEY_ID=$DEUTERON_KEY_ID AWS_SECRET_ACCESS_KEY=$DEUTERON_SECRET AWS_SESSION_TOKEN=$DEUTERON_TOKEN
  export AWS_ENDPOINT_URL_PROTON=$DEUTERON_ENDPOINT AWS_REGION=$DEUTERON_REGION AWS_DEFAULT_REGION=$DEUTERON_REGION
  unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_PROFILE
  case " $* " in *" notify-resource-deployment-status-change "*" --outputs"*) touch /tmp/deuteron/notified;; esac
fi
exec "$real" "$@"
"""
# Outputs that the commands notified win over the file; an object is read as ``plan.outputs_of`` reads it, with the jq
# of CodeBuild's images.
_AS_LIST = (
    '[to_entries[] | if (.value | type) == "object" then .value | to_entries[] else . end '
    '| {key, valueString: (.value | if type == "string" then . else tojson end)}]'
)
_REPORT = (
    "report=; if [ -f proton-outputs.json ] && [ ! -e /tmp/deuteron/notified ]; then "
    'case "$(head -c1 proton-outputs.json)" in '
    "'[') report=./proton-outputs.json;; "
    "'{') if command -v jq > /dev/null; then report=/tmp/deuteron/outputs.json; "
    f"jq '{_AS_LIST}' proton-outputs.json > $report; fi;; esac; fi; "
    'if [ -n "$report" ]; then aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN '
    "--outputs file://$report; fi"
)


def buildspec(plan: CommandPlan, *, packed: str = "") -> str:
    """YAML. ``packed`` is what ``pack_inline`` gave; "" when the files are the build's source."""
    # In a variable: CodeBuild prints each command, and the inputs are among the files.
    unpack = [f"echo ${FILES} | base64 -d | tar -xz -C $CODEBUILD_SRC_DIR && unset {FILES}"] if packed else []
    prepare = [
        "mkdir -p /tmp/deuteron",
        f"echo {base64.b64encode(_WRAPPER.encode()).decode()} | base64 -d > /tmp/deuteron/aws",
        "chmod +x /tmp/deuteron/aws",
        "export PATH=/tmp/deuteron:$PATH",
    ]
    folder = [f"cd $CODEBUILD_SRC_DIR/{shlex.quote(plan.folder)}"] if plan.folder else []
    install: dict[str, Any] = {"commands": [*unpack, *prepare]}
    if plan.runtimes:
        install["runtime-versions"] = dict(plan.runtimes)
    environment: dict[str, Any] = {"shell": "bash"}
    if plan.variables or packed:
        environment["variables"] = {**plan.variables, **({FILES: packed} if packed else {})}
    if plan.secrets:
        environment["secrets-manager"] = dict(plan.secrets)
    document = {
        "version": 0.2,
        "env": environment,
        "phases": {"install": install, "build": {"commands": [*folder, *plan.commands, _REPORT]}},
    }
    return yaml.safe_dump(document, sort_keys=False, width=10_000, allow_unicode=True)


def variables(plan: CommandPlan, mark: str, callback: Callback | None) -> list[dict[str, str]]:
    """The overriding variables of the build."""
    values = {"RESOURCE_ARN": plan.resource_arn, MARK: mark}
    if callback is not None:
        values |= {
            "DEUTERON_ENDPOINT": callback.endpoint,
            "DEUTERON_REGION": callback.region,
            "DEUTERON_KEY_ID": callback.key_id,
            "DEUTERON_SECRET": callback.secret,
            "DEUTERON_TOKEN": callback.token,
        }
    return [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in values.items()]


def pack_inline(files: Mapping[str, bytes]) -> str:
    """The files as base64 of a tar.gz: the same text for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return base64.b64encode(gzip.compress(packed.getvalue(), mtime=0)).decode()


def pack_source(files: Mapping[str, bytes]) -> bytes:
    """The files as the zip archive that CodeBuild reads from S3."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
