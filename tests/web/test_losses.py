"""The start page says which stacks disappeared, and deploys them again."""

import pytest
from django.utils import timezone

from portal.enums import Role
from portal.models import Deployment, Environment, ProvisionedResource
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost(simulated) -> Environment:
    home = rows.environment("home")
    ProvisionedResource.objects.create(
        deployment=home.deployed, name="stack", identifier="arn:gone", engine="CLOUDFORMATION",
        missing_since=timezone.now(),
    )  # fmt: skip
    return home


def test_a_platform_engineer_deploys_everything_again(client, lost):
    client.force_login(rows.person("ops", Role.PLATFORM))
    page = client.get("/").content.decode()
    assert "1 stack is gone" in page
    assert 'href="/environments/home/"' in page
    answer = client.post("/resources/redeploy/", follow=True).content.decode()
    assert "1 deployment started." in answer
    assert "is gone" not in answer
    assert Deployment.objects.filter(environment_name="home").count() == 2


def test_others_see_whom_to_ask(client, lost):
    client.force_login(rows.person("dev", Role.DEVELOPER))
    page = client.get("/").content.decode()
    assert "Deploy everything again: ask a platform engineer" in page
    assert "/resources/redeploy/" not in page
