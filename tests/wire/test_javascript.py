"""The official JavaScript SDK reads from a live server, with nothing but its environment changed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from portal.actions import people
from portal.enums import Role
from tests.factories import rows

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "wire" / "js"
installed = pytest.mark.skipif(not (HERE / "node_modules").exists(), reason="make test brings the JavaScript SDK")


def read(url: str, key_id: str, secret: str) -> dict[str, object]:
    """What read.js prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_ENDPOINT_URL_PROTON": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    command = [str(ROOT / "bin" / "npm"), "--prefix", str(HERE), "run", "--silent", "read"]
    done = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@installed
def test_the_javascript_sdk_reads_services_and_instances(live_server, simulated):
    viewer = rows.person(role=Role.VIEWER)
    key, secret = people.create_access_key(by=viewer, user=viewer)
    home = rows.environment("home")
    of = rows.version(rows.template("SERVICE"), compatible=[home.template])
    web = rows.service("web", of=of, spec=rows.service_spec("home", "dev", "two"), description="Größe – 😀")
    rows.service("shop", of=of, spec=rows.service_spec("home"))
    assert read(live_server.url, key.key_id, secret) == {
        "services": [["shop", True], ["web", True]],
        "instances": ["shop/dev", "web/dev", "web/two"],
        "description": "Größe – 😀",
        "created": round(round(web.created_at.timestamp(), 3) * 1000),
        "waited": "SUCCESS",
        "error": ["ResourceNotFoundException", "service unknown does not exist", 400],
    }
