"""Secrets by reference: an input that names a secret of AWS Secrets Manager instead of holding its value.

A string property says so with ``x-deuteron-secret-reference: secretsmanager``. Whoever needs the value reads it by the
name when it is needed; nothing here ever does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from provisioning.problems import pointer
from provisioning.schema_keywords import SECRET_REFERENCE
from provisioning.schema_model import Property

Found = Literal["there", "missing", "unknown"]
Trouble = Literal["", "denied", "unknown"]
MOST_NAMES = 50
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{0,512}", re.ASCII)
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_MISSING = ("ResourceNotFoundException", "InvalidRequestException", "ValidationException")


def is_reference(prop: Property) -> bool:
    return SECRET_REFERENCE in prop.raw


def references(properties: Iterable[Property], values: Any, path: str) -> Iterator[tuple[str, str]]:
    """(pointer, name) of every secret that these values name; ``path`` is where the values are."""
    for prop in properties:
        value = values.get(prop.name) if isinstance(values, Mapping) else None
        yield from _below(prop, value, path + pointer(prop.name))


def _below(prop: Property, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if is_reference(prop):
        if isinstance(value, str) and value:
            yield path, value
    elif isinstance(value, list) and prop.items is not None:
        for index, one in enumerate(value):
            yield from _below(prop.items, one, f"{path}/{index}")
    else:
        yield from references(prop.properties, value, path)


def look(client: Any, name: str) -> Found:
    """Whether a client of Secrets Manager finds a secret, by name or ARN. One that is being deleted is missing.

    Asks for its description: the value does not travel.
    """
    try:
        described = client.describe_secret(SecretId=name)
    except ClientError as error:
        return "missing" if error.response["Error"].get("Code") in _MISSING else "unknown"
    except BotoCoreError:
        return "unknown"
    return "missing" if described.get("DeletedDate") else "there"


@dataclass(frozen=True)
class Names:
    """Names of secrets, at most MOST_NAMES of them; ``more``: there are others. ``trouble`` is why there are none."""

    names: tuple[str, ...] = ()
    more: bool = False
    trouble: Trouble = ""


def names(client: Any, beginning: str) -> Names:
    """What secrets are called whose names begin so. No value and no description travels further than this.

    What cannot be the beginning of a name is not asked for.
    """
    if not _NAME.fullmatch(beginning):
        return Names()
    wanted = {"Filters": [{"Key": "name", "Values": [beginning]}]} if beginning else {}
    try:
        answer = client.list_secrets(MaxResults=MOST_NAMES, **wanted)
    except ClientError as error:
        return Names(trouble="denied" if error.response["Error"].get("Code") in _DENIED else "unknown")
    except BotoCoreError:
        return Names(trouble="unknown")
    found = sorted(entry["Name"] for entry in answer["SecretList"] if entry["Name"].startswith(beginning))
    return Names(tuple(found[:MOST_NAMES]), bool(answer.get("NextToken")) or len(found) > MOST_NAMES)
