"""Accounts, people, teams, access keys, pipeline roles and the audit log."""

import pytest

from portal.actions import audit
from portal.enums import Role
from portal.models import AccessKey, AccountSettings, AwsAccount, Team, User
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    person = rows.person("admin")
    client.force_login(person)
    return person


def sign_in_as(client, role):
    person = rows.person(role=role)
    client.force_login(person)
    return person


def test_an_admin_makes_a_person_who_can_sign_in(client, admin):
    team = rows.team("payments")
    data = {"username": "maria", "password": "a long word", "role": "developer", "teams": ["payments"]}
    assert client.post("/settings/people/new/", data)["Location"] == "/settings/people/"
    maria = User.objects.get(username="maria")
    assert (maria.role, list(maria.teams.all()), maria.check_password("a long word")) == ("developer", [team], True)


def test_a_weak_password_and_a_taken_name_are_said(client, admin):
    weak = client.post("/settings/people/new/", {"username": "maria", "password": "short", "role": "viewer"})
    assert (weak.status_code, list(weak.context["form"].errors)) == (422, ["password"])
    taken = client.post("/settings/people/new/", {"username": "admin", "password": "a long word", "role": "viewer"})
    assert (taken.status_code, "exists already" in taken.content.decode()) == (422, True)


def test_role_teams_and_access_are_changed(client, admin):
    maria = rows.person("maria", Role.VIEWER, [rows.team("payments")])
    rows.team("search")
    client.post("/settings/people/maria/", {"role": "platform", "teams": ["search"], "is_active": "on"})
    maria.refresh_from_db()
    assert (maria.role, [team.name for team in maria.teams.all()], maria.is_active) == ("platform", ["search"], True)
    client.post("/settings/people/maria/", {"role": "platform", "teams": []})
    maria.refresh_from_db()
    assert (maria.teams.count(), maria.is_active) == (0, False)


def test_the_last_admin_stays_admin(client, admin):
    response = client.post("/settings/people/admin/", {"role": "viewer", "is_active": "on"})
    assert response.status_code == 422
    admin.refresh_from_db()
    assert admin.role == "admin"


@pytest.mark.parametrize("count", [1, 3])
def test_lists_cost_the_same_for_any_length(client, admin, count, django_assert_num_queries):
    for _ in range(count):
        rows.person(role=Role.VIEWER, teams=[rows.team()])
        audit.record(by=admin, action="test", target="a/b")
    with django_assert_num_queries(4):
        assert len(client.get("/settings/people/").context["people"]) == count + 1
    with django_assert_num_queries(3):
        assert len(client.get("/settings/teams/").context["teams"]) == count
    with django_assert_num_queries(4):
        client.get("/settings/audit/")


@pytest.mark.parametrize("count", [1, 3])
def test_accounts_cost_the_same_for_any_length(client, admin, count, django_assert_num_queries):
    for number in range(count):
        AwsAccount.objects.create(account_id=f"21098765432{number}")
    with django_assert_num_queries(8):
        assert len(client.get("/accounts/").context["accounts"]) == count + 1


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/settings/people/new/", {"username": "x", "password": "a long word", "role": "admin"}),
        ("/settings/people/admin/", {"role": "viewer"}),
        ("/settings/teams/new/", {"name": "mine"}),
        ("/settings/teams/payments/", {"description": "mine"}),
        ("/settings/teams/payments/delete/", {}),
        ("/settings/roles/", {"pipeline_service_role_arn": ""}),
    ],
)
def test_only_admins_change_people_teams_and_settings(client, admin, path, data):
    rows.team("payments")
    sign_in_as(client, Role.PLATFORM)
    assert client.post(path, data).status_code == 403
    assert (User.objects.count(), Team.objects.count()) == (2, 1)


def test_everybody_reads_people_and_teams_and_is_told_whom_to_ask(client, admin):
    rows.team("payments")
    sign_in_as(client, Role.VIEWER)
    for path in ("people/", "people/admin/", "teams/"):
        text = client.get(f"/settings/{path}").content.decode()
        assert "sk an admin" in text
    assert client.get("/settings/teams/payments/").status_code == 200


def test_teams_are_made_changed_and_deleted(client, admin):
    assert client.post("/settings/teams/new/", {"name": "Not Good"}).status_code == 422
    client.post("/settings/teams/new/", {"name": "payments"})
    client.post("/settings/teams/payments/", {"description": "Cards"})
    assert Team.objects.get().description == "Cards"
    assert client.post("/settings/teams/payments/delete/")["Location"] == "/settings/teams/"
    assert Team.objects.count() == 0


def test_a_team_that_owns_something_is_not_deleted(client, admin, simulated):
    rows.environment("prod", by=admin, team=rows.team("payments"))
    assert client.post("/settings/teams/payments/delete/").status_code == 409


def test_the_secret_of_a_key_is_shown_once_and_never_kept_by_a_cache(client, admin):
    response = client.post("/settings/keys/new/")
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert secret not in client.get("/settings/keys/").content.decode()


def test_two_keys_at_most(client, admin):
    client.post("/settings/keys/new/")
    client.post("/settings/keys/new/")
    assert "revoke one first" in client.get("/settings/keys/").content.decode()
    assert client.post("/settings/keys/new/").status_code == 409
    assert AccessKey.objects.count() == 2


def test_platform_engineers_say_which_known_account_a_key_is_for(client, admin):
    AwsAccount.objects.create(account_id="210987654321", name="production")
    made = client.post("/settings/keys/new/", {"account_id": "210987654321"}).context["made"]
    assert (made.account_id, "production (210987654321)" in client.get("/settings/keys/").content.decode()) == (
        "210987654321",
        True,
    )
    unknown = client.post("/settings/keys/new/", {"account_id": "310987654321"})
    assert (unknown.status_code, list(unknown.context["form"].errors)) == (422, ["account_id"])
    sign_in_as(client, Role.DEVELOPER)
    made = client.post("/settings/keys/new/", {"account_id": "210987654321"}).context["made"]
    assert made.account_id == "123456789012"


def test_keys_are_revoked_by_their_owner_or_an_admin_and_unknown_to_others(client, admin):
    viewer = sign_in_as(client, Role.VIEWER)
    key = client.post("/settings/keys/new/").context["made"]
    sign_in_as(client, Role.PLATFORM)
    assert client.post(f"/settings/keys/{key.pk}/revoke/").status_code == 404
    client.force_login(admin)
    assert client.post(f"/settings/keys/{key.pk}/revoke/")["Location"] == f"/settings/people/{viewer.username}/"
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_accounts_are_named_by_platform_engineers(client, admin):
    sign_in_as(client, Role.PLATFORM)
    assert client.post("/accounts/", {"account_id": "12", "name": "x"}).status_code == 422
    client.post("/accounts/", {"account_id": "210987654321", "name": "production"})
    client.post("/accounts/210987654321/", {"name": "prod"})
    assert AwsAccount.objects.get().name == "prod"
    assert client.get("/accounts/999999999999/").status_code == 404
    sign_in_as(client, Role.DEVELOPER)
    assert client.post("/accounts/", {"account_id": "210987654322", "name": "mine"}).status_code == 403
    assert client.post("/accounts/210987654321/", {"name": "mine"}).status_code == 403


def test_accounts_say_what_runs_in_them(client, admin, simulated):
    rows.environment("prod", by=admin)
    (account,) = client.get("/accounts/").context["accounts"]
    assert (account.is_management, account.summary.total, account.templates[0][1]) == (True, 1, 1)


def test_pipeline_roles_are_checked_and_saved(client, admin):
    wrong = client.post("/settings/roles/", {"pipeline_service_role_arn": "role"})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (422, ["pipeline_service_role_arn"])
    client.post("/settings/roles/", {"pipeline_service_role_arn": "arn:aws:iam::123456789012:role/pipelines"})
    assert AccountSettings.get().pipeline_service_role_arn == "arn:aws:iam::123456789012:role/pipelines"


def test_the_audit_log_is_for_platform_engineers_and_is_filtered_by_target(client, admin):
    client.post("/settings/teams/new/", {"name": "payments"})
    client.post("/settings/teams/new/", {"name": "search"})
    events = client.get("/settings/audit/?target=team/payments").context["page_obj"]
    assert [(event.actor_name, event.action, event.target) for event in events] == [
        ("admin", "team.create", "team/payments")
    ]
    sign_in_as(client, Role.DEVELOPER)
    assert client.get("/settings/audit/").status_code == 403
