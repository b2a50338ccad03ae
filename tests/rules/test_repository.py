"""What holds for the files of the repository as such."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = {".png", ".ico", ".woff2", ".gz", ".zip", ".jpg"}
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))
# Hosts that the product speaks of: its own machine, reserved examples, AWS, and standards that name a document.
HOSTS = re.compile(
    r"(127\.0\.0\.1|\[::1\]|[\w-]+"
    r"|([\w*{}$-]+\.)*(example\.(com|org|net)|example|test|invalid|amazonaws\.com|amazonaws\.com\.cn|aws\.amazon\.com)"
    r"|(www\.)?(w3\.org|apache\.org|json-schema\.org|semver\.org)|github\.com|api\.github\.com)"
)
URL = re.compile(r"https?://([^\s/\"'`<>)\\:,]+)")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home/[a-z]+|Users/[A-Za-z]+|opt/pypi|work/(?:main|shared))\b")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts(*, locks: bool = False) -> Iterator[tuple[str, str]]:
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in BINARY and (locks or not name.endswith((".lock", "package-lock.json"))):
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_path_of_somebodys_machine():
    found = [
        f"{name}: {match.group()}"
        for name, text in texts(locks=True)
        for match in MACHINE_PATH.finditer(text)
        if name != "tests/rules/test_repository.py"
    ]
    assert found == []


def test_addresses_lead_to_this_machine_or_to_aws_or_to_examples():
    found = {
        f"{name}: {host}"
        for name, text in texts()
        for host in URL.findall(text)
        if not HOSTS.fullmatch(host) and "{" not in host and "$" not in host
    }
    assert found == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_pins_every_package_by_hash_and_names_no_registry(name):
    lines = (ROOT / name).read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert [line for line in pins if not re.match(r"[a-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+ .*\\$", line)] == []
    assert [line for line in lines if "://" in line] == []
    assert "\n".join(lines).count("--hash=sha256:") >= len(pins)


@pytest.mark.parametrize("folder", ["static", "tests/github", "tests/wire/js"])
def test_the_javascript_lock_file_pins_by_integrity_and_names_no_registry(folder):
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert {name for name, package in packages.items() if name and "integrity" not in package} == set()
    assert {name for name, package in packages.items() if "resolved" in package} == set()


def test_every_setting_is_explained_in_the_example_file():
    settings = (ROOT / "portal" / "settings.py").read_text()
    read = set(re.findall(r"(?:env_flag|env_number|env_list|environ\.get)\(\s*\"([A-Z_]+)\"", settings))
    explained = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name for name in read if not name.startswith("DEUTERON_")} - explained == set()


def test_every_link_of_the_documentation_leads_somewhere():
    broken = [
        f"{name}: {target}"
        for name, text in texts()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_the_files_that_the_architecture_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:portal|provisioning|static|tests|templates)/[\w./-]+)`", text))
    assert {name for name in named if not (ROOT / name).exists() and name != "static/vendor/"} == set()
    assert named != set()


def test_choices_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_commands_that_the_readme_names_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", (ROOT / "README.md").read_text())) <= targets


def test_scripts_can_be_run():
    scripts = [*sorted((ROOT / "bin").iterdir()), ROOT / ".ci" / "run"]
    assert [path.name for path in scripts if path.is_file() and not path.stat().st_mode & 0o100] == []


def test_pages_hold_no_inline_script_or_style_since_the_content_policy_forbids_them():
    inline = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|\sstyle=|\son(?:click|change|submit|load|input)=")
    found = [
        f"{name}: {match.group().strip()}"
        for name, text in texts()
        if name.startswith("templates/") and name.endswith(".html")
        for match in inline.finditer(text)
    ]
    assert found == []
