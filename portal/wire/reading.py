"""Values of requests as actions want them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from portal.errors import Invalid, NotFound

TAG = re.compile(r"[\w .:/=+\-@*]*")  # letters and digits of any script
GREATEST = 2**63 - 1  # what a column of the database holds


def number(text: str) -> int:
    """A part of a version number. Raises NotFound for one that no version can have."""
    value = int(text)
    if value > GREATEST:
        raise NotFound(f"there is no version {text}")
    return value


def number_or_none(text: str | None) -> int | None:
    return None if text is None else number(text)


def require_own(key: str) -> None:
    """Raises Invalid for the key of a tag that only AWS Proton itself gives and takes."""
    if key.lower().startswith("aws:"):
        raise Invalid(f"The tag key {key} is reserved: keys cannot begin with aws:")


def tags(pairs: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """{key: value}. AWS Proton: keys are unique, those with the prefix ``aws:`` are reserved, and neither keys nor
    values hold other characters than ``TAG`` has. Raises Invalid."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        require_own(pair["key"])
        if pair["key"] in found:
            raise Invalid(f"The tag key {pair['key']} is given twice.")
        if not (TAG.fullmatch(pair["key"]) and TAG.fullmatch(pair["value"])):
            raise Invalid(
                f"The tag {pair['key']} has other characters than letters, digits, spaces and _ . : / = + - @ *"
            )
        found[pair["key"]] = pair["value"]
    return found


def compatible(pairs: Iterable[Mapping[str, str]]) -> list[tuple[str, int]]:
    """[(environment template, major version)] of compatibleEnvironmentTemplates or of a filter."""
    return [(pair["templateName"], number(pair["majorVersion"])) for pair in pairs]


def require_service(service_name: str | None, service_instance_name: str | None) -> None:
    """Raises Invalid for an instance without its service: names of instances are unique in a service only."""
    if service_instance_name is not None and service_name is None:
        raise Invalid("serviceInstanceName needs serviceName, too.")


def storable(members: Any) -> None:
    """Raises ValueError for half a surrogate pair and for NUL, which no database keeps."""
    if "\0" in json.dumps(members, ensure_ascii=False).encode().decode() or "\\u0000" in json.dumps(members):
        raise ValueError("NUL")
