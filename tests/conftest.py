"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Path(__file__).parents[1].joinpath(".artifacts").mkdir(exist_ok=True)  # the test database's directory
os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys

import pytest
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from tests.aws import aws, aws_account  # noqa: F401  fixtures for every test
from tests.checking_aws import checking_aws, open_aws  # noqa: F401
from tests.commands.running import without_sandbox
from tests.factories.pull_requests import acme, piped, self_managed  # noqa: F401
from tests.postgres import postgres  # noqa: F401


class _Schedule(LoadScopeScheduling):
    """Journeys share one running product, so one process of several runs them all, first. Others run where they may."""

    def _split_scope(self, nodeid: str) -> str:
        return "journeys" if nodeid.startswith("tests/journeys/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Schedule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs commands needs a sandbox. Where there can be none, its tests are skipped and say why."""
    waiting = [item for item in items if item.get_closest_marker("bubblewrap")]
    reason = without_sandbox() if waiting else ""
    for item in waiting if reason else []:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """A test server's thread may still hold a connection when all is over; PostgreSQL drops no database in use."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def simulated(settings):
    """Deployments run on the in-memory engine and succeed at once. The test may change the wishes."""
    settings.SIMULATION = {"seconds": 0, "outputs": {"QueueUrl": "https://queue"}}
    return settings.SIMULATION


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Hashing that is slow on purpose would be most of the suite's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def local_forge(settings, tmp_path):
    """Repositories of provider GITHUB are on this machine, as in `make run`."""
    from tests.factories import forges

    with forges.local(settings, tmp_path) as forge:
        yield forge
