"""What a person may set for `make run`, and the environments of the children that follow from it."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.place import BASE_DIR, CannotStart, Place

DEFAULT_PORT = 8000
DEFAULT_AWS_PORT = 4600
LOOPBACK = "127.0.0.1"
PASSED_TO_AWS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class RunSettings:
    port: int
    aws_port: int
    aws_upstream_port: int
    data_dir: Path
    account: str
    region: str

    @property
    def portal_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def aws_url(self) -> str:
        return f"http://{LOOPBACK}:{self.aws_port}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise CannotStart(f"{name}={text}: say a number from 1 to 65535")
    port = int(text)
    if port < 1024 and os.geteuid() != 0:
        raise CannotStart(f"{name}={text}: only root may listen below 1024; choose a higher number")
    return port


def read_settings(env: Mapping[str, str]) -> RunSettings:
    """PORT, AWS_PORT and DATA_DIR with their defaults. Raises CannotStart when a port is taken.

    Without AWS_PORT any free port is taken when the default one is in use, so that two copies can run side by side.
    """
    port = _port(env, "PORT", DEFAULT_PORT)
    if not is_free(port):
        raise CannotStart(
            f"port {port} is in use: stop what listens there, or choose another, for example PORT={port + 1} make run"
        )
    aws_port = _port(env, "AWS_PORT", DEFAULT_AWS_PORT)
    if aws_port == port or not is_free(aws_port):
        if env.get("AWS_PORT"):
            raise CannotStart(
                f"AWS_PORT {aws_port} is in use: stop what listens there, or choose another, "
                f"for example AWS_PORT={aws_port + 1} make run"
            )
        aws_port = any_free_port()
    return RunSettings(
        port=port,
        aws_port=aws_port,
        aws_upstream_port=any_free_port(),
        data_dir=Path(os.path.abspath(env.get("DATA_DIR") or BASE_DIR / ".data")),
        account=env.get("PORTAL_ACCOUNT_ID") or "123456789012",
        region=env.get("PORTAL_REGION") or "us-east-1",
    )


def portal_environment(
    env: Mapping[str, str], settings: RunSettings, place: Place, secrets: Mapping[str, str], broker: Path
) -> dict[str, str]:
    """For web, worker and commands: the person's own environment, but no other AWS, database or broker."""
    dropped = (
        *("AWS_", "DATABASE_URL", "BROKER_URL", "DEUTERON_", "DJANGO_", "PYTHONPATH", "GUNICORN_CMD_ARGS"),
        *("OIDC_", "LOCAL_SIGN_IN", "REQUIRE_TOTP_FOR"),  # demo people sign in with their names
    )
    kept = {name: value for name, value in env.items() if not name.startswith(dropped)}
    return kept | {
        "DEUTERON_EMBEDDED": "true",
        "DEUTERON_WORKER_READY": str(place.worker_ready),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATA_DIR": str(place.root),
        "PORT": str(settings.port),
        "PORTAL_ACCOUNT_ID": settings.account,
        "PORTAL_REGION": settings.region,
        "DATABASE_URL": f"sqlite:///{place.database}",
        "BROKER_URL": f"redis+socket://{broker}",
        **secrets,
        "AWS_ENDPOINT_URL": settings.aws_url,
        "TEMPLATE_BUCKET": "proton-templates-bucket",
        "AWS_ACCESS_KEY_ID": settings.account,  # the embedded AWS reads the account from a key of twelve digits
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
    }


def aws_environment(env: Mapping[str, str], settings: RunSettings, place: Place) -> dict[str, str]:
    """For the embedded AWS: nothing of the person's, so that it is the same everywhere. It starts no containers."""
    return {name: env[name] for name in PASSED_TO_AWS if name in env} | {
        "GATEWAY_PORT": str(settings.aws_port),  # the one in the addresses that it hands out: the adapter's
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_ACCOUNT_ID": settings.account,
        "MINISTACK_REGION": settings.region,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(place.aws / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(place.aws / "s3"),
        "TMPDIR": str(place.aws / "tmp"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": "unix:///nowhere",
        "PYTHONUNBUFFERED": "1",
    }
