"""The pages of account connections."""

import json
import re
from html import unescape

import pytest

from portal.enums import Role
from portal.models import Component, Environment, EnvironmentAccountConnection
from tests.factories import rows

pytestmark = pytest.mark.django_db

LIST = "/accounts/connections/"
OTHER, ROLE = rows.OTHER_ACCOUNT, rows.OTHER_ROLE


@pytest.fixture
def platform(client):
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


def address(connection, verb: str = "") -> str:
    return f"{LIST}{connection.pk}/{verb}"


def text(answer) -> str:
    return unescape(answer.content.decode())


def policy(page: str, id: str) -> dict:
    [code] = re.findall(rf'<code id="{id}">(.*?)</code>', page, re.DOTALL)
    return json.loads(unescape(re.sub(r"<[^>]+>", "", code)))


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, platform, count, django_assert_num_queries):
    for _ in range(count):
        rows.connection()
    client.get(LIST)
    with django_assert_num_queries(6):
        assert len(client.get(LIST).context["connections"]) == count


@pytest.mark.parametrize("count", [1, 3])
def test_a_page_costs_the_same_for_any_number_of_templates(client, platform, count, django_assert_num_queries):
    for _ in range(count):
        rows.version(rows.template())
    made = rows.connection()
    with django_assert_num_queries(7):
        client.get(address(made))


def test_both_directions_and_statuses_are_listed(client, platform):
    rows.connection("prod")
    rows.connection("dev", status="PENDING")
    rows.connection("test", account_id="333333333333", status="REJECTED")

    def names(query: str = "") -> list[str]:
        return [row.environment_name for row in client.get(f"{LIST}{query}").context["connections"]]

    assert names() == ["dev", "prod", "test"]
    assert names("?state=PENDING") == ["dev"]
    assert names(f"?who={OTHER}") == ["dev", "prod"]
    assert names("?who=333333333333&state=REJECTED") == ["test"]
    assert names("?q=role/deuteron+prod") == ["prod"]


def test_the_empty_list_says_what_to_do_next(client, platform):
    assert "No account is connected yet" in text(client.get(LIST))
    assert "No connection matches" in text(client.get(f"{LIST}?state=REJECTED"))


def test_a_request_leads_to_the_page_with_the_trust_policy(client, platform):
    data = {"environment_account_id": OTHER, "environment_name": "prod", "role_arn": ROLE}
    answer = client.post(f"{LIST}new/", data)
    made = EnvironmentAccountConnection.objects.get()
    assert answer["Location"] == address(made)
    trust = policy(client.get(address(made)).content.decode(), "trust")
    assert trust["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": made.external_id}}
    assert trust["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


def test_the_policies_name_the_portals_own_identity_where_it_is_set(client, platform, settings):
    settings.PORTAL_PRINCIPAL_ARN = "arn:aws:iam::123456789012:role/portal"
    trust = policy(client.get(address(rows.connection())).content.decode(), "trust")
    assert trust["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:role/portal"}


def test_the_permissions_are_for_the_services_that_published_templates_use(client, platform):
    rows.version(rows.template())
    page = client.get(address(rows.connection())).content.decode()
    found = {one["Sid"]: one["Action"] for one in policy(page, "permissions")["Statement"]}
    assert found["ResourcesOfTemplates"] == ["sqs:*"]


def test_what_is_wrong_with_a_request_stands_at_its_field_and_nothing_typed_is_lost(client, platform):
    data = {"environment_account_id": "123456789012", "environment_name": "prod", "role_arn": "admin"}
    answer = client.post(f"{LIST}new/", data)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["environment_account_id"])
    answer = client.post(f"{LIST}new/", {**data, "environment_account_id": OTHER})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["role_arn"])
    assert 'value="admin"' in answer.content.decode()


def test_it_is_tested_and_accepted_in_the_browser(client, platform, checking_aws):
    made = rows.connection("prod", status="PENDING")
    checking_aws.trust(ROLE, {"123456789012"}, external_id=made.external_id)
    assert client.post(address(made, "test/"))["Location"] == address(made)
    page = text(client.get(address(made)))
    assert page.count("AccessDenied") == 3
    assert client.post(address(made, "accept/"))["Location"] == address(made)
    made.refresh_from_db()
    assert (made.status, made.verdict) == ("CONNECTED", "safe")
    assert "Ready for its environment" in text(client.get(address(made)))


def test_an_open_role_is_not_accepted_and_only_an_admin_may_give_a_reason(client, platform, checking_aws):
    made = rows.connection("prod", status="PENDING")
    checking_aws.trust(ROLE, {"123456789012"})
    answer = client.post(address(made, "accept/"))
    assert (answer.status_code, "without the connection's external id" in text(answer)) == (422, True)
    assert 'name="reason"' not in text(answer)
    assert client.post(address(made, "accept/"), {"reason": "I know"}).status_code == 403
    client.force_login(rows.person("root"))
    assert 'name="reason"' in text(client.get(address(made)))
    client.post(address(made, "accept/"), {"reason": "The role is being replaced"})
    made.refresh_from_db()
    assert (made.status, made.verdict) == ("CONNECTED", "open")
    assert "The role is being replaced" in text(client.get(address(made)))


def test_an_aws_that_does_not_answer_is_said_on_the_page(client, platform, checking_aws):
    made = rows.connection("prod", status="PENDING")
    checking_aws.fault("unavailable", "AssumeRole")
    answer = client.post(address(made, "accept/"))
    assert (answer.status_code, "AWS did not answer the connect test" in text(answer)) == (422, True)
    assert client.post(address(made, "test/")).status_code == 503


def test_the_embedded_aws_is_said_to_prove_nothing(client, platform, open_aws):
    made = rows.connection("prod", status="PENDING")
    client.post(address(made, "accept/"))
    assert "prove nothing" in text(client.get(address(made)))


def test_it_is_rejected_for_good(client, platform):
    made = rows.connection("prod", status="PENDING")
    client.post(address(made, "reject/"))
    assert client.post(address(made, "accept/")).status_code == 409
    page = text(client.get(address(made)))
    assert ("That is final" in page, address(made, "edit/") in page) == (True, False)


def test_roles_are_changed_for_the_environment_account(client, platform):
    made = rows.connection("prod", status="PENDING")
    wrong = client.post(address(made, "edit/"), {"role_arn": "arn:aws:iam::123456789012:role/x"})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (422, ["role_arn"])
    client.post(address(made, "edit/"), {"role_arn": f"{ROLE}-2", "codebuild_role_arn": ROLE})
    made.refresh_from_db()
    assert (made.role_arn, made.codebuild_role_arn) == (f"{ROLE}-2", ROLE)
    found = policy(client.get(address(made)).content.decode(), "codebuild-trust")
    assert found["Statement"][0]["Principal"] == {"Service": "codebuild.amazonaws.com"}


def test_deleting_one_in_use_needs_the_name_typed_and_the_environment_says_what_it_lost(client, platform, simulated):
    made = rows.connection("prod")
    rows.environment("prod", connection=made)
    assert client.post(address(made, "delete/")).status_code == 422
    assert client.post(address(made, "delete/"), {"confirm": "prod"})["Location"] == LIST
    assert client.get(address(made)).status_code == 404
    page = text(client.get("/environments/prod/"))
    assert f"no access to account {OTHER}" in page
    assert client.post("/environments/prod/update/?version=current", {"/spec/cluster_name": "x"}).status_code == 422


def test_deleting_one_that_is_not_used_is_one_press(client, platform):
    made = rows.connection("prod")
    assert client.post(address(made, "delete/"))["Location"] == LIST


def test_an_environments_details_offer_another_connection_and_no_role(client, platform, simulated):
    rows.environment("prod", connection=rows.connection("prod"))
    other = rows.connection("prod", role_arn=f"{ROLE}-2")
    page = client.get("/environments/prod/edit/").content.decode()
    assert [f'name="/{role}"' in page for role in ("proton_service_role_arn", "component_role_arn")] == [False, False]
    client.post("/environments/prod/edit/", {"/environment_account_connection_id": str(other.pk)})
    assert Environment.objects.get().connection == other
    client.post("/environments/prod/edit/", {"/description": "Ours"})
    assert Environment.objects.get().connection == other


def test_an_environment_takes_components_by_the_component_role_of_its_connection(client, platform, simulated):
    made = rows.environment("prod", connection=rows.connection("prod"))
    assert "none: it takes no components" in client.get("/environments/prod/").content.decode()
    assert client.get("/components/new/").context["nowhere"]
    components = f"{ROLE}-components"
    EnvironmentAccountConnection.objects.filter(pk=made.connection_id).update(component_role_arn=components)
    assert components in client.get("/environments/prod/").content.decode()
    data = {"name": "bucket", "place": "environment", "environment_name": "prod", "manifest": rows.MANIFEST}
    data["template_file"] = rows.COMPONENT_TEMPLATE
    assert client.post("/components/new/", data).status_code == 302
    assert Component.objects.get().latest.role_arn == components


def test_a_developer_reads_and_is_told_whom_to_ask(client):
    made = rows.connection("prod", status="PENDING")
    client.force_login(rows.person(role=Role.DEVELOPER))
    page = text(client.get(address(made)))
    assert ("Ask a platform engineer" in page, address(made, "accept/") in page) == (True, False)
    assert client.post(address(made, "accept/")).status_code == 403


def test_the_roles_page_has_the_policies_of_the_management_account(client, platform, simulated):
    rows.environment("home", proton_service_role_arn="arn:aws:iam::123456789012:role/deuteron")
    rows.connection("prod")
    page = client.get("/settings/roles/").content.decode()
    assert "Condition" not in policy(page, "trust")["Statement"][0]
    assert policy(page, "portal")["Statement"][0]["Resource"] == ["arn:aws:iam::123456789012:role/deuteron", ROLE]


def test_accounts_of_connections_are_known_accounts(client, platform):
    rows.connection("prod")
    found = client.get("/accounts/").context["accounts"]
    assert [account.account_id for account in found] == ["123456789012", OTHER]
