"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

Path(__file__).parents[1].joinpath(".artifacts").mkdir(exist_ok=True)  # the test database's directory
os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys

import pytest
from django.db import connection

from tests.aws import ROOT, aws, aws_account  # noqa: F401  fixtures for every test
from tests.checking_aws import checking_aws, open_aws  # noqa: F401
from tests.commands.running import without_sandbox
from tests.factories.pull_requests import acme, piped, self_managed  # noqa: F401
from tests.postgres import postgres  # noqa: F401


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs commands needs a sandbox. Where there can be none, its tests are skipped and say why.

    Journeys share one running product, so one process of several runs them all.
    """
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "journeys"):
            item.add_marker(pytest.mark.journey)
            item.add_marker(pytest.mark.xdist_group("journeys"))
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
