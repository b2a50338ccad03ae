"""The files below $DATA_DIR/aws that let the AWS CLI and every SDK speak to the portal and to the embedded AWS."""

import configparser
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PEOPLE = ("admin", "platform", "developer")


class AccessKeyPair(NamedTuple):
    key_id: str
    secret: str


def _write(path: Path, text: str) -> None:
    """Replace ``path`` in one step; only its owner may read it."""
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def write_credentials(path: Path, keys: Mapping[str, AccessKeyPair]) -> None:
    """An AWS credentials file with one profile for each name."""
    _write(
        path,
        "\n".join(
            f"[{name}]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}\n"
            for name, key in keys.items()
        ),
    )


def read_credentials(path: Path) -> dict[str, AccessKeyPair]:
    """What ``write_credentials`` wrote; {} where there is nothing to read."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
        return {
            name: AccessKeyPair(parser[name]["aws_access_key_id"], parser[name]["aws_secret_access_key"])
            for name in parser.sections()
        }
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return {}


def write_config(folder: Path, *, portal_url: str, aws_url: str, region: str) -> None:
    """``config`` and ``env`` beside the credentials. With them Proton's calls go to the portal, all others to the
    embedded AWS."""
    profiles = "".join(
        f"[profile {name}]\nregion = {region}\noutput = json\nendpoint_url = {aws_url}\nservices = deuteron\n\n"
        for name in PEOPLE
    )
    _write(folder / "config", f"{profiles}[services deuteron]\nproton =\n  endpoint_url = {portal_url}\n")
    lines = [
        "# Source this file: . " + shlex.quote(str(folder / "env")),
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        f"export AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(folder / 'credentials'))}",
        f"export AWS_CONFIG_FILE={shlex.quote(str(folder / 'config'))}",
        'export AWS_PROFILE="${AWS_PROFILE:-admin}"',
        f"export AWS_REGION={shlex.quote(region)}",
        f"export AWS_DEFAULT_REGION={shlex.quote(region)}",
        f"export AWS_ENDPOINT_URL={shlex.quote(aws_url)}",
        f"export AWS_ENDPOINT_URL_PROTON={shlex.quote(portal_url)}",
    ]
    _write(folder / "env", "\n".join(lines) + "\n")
