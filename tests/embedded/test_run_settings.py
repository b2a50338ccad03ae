"""PORT, AWS_PORT and DATA_DIR of make run."""

import socket

import pytest

from portal.embedded.place import CannotStart, Place
from portal.embedded.settings import aws_environment, portal_environment, read_settings


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return port


def test_a_port_that_is_taken_is_one_sentence_with_a_way_out(taken):
    with pytest.raises(CannotStart, match=rf"port {taken} is in use: .*PORT={taken + 1} make run"):
        read_settings({"PORT": str(taken)})


def test_an_aws_port_that_was_asked_for_and_is_taken_is_one_sentence(taken, free):
    with pytest.raises(CannotStart, match=rf"AWS_PORT {taken} is in use"):
        read_settings({"PORT": str(free), "AWS_PORT": str(taken)})


def test_without_aws_port_the_embedded_aws_gives_way_to_the_portal(free):
    settings = read_settings({"PORT": "4600"}) if free == 4600 else read_settings({"PORT": str(free)})
    assert len({settings.port, settings.aws_port, settings.aws_upstream_port}) == 3


@pytest.mark.parametrize("text", ["0", "65536", "abc", "-1", "٨٠٠٠", "80.0"])
def test_a_port_that_is_none_is_one_sentence(text):
    with pytest.raises(CannotStart, match="say a number from 1 to 65535"):
        read_settings({"PORT": text})


def test_children_know_nothing_of_the_persons_own_aws_database_or_broker(tmp_path, free):
    person = {
        "PATH": "/bin",
        "HOME": "/nowhere",
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "real",
        "DATABASE_URL": "postgres://real",
        "BROKER_URL": "redis://real",
        "SERVICES": "s3",
        "PORT": str(free),
        "GITHUB_TOKEN": "kept",
    }
    settings, place = read_settings(person), Place(tmp_path, 0)
    secrets = {"SECRET_KEY": "s", "ENCRYPTION_KEYS": "k"}
    portal = portal_environment(person, settings, place, secrets, tmp_path / "b.sock")
    assert {name: value for name, value in portal.items() if "real" in value or value == "work"} == {}
    assert portal["GITHUB_TOKEN"] == "kept"
    assert portal["BROKER_URL"] == f"redis+socket://{tmp_path}/b.sock"
    assert portal["AWS_ENDPOINT_URL"] == settings.aws_url
    aws = aws_environment(person, settings, place)
    assert {name for name in aws if name in person} == {"PATH", "HOME"}
    assert aws["MINISTACK_ACCOUNT_ID"] == portal["AWS_ACCESS_KEY_ID"] == "123456789012"
