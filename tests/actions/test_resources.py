"""What disappeared from an account is deployed again, once."""

import pytest
from django.utils import timezone

from portal.actions import resources
from portal.models import Deployment, Environment, ProvisionedResource
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost(simulated) -> None:
    """Two environments; both stacks of the first and the one of the second are gone."""
    for name in ("one", "two"):
        environment = rows.environment(name)
        assert environment.deployed is not None
    first = Environment.objects.get(name="one").deployed
    ProvisionedResource.objects.create(deployment=first, name="more", identifier="more", engine="CLOUDFORMATION")
    ProvisionedResource.objects.update(missing_since=timezone.now())


def test_each_thing_that_lost_something_is_named_once(lost):
    assert [row.name for row in resources.missing()] == ["one", "two"]


def test_everything_that_is_missing_is_deployed_again_whatever_is_under_way(lost):
    busy = Environment.objects.get(name="one")
    Deployment.objects.create(
        target_arn=busy.arn,
        target_type="ENVIRONMENT",
        target_created_at=busy.created_at,
        kind="update",
        status="IN_PROGRESS",
        template_major=1,
        template_minor=0,
    )
    assert resources.redeploy_missing(by=rows.person()) == 1
    assert Environment.objects.get(name="two").is_busy
