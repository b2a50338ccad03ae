"""The AWS profiles that make run writes."""

import subprocess

import botocore.session

from portal.embedded.profiles import AccessKeyPair, read_credentials, write_config, write_credentials

KEYS = {
    "admin": AccessKeyPair("AKIAAAAAAAAAAAAAAAAA", "sec%ret/1="),
    "platform": AccessKeyPair("AKIABBBBBBBBBBBBBBBB", "-secret_2"),
    "developer": AccessKeyPair("AKIACCCCCCCCCCCCCCCC", "secret3"),
}


def written(folder):
    write_credentials(folder / "credentials", KEYS)
    write_config(folder, portal_url="http://127.0.0.1:8000", aws_url="http://127.0.0.1:4600", region="eu-central-1")


def test_credentials_are_read_back_and_private(tmp_path):
    written(tmp_path)
    assert read_credentials(tmp_path / "credentials") == KEYS
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert read_credentials(tmp_path / "missing") == {}


def test_an_sdk_finds_keys_region_and_both_endpoints_in_a_profile(tmp_path, monkeypatch):
    written(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    session = botocore.session.Session(profile="platform")
    found = {name: session.create_client(name).meta.endpoint_url for name in ("proton", "cloudformation")}
    assert found == {"proton": "http://127.0.0.1:8000", "cloudformation": "http://127.0.0.1:4600"}
    credentials = session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == KEYS["platform"]
    assert session.get_config_variable("region") == "eu-central-1"


def test_a_shell_that_sources_env_speaks_to_the_portal_and_the_embedded_aws(tmp_path):
    folder = tmp_path / "with a space"
    folder.mkdir()
    written(folder)
    shown = subprocess.run(
        ["sh", "-c", '. "$0/env" && env | grep ^AWS_ | sort', str(folder)],
        env={"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "old", "AWS_SESSION_TOKEN": "old"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.splitlines() == [
        f"AWS_CONFIG_FILE={folder}/config",
        "AWS_DEFAULT_REGION=eu-central-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:4600",
        "AWS_ENDPOINT_URL_PROTON=http://127.0.0.1:8000",
        "AWS_PROFILE=admin",
        "AWS_REGION=eu-central-1",
        f"AWS_SHARED_CREDENTIALS_FILE={folder}/credentials",
    ]
