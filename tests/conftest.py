"""What every test may ask for."""

import os
from pathlib import Path

Path(__file__).parents[1].joinpath(".artifacts").mkdir(exist_ok=True)  # the test database's directory
os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys

import pytest

from tests.aws import aws, aws_account  # noqa: F401  fixtures for every test
from tests.factories.pull_requests import acme, piped, self_managed  # noqa: F401
from tests.postgres import postgres  # noqa: F401


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
