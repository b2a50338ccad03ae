"""The folder of the embedded stack."""

import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from portal.embedded import place as places
from portal.embedded.place import CannotStart, broker_socket, open_place, read_secrets


def test_two_supervisors_never_share_a_folder(tmp_path):
    first = open_place(tmp_path / "data")
    with pytest.raises(CannotStart, match=rf"in use by another make run \(process {os.getpid()}\)"):
        open_place(tmp_path / "data")
    os.close(first.lock)
    assert open_place(tmp_path / "data").root == tmp_path / "data"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot be written .*choose another"):
        open_place(tmp_path / "file" / "data")


def test_a_disk_that_is_nearly_full_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "LEAST_FREE", 2**70)
    with pytest.raises(CannotStart, match="is full"):
        open_place(tmp_path / "data")


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path):
    place = open_place(tmp_path)
    made = read_secrets(place)
    assert read_secrets(place) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(made["SECRET_KEY"]) > 50
    assert Fernet(made["ENCRYPTION_KEYS"]).decrypt(Fernet(made["ENCRYPTION_KEYS"]).encrypt(b"x")) == b"x"


def test_secrets_that_cannot_be_read_are_not_replaced(tmp_path):
    place = open_place(tmp_path)
    (tmp_path / "secrets.json").write_text("{}")
    with pytest.raises(CannotStart, match=r"secrets\.json cannot be read"):
        read_secrets(place)
    assert (tmp_path / "secrets.json").read_text() == "{}"


def test_the_brokers_socket_has_a_short_path_even_in_a_deep_folder(tmp_path):
    shallow, deep = Path("/d"), tmp_path / ("x" * 120)
    assert broker_socket(places.Place(shallow, 0)) == Path("/d/run/broker.sock")
    assert len(str(broker_socket(places.Place(deep, 0)))) <= places.LONGEST_SOCKET
