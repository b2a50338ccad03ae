"""What every test may ask for."""

import os

os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys

import pytest  # noqa: E402


@pytest.fixture
def simulated(settings):
    """Deployments run on the in-memory engine and succeed at once. The test may change the wishes."""
    settings.SIMULATION = {"seconds": 0, "outputs": {"QueueUrl": "https://queue"}}
    return settings.SIMULATION
