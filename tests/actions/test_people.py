"""People and keys: what an old page cannot undo, and how many keys there are."""

import pytest

from portal.actions import people
from portal.enums import Role
from portal.errors import Conflict
from portal.models import AuditEvent, User
from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_a_change_of_role_does_not_undo_a_deactivation_that_the_page_did_not_know(simulated):
    admin, ada = rows.person(), rows.person("ada", Role.VIEWER)
    page = User.objects.get(pk=ada.pk)
    people.update_user(by=admin, user=ada, is_active=False)
    changed = people.update_user(by=admin, user=page, role=Role.DEVELOPER)
    assert (changed.role, changed.is_active) == (Role.DEVELOPER, False)


def test_somebody_stays_admin():
    only = rows.person("only")
    rows.person("former", is_active=False)
    with pytest.raises(Conflict, match="Somebody must stay admin"):
        people.update_user(by=only, user=only, role=Role.PLATFORM)


def test_a_person_has_two_keys_so_that_they_can_be_changed():
    ada = rows.person("ada", Role.VIEWER)
    first, _ = people.create_access_key(by=ada, user=ada)
    people.create_access_key(by=ada, user=ada)
    with pytest.raises(Conflict, match="has 2 access keys: revoke one first"):
        people.create_access_key(by=ada, user=ada)
    people.revoke_access_key(by=ada, key=first)
    assert people.create_access_key(by=ada, user=ada)[0].user == ada


def test_revoking_a_key_twice_is_one_change():
    ada = rows.person("ada", Role.VIEWER)
    key, _ = people.create_access_key(by=ada, user=ada)
    when = {people.revoke_access_key(by=ada, key=key).revoked_at for _ in range(2)}
    assert (len(when), AuditEvent.objects.filter(action="access_key.revoke").count()) == (1, 1)
