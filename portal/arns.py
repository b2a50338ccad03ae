"""ARNs of AWS Proton's resources (partition aws). A leaf: imports nothing of ours."""

import re
from typing import NamedTuple

from django.conf import settings

_ARN = re.compile(r"arn:(?:aws|aws-cn|aws-us-gov):proton:([a-z0-9-]+):(\d{12}):(.+)", re.ASCII)
_NAME = r"([0-9A-Za-z][0-9A-Za-z_-]*)"
_SUFFIXES = {
    "template": re.compile(rf"(environment|service)-template/{_NAME}"),
    "template_version": re.compile(rf"(environment|service)-template/{_NAME}:(\d{{1,18}})\.(\d{{1,18}})"),
    "environment": re.compile(rf"environment/{_NAME}"),
    "service": re.compile(rf"service/{_NAME}"),
    "service_instance": re.compile(rf"service/{_NAME}/service-instance/{_NAME}"),
    "service_pipeline": re.compile(rf"service/{_NAME}/pipeline(?:/[0-9a-f-]+)?"),
    "component": re.compile(rf"component/{_NAME}"),
    "connection": re.compile(r"environment-account-connection/([0-9a-f-]{36})"),
    "repository": re.compile(r"repository/([a-z_]+):(.+)"),
    "deployment": re.compile(r"deployment/([0-9a-f-]{36})"),
}


class Parsed(NamedTuple):
    """What an ARN names: ``kind`` is a key of the table above, ``names`` are its parts in order."""

    kind: str
    account_id: str
    names: tuple[str, ...]


def parse(arn: str) -> Parsed | None:
    """None for what is no resource of AWS Proton in this region."""
    match = _ARN.fullmatch(arn)
    if match is None or match[1] != settings.PORTAL_REGION:
        return None
    for kind, suffix in _SUFFIXES.items():
        found = suffix.fullmatch(match[3])
        if found:
            return Parsed(kind, match[2], found.groups())
    return None


def _arn(suffix: str, account_id: str = "") -> str:
    return f"arn:aws:proton:{settings.PORTAL_REGION}:{account_id or settings.PORTAL_ACCOUNT_ID}:{suffix}"


def template(kind: str, name: str) -> str:
    return _arn(f"{kind.lower()}-template/{name}")


def template_version(kind: str, name: str, major: int, minor: int) -> str:
    return f"{template(kind, name)}:{major}.{minor}"


def environment(name: str) -> str:
    return _arn(f"environment/{name}")


def service(name: str) -> str:
    return _arn(f"service/{name}")


def service_instance(service_name: str, name: str) -> str:
    return f"{service(service_name)}/service-instance/{name}"


def service_pipeline(service_name: str) -> str:
    return f"{service(service_name)}/pipeline"


def component(name: str) -> str:
    return _arn(f"component/{name}")


def deployment(id: object) -> str:
    return _arn(f"deployment/{id}")


def environment_account_connection(account_id: str, id: object) -> str:
    """Of the environment account, which asked for it."""
    return _arn(f"environment-account-connection/{id}", account_id)


def repository(provider: str, name: str) -> str:
    return _arn(f"repository/{provider.lower()}:{name}")
