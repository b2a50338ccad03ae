"""People and keys: what an old page cannot undo, and how many keys there are."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.actions import people
from portal.enums import Role
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import AccessKey, AuditEvent, User
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


def test_keys_for_another_account_are_made_by_platform_engineers():
    pat, dev = rows.person("pat", Role.PLATFORM), rows.person("dev", Role.DEVELOPER)
    assert people.create_access_key(by=pat, user=pat, account_id="210987654321")[0].account_id == "210987654321"
    assert people.create_access_key(by=dev, user=dev)[0].account_id == "123456789012"
    with pytest.raises(Forbidden, match="Ask one"):
        people.create_access_key(by=dev, user=dev, account_id="210987654321")
    with pytest.raises(Invalid, match="12 digits"):
        people.create_access_key(by=pat, user=pat, account_id="21")


def test_keys_are_made_and_revoked_on_the_command_line():
    rows.person("ada", Role.VIEWER)
    rows.person("gone", is_active=False)
    said = StringIO()
    call_command("create_access_key", "ada", account="210987654321", stdout=said)
    key = AccessKey.objects.get()
    assert (key.account_id, f"aws_access_key_id = {key.key_id}" in said.getvalue()) == ("210987654321", True)
    assert key.secret not in said.getvalue()
    for name in ("gone", "nobody"):
        with pytest.raises(CommandError, match="does not exist or is shut out"):
            call_command("create_access_key", name)
    call_command("revoke_access_key", key.key_id, stdout=StringIO())
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert list(AuditEvent.objects.order_by("id").values_list("actor_name", "action")) == [
        ("system", "access_key.create"),
        ("system", "access_key.revoke"),
    ]
    with pytest.raises(CommandError, match="There is no access key"):
        call_command("revoke_access_key", "AKIAX")
