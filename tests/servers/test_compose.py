"""The image and the compose file, as far as they can be judged without a container engine."""

import re
import shutil
import subprocess

import pytest

from tests.aws import ROOT
from tests.servers import compose

ENV = {"SECRET_KEY": "s", "ENCRYPTION_KEYS": "k", "POSTGRES_PASSWORD": "p"}
NOT_FOR_SERVERS = {"DATA_DIR", "DEBUG", "SIMULATION"}  # files of SQLite; refused in production


def client() -> list[str] | None:
    """The compose client of this machine, if it has one."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            found = subprocess.run([*command, "version"], capture_output=True, check=False, timeout=30)
            if found.returncode == 0:
                return command
    return None


def test_the_compose_client_reads_the_file(tmp_path):
    command = client()
    if command is None:
        pytest.skip("neither docker compose nor docker-compose is installed")
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in ENV.items()))
    done = subprocess.run(
        [*command, "--project-directory", str(tmp_path), "--file", str(ROOT / "docker-compose.yml"), "config"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_the_services_are_those_that_the_documentation_names():
    assert set(compose.document()["services"]) == {"web", "worker", "scheduler", "migrate", "postgres", "valkey"}


@pytest.mark.parametrize("name", sorted(ENV))
def test_nothing_starts_without_the_secrets(name):
    with pytest.raises(compose.Missing, match=f"{name}: put a"):
        compose.services({**ENV, name: ""})


def test_every_setting_of_a_server_reaches_the_containers():
    settings = (ROOT / "portal" / "settings.py").read_text()
    read = set(re.findall(r"(?:env_flag|env_number|env_list|environ\.get)\(\s*\"([A-Z_]+)\"", settings))
    wanted = {name for name in read if not name.startswith("DEUTERON_")} - NOT_FOR_SERVERS
    passed = compose.services({**ENV, **dict.fromkeys(wanted - set(ENV), "1")})
    assert {name: wanted - set(passed[name].environment) for name in ("web", "worker", "scheduler", "migrate")} == {
        "web": set(),
        "worker": set(),
        "scheduler": set(),
        "migrate": set(),
    }


def test_a_setting_without_a_value_stays_out():
    assert "METRICS_TOKEN" not in compose.services(ENV)["web"].environment


def test_everything_that_serves_waits_for_the_migrations():
    found = compose.document()["services"]
    after = {name: service.get("depends_on", {}).get("migrate") for name, service in found.items()}
    condition = {"condition": "service_completed_successfully"}
    assert {name for name, waits in after.items() if waits == condition} == {"web", "worker", "scheduler"}


def test_the_image_runs_as_nobody_important_and_holds_no_secret():
    stage = compose.last_stage()
    users = [words[1] for words in stage if words[0] == "USER"]
    assert users == ["10001"]
    variables = " ".join(" ".join(words) for words in compose.instructions() if words[0] in {"ENV", "ARG"})
    assert re.findall(r"\w*(?:SECRET|PASSWORD|TOKEN|_KEYS?)\w*", variables) == []


def test_node_and_uv_stay_behind_in_the_build_stages():
    last = [" ".join(words) for words in compose.last_stage()]
    assert [line for line in last if re.search(r"node|npm|/opt/uv|pip", line)] == []


def test_what_is_copied_exists_and_is_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    copied = {
        path
        for words in compose.instructions()
        if words[0] == "COPY" and not words[1].startswith("--from")
        for path in words[1:-1]
    }
    assert {path for path in copied if not (ROOT / path).exists()} == set()
    assert {path for path in copied if not any(f"{name}/".startswith(f"{path}/") for name in kept)} == set()
    assert ignored[1] == "*"


def test_static_files_of_ours_all_reach_the_builder():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!static/")}
    listed = subprocess.run(["git", "ls-files", "static"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {name for name in listed.split() if not any(f"{name}/".startswith(f"{path}/") for path in kept)} == set()
