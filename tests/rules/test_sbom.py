"""The bill of materials: what the lock file names, as CycloneDX, the same for the same lock."""

import json
import re
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]


def written() -> str:
    return subprocess.run([sys.executable, ROOT / "bin" / "sbom"], capture_output=True, text=True, check=True).stdout


def test_it_names_every_locked_package_once_and_nothing_else():
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    components = json.loads(written())["components"]
    assert [(one["name"], one["version"]) for one in components] == pins
    assert sum(len(one["hashes"]) for one in components) == lock.count("--hash=sha256:")


def test_it_is_valid_and_the_same_each_time():
    text = written()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert written() == text
