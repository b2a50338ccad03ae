"""Changing one's own password."""

import pytest
from django.test import Client

from portal.enums import Role
from portal.models import AuditEvent
from tests.factories import rows

pytestmark = pytest.mark.django_db
ADDRESS = "/settings/password/"


@pytest.fixture
def viewer(client):
    person = rows.person("viewer", Role.VIEWER)
    client.force_login(person)
    return person


def wrong(client, **typed):
    fields = {"old": "correct horse", "new": "battery staple", "again": "battery staple"} | typed
    answer = client.post(ADDRESS, fields)
    return answer.status_code, dict(answer.context["form"].errors)


def test_it_goes_on_here_and_ends_elsewhere(client, viewer):
    elsewhere = Client()
    elsewhere.force_login(viewer)
    answer = client.post(ADDRESS, {"old": "correct horse", "new": "battery staple", "again": "battery staple"})
    assert answer["Location"] == "/settings/"
    assert client.get("/").status_code == 200
    assert elsewhere.get("/")["Location"].startswith("/sign-in/")
    viewer.refresh_from_db()
    assert viewer.check_password("battery staple")
    assert AuditEvent.objects.filter(action="user.change_password").values_list("target", flat=True).get() == (
        "user/viewer"
    )


def test_what_is_wrong_is_said_beside_its_field(client, viewer):
    assert wrong(client, old="guess") == (422, {"old": ["This is not your password."]})
    assert wrong(client, again="other") == (422, {"again": ["The two new passwords differ."]})
    assert [*wrong(client, new="short", again="short")[1]] == ["new"]
    viewer.refresh_from_db()
    assert viewer.check_password("correct horse")
