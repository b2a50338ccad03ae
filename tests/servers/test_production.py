"""What a server refuses to start with, each with a sentence."""

import os
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from portal import production
from tests.aws import ROOT

SECRET = "Zq3vN8rT1yLw6XkB0dHs9JmFc4PgUe7AoIi2VbQx5CnRtKlMzE"  # 50 characters
KEY = Fernet.generate_key().decode()
GOOD = {
    "secret_key": SECRET,
    "encryption_keys": [KEY],
    "debug": False,
    "simulation": False,
    "database_engine": "django.db.backends.postgresql",
    "web_workers": 4,
}
SQLITE = "django.db.backends.sqlite3"


def test_a_server_as_it_should_be_starts():
    assert production.refusals(**GOOD) == []
    assert production.refusals(**{**GOOD, "database_engine": SQLITE, "web_workers": 1}) == []


@pytest.mark.parametrize(
    ("wrong", "begins"),
    [
        ({"secret_key": SECRET[:49]}, "SECRET_KEY is short or well known"),
        ({"secret_key": "ab" * 40}, "SECRET_KEY is short or well known"),
        ({"secret_key": "change-me-" + SECRET}, "SECRET_KEY is short or well known"),
        ({"secret_key": "django-insecure-" + SECRET}, "SECRET_KEY is short or well known"),
        ({"encryption_keys": [KEY, "x" * 43 + "="]}, "ENCRYPTION_KEYS holds a well-known key"),
        ({"debug": True}, "DEBUG is on"),
        ({"simulation": True}, "SIMULATION is set"),
        ({"database_engine": SQLITE, "web_workers": 2}, "SQLite is for one web process and 2 are asked for"),
    ],
)
def test_each_mistake_is_refused_with_one_sentence(wrong, begins):
    (sentence,) = production.refusals(**{**GOOD, **wrong})
    assert sentence.startswith(begins)
    assert sentence.count(". ") == 0


@pytest.mark.parametrize(
    ("argv", "env", "count"),
    [
        (["/app/bin/gunicorn", "portal.wsgi"], {}, 1),
        (["/app/bin/gunicorn", "--workers", "3", "portal.wsgi"], {"WEB_CONCURRENCY": "9"}, 3),
        (["/lib/gunicorn/__main__.py", "-w4"], {}, 4),
        (["gunicorn", "portal.wsgi"], {"GUNICORN_CMD_ARGS": "--workers=5"}, 5),
        (["gunicorn", "portal.wsgi"], {"WEB_CONCURRENCY": "2"}, 2),
        (["gunicorn", "--workers", "many"], {}, 1),
        (["celery", "worker"], {"WEB_CONCURRENCY": "2"}, 1),
    ],
)
def test_web_processes_are_counted_as_gunicorn_counts_them(argv, env, count):
    assert production.web_workers(argv, env) == count


def start(*command: str, **env: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": SECRET, "ENCRYPTION_KEYS": KEY, **env}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("command", "env", "ending"),
    [
        (("manage.py", "check"), {"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        (("manage.py", "check"), {"SECRET_KEY": "short"}, "SECRET_KEY is short or well known"),
        (("manage.py", "check"), {"DEBUG": "true"}, "DEBUG is on"),
        (("-m", "gunicorn", "portal.wsgi", "--bind=127.0.0.1:0"), {"WEB_CONCURRENCY": "2"}, "SQLite is for one web"),
        (("-m", "celery", "-A", "portal", "worker", "--pool=threads"), {"SIMULATION": "{}"}, "SIMULATION is set"),
    ],
)
def test_each_program_ends_at_once_and_says_why(command, env, ending, tmp_path):
    done = start(*command, **{"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}", **env})
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if ending in line] != []


def test_a_second_worker_on_a_file_is_refused(tmp_path):
    database = {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3")}
    held = production.only_worker(database)
    with pytest.raises(SystemExit, match="SQLite is for one worker, and another one is running"):
        production.only_worker(database)
    os.close(held)
    os.close(production.only_worker(database))


def test_a_second_worker_process_on_a_file_ends_and_says_why(tmp_path):
    path = tmp_path / "db.sqlite3"
    held = production.only_worker({"ENGINE": SQLITE, "NAME": str(path)})
    done = start("-m", "celery", "-A", "portal", "worker", "--pool=threads", DATABASE_URL=f"sqlite:///{path}")
    os.close(held)
    assert done.returncode != 0
    assert "SQLite is for one worker" in done.stderr


def test_a_database_server_has_room_for_many_workers():
    assert production.only_worker({"ENGINE": "django.db.backends.postgresql", "NAME": "deuteron"}) is None
