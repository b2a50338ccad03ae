"""Secrets by reference: an input that names a secret of AWS Secrets Manager instead of holding its value.

A string property says so with ``x-deuteron-secret-reference: secretsmanager``. Whoever needs the value reads it by the
name when it is needed; nothing here ever does.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from provisioning.problems import pointer
from provisioning.schema_keywords import SECRET_REFERENCE
from provisioning.schema_model import Property

Found = Literal["there", "missing", "unknown"]
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
