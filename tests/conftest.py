"""What every test may ask for."""

import os
from pathlib import Path
from typing import Any

Path(__file__).parents[1].joinpath(".artifacts").mkdir(exist_ok=True)  # the test database's directory
os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys

import pytest
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from tests import migrated
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
def django_db_keepdb() -> bool:
    return True  # its tables are there already


@pytest.fixture(scope="session")
def migrated_database(django_test_environment, django_db_modify_db_settings, django_db_blocker) -> None:
    with django_db_blocker.unblock():
        migrated.prepare(connection.creation._get_test_db_name())


@pytest.fixture(scope="session")
def django_db_setup(migrated_database, django_db_setup) -> None:
    """Django finds the tables there and makes none."""


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
