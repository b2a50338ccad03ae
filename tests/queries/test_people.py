"""People, as pages list them."""

import pytest

from portal.actions import people as actions
from portal.queries import people
from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_keys_in_force_come_first():
    ada = rows.person("ada")
    revoked, _ = actions.create_access_key(by=ada, user=ada)
    actions.revoke_access_key(by=ada, key=revoked)
    kept, _ = actions.create_access_key(by=ada, user=ada)
    assert list(people.keys_of(ada)) == [kept, revoked]
