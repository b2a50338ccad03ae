"""What engines call the things that they make."""

import hashlib
import re
import uuid

_BRANCHES = uuid.UUID("6f2a7c1e-3b54-5d0a-9a43-0c6b8f1d2e75")  # a name space of our own, for ever
WORKFLOW_BRANCH = "deuteron/workflow/"  # followed by <service>/<version>-<deployment>
PREFIX = "AWSProton-"  # AWS Proton: customers' IAM policies allow stack/AWSProton-*


def stack_name(resource_name: str, kind: str, resource_id: str) -> str:
    """``AWSProton-<name, 15 characters>-<kind>-<hash>``, the shape of AWS Proton's own stack names.

    ``kind`` is what follows the name in Proton's pattern: "cloudformation". The hash (15 capitals and digits) is of
    ``resource_id``, which must be unique for ever: an ARN is not, the id of a row is. The same arguments give the same
    name; the result has at most 128 characters, of letters, digits and hyphens only, as CloudFormation asks.
    """
    digest = hashlib.sha256(resource_id.encode()).digest()
    return f"{PREFIX}{_plain(resource_name, 15) or 'x'}-{_plain(kind, 40) or 'x'}-{_letters(digest, 15)}"


def change_set_name(deployment: str) -> str:
    """The one change set of a deployment."""
    return f"deuteron-{deployment}"


def pull_request_branch(kind: str, deployment: str) -> str:
    """``proton--proton-<kind>-<uuid>``, AWS Proton's name; the uuid derives from the deployment's and is not its own.

    ``kind`` is environment, service_instance, pipeline or component.
    """
    return f"proton--proton-{kind}-{uuid.uuid5(_BRANCHES, deployment)}"


def _plain(text: str, length: int) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:length].rstrip("-")


def _letters(digest: bytes, length: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)
