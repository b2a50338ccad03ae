"""Environment account connections through the wire: two accounts, each with a key of its own."""

import pytest

from portal import quotas
from portal.actions import connections as actions
from portal.enums import Role
from portal.errors import Unavailable
from portal.models import EnvironmentAccountConnection
from portal.wire.registry import Caller
from provisioning.engines.trust import Finding
from tests.factories import rows
from tests.wire.conftest import ACCOUNT, refused, run

pytestmark = pytest.mark.django_db
OTHER, ROLE = rows.OTHER_ACCOUNT, rows.OTHER_ROLE
CODEBUILD, COMPONENTS = f"arn:aws:iam::{OTHER}:role/codebuild", f"arn:aws:iam::{OTHER}:role/components"
ASKED = {"environmentName": "prod", "managementAccountId": ACCOUNT, "roleArn": ROLE}
UNKNOWN = "0e4b8f2a-1111-4222-8333-123456789abc"
NOT_FOUND, DENIED = "ResourceNotFoundException", "AccessDeniedException"


@pytest.fixture
def management():
    return Caller(rows.person("management", Role.PLATFORM), ACCOUNT)


@pytest.fixture
def other():
    """Speaks for the environment account."""
    return Caller(rows.person("other", Role.PLATFORM), OTHER)


@pytest.fixture
def stranger():
    return Caller(rows.person("stranger", Role.ADMIN), "333333333333")


def ask(caller, **change):
    return run(caller, "CreateEnvironmentAccountConnection", **{**ASKED, **change})["environmentAccountConnection"]


def get(caller, made):
    return run(caller, "GetEnvironmentAccountConnection", id=made["id"])["environmentAccountConnection"]


def do(caller, verb, made, **members):
    return run(caller, f"{verb}EnvironmentAccountConnection", id=made["id"], **members)["environmentAccountConnection"]


def error(caller, verb, id, **members):
    return refused(caller, f"{verb}EnvironmentAccountConnection", id=id, **members)[0]


def listed(caller, by, **members):
    found = run(caller, "ListEnvironmentAccountConnections", requestedBy=f"{by}_ACCOUNT", **members)
    return [row["environmentName"] for row in found["environmentAccountConnections"]]


@pytest.fixture
def codebuild_only(other, monkeypatch):
    """Its role trusts the portal by the external id alone."""
    monkeypatch.setattr(actions, "connect_test", lambda *args, **more: Finding("safe", ()))
    return ask(other, roleArn=None, codebuildRoleArn=CODEBUILD)


def test_a_request_is_made_by_the_environment_account_and_seen_by_both_sides(management, other):
    made = ask(other, codebuildRoleArn=CODEBUILD, componentRoleArn=COMPONENTS)
    row = EnvironmentAccountConnection.objects.get()
    moments = round(row.requested_at.timestamp(), 3), round(row.last_modified_at.timestamp(), 3)
    assert made == {
        "id": str(row.pk),
        "arn": f"arn:aws:proton:us-east-1:{OTHER}:environment-account-connection/{row.pk}",
        "environmentAccountId": OTHER,
        "environmentName": "prod",
        "managementAccountId": ACCOUNT,
        "requestedAt": moments[0],
        "lastModifiedAt": moments[1],
        "status": "PENDING",
        "roleArn": ROLE,
        "codebuildRoleArn": CODEBUILD,
        "componentRoleArn": COMPONENTS,
    }
    assert get(management, made) == get(other, made) == made
    summary = {name: value for name, value in made.items() if name != "codebuildRoleArn"}
    found = run(other, "ListEnvironmentAccountConnections", requestedBy="ENVIRONMENT_ACCOUNT")
    assert found == {"environmentAccountConnections": [summary]}


def test_a_role_is_always_shown_even_when_there_is_none(other, codebuild_only):
    assert get(other, codebuild_only)["roleArn"] == ""


def test_the_same_token_asks_once(other):
    first = ask(other, clientToken="one")
    assert ask(other, clientToken="one") == first
    name, message = refused(
        other, "CreateEnvironmentAccountConnection", **{**ASKED, "environmentName": "x"}, clientToken="one"
    )
    assert (name, message.startswith("IdempotentParameterMismatch")) == ("ValidationException", True)
    assert refused(other, "CreateEnvironmentAccountConnection", **ASKED, clientToken="two")[0] == "ConflictException"
    run(other, "DeleteEnvironmentAccountConnection", id=first["id"])
    assert ask(other, clientToken="one")["id"] != first["id"]


def test_tokens_of_two_accounts_are_two(other, stranger):
    role = "arn:aws:iam::333333333333:role/deuteron"
    assert ask(other, clientToken="one")["id"] != ask(stranger, clientToken="one", roleArn=role)["id"]


def test_what_cannot_be_asked_is_told(management, other, monkeypatch):
    def wrong(caller, **change):
        return refused(caller, "CreateEnvironmentAccountConnection", **{**ASKED, **change})[0]

    assert wrong(other, managementAccountId="333333333333") == "ValidationException"
    assert wrong(other, roleArn=f"arn:aws:iam::{ACCOUNT}:role/x") == "ValidationException"
    assert wrong(management, roleArn=f"arn:aws:iam::{ACCOUNT}:role/x") == "ValidationException"
    assert wrong(other, tags=[{"key": "aws:x", "value": ""}]) == "ValidationException"
    monkeypatch.setattr(quotas, "CONNECTIONS_PER_ENVIRONMENT_ACCOUNT", 0)
    assert wrong(other) == "ServiceQuotaExceededException"


def test_lists_are_those_received_or_sent_by_the_account_of_the_key(management, other, stranger):
    for name in ("prod", "test", "dev"):
        ask(other, environmentName=name)
    rows.connection("far", account_id="333333333333")
    assert listed(management, "MANAGEMENT") == ["dev", "far", "prod", "test"]
    assert listed(other, "ENVIRONMENT") == ["dev", "prod", "test"]
    assert listed(stranger, "ENVIRONMENT") == ["far"]
    assert listed(management, "ENVIRONMENT") == listed(other, "MANAGEMENT") == []
    assert listed(management, "MANAGEMENT", statuses=["CONNECTED", "REJECTED"]) == ["far"]
    assert listed(management, "MANAGEMENT", environmentName="prod", statuses=["PENDING"]) == ["prod"]
    assert listed(management, "MANAGEMENT", environmentName="unknown") == []


def test_lists_come_in_pages_whose_tokens_are_of_one_question(management, other):
    for name in ("a", "b", "c"):
        ask(other, environmentName=name)
    asked = {"requestedBy": "MANAGEMENT_ACCOUNT", "maxResults": 2}
    first = run(management, "ListEnvironmentAccountConnections", **asked)
    second = run(management, "ListEnvironmentAccountConnections", **asked, nextToken=first["nextToken"])
    found = first["environmentAccountConnections"] + second["environmentAccountConnections"]
    assert ([row["environmentName"] for row in found], "nextToken" in second) == (["a", "b", "c"], False)
    wrong = {"requestedBy": "ENVIRONMENT_ACCOUNT", "nextToken": first["nextToken"]}
    assert refused(other, "ListEnvironmentAccountConnections", **wrong)[0] == "ValidationException"


def test_the_management_account_accepts_and_twice_is_once(management, other, codebuild_only):
    assert error(other, "Accept", codebuild_only["id"]) == DENIED
    accepted = do(management, "Accept", codebuild_only)
    assert accepted["status"] == "CONNECTED"
    assert do(management, "Accept", codebuild_only) == accepted == get(other, codebuild_only)


def test_roles_that_others_could_use_are_not_accepted_by_anybody(other, monkeypatch):
    admin = Caller(rows.person("admin", Role.ADMIN), ACCOUNT)
    monkeypatch.setattr(actions, "connect_test", lambda *args, **more: Finding("open", ()))
    made = ask(other)
    name, message = refused(admin, "AcceptEnvironmentAccountConnection", id=made["id"])
    assert (name, "without the connection's external id" in message) == ("ValidationException", True)
    assert get(other, made)["status"] == "PENDING"


def test_an_aws_that_does_not_answer_is_an_error_that_can_be_tried_again(management, other, monkeypatch):
    def silent(connection):
        raise Unavailable("AWS did not answer the connect test: timeout")

    monkeypatch.setattr(actions, "_find", silent)
    assert error(management, "Accept", ask(other)["id"]) == "InternalServerException"


def test_a_rejection_is_final(management, other, codebuild_only):
    assert error(other, "Reject", codebuild_only["id"]) == DENIED
    rejected = do(management, "Reject", codebuild_only)
    assert (rejected["status"], do(management, "Reject", codebuild_only)) == ("REJECTED", rejected)
    assert error(management, "Accept", codebuild_only["id"]) == "ConflictException"
    assert error(other, "Update", codebuild_only["id"], codebuildRoleArn=COMPONENTS) == "ConflictException"


def test_roles_are_changed_by_the_environment_account(management, other):
    made = ask(other)
    changed = do(other, "Update", made, componentRoleArn=COMPONENTS)
    assert (changed["roleArn"], changed["componentRoleArn"]) == (ROLE, COMPONENTS)
    assert error(management, "Update", made["id"], componentRoleArn=COMPONENTS) == DENIED
    assert error(other, "Update", made["id"], roleArn=f"arn:aws:iam::{ACCOUNT}:role/x") == "ValidationException"


def test_a_deletion_is_the_environment_accounts_and_a_repeat_returns_what_was_deleted(management, other):
    made = ask(other)
    assert error(management, "Delete", made["id"]) == DENIED
    gone = do(other, "Delete", made)
    assert gone == {**made, "lastModifiedAt": gone["lastModifiedAt"]}
    assert do(other, "Delete", made) == gone
    for verb in ("Get", "Accept", "Reject"):
        assert (verb, error(management, verb, made["id"])) == (verb, NOT_FOUND)
    assert error(other, "Update", made["id"]) == NOT_FOUND
    assert listed(other, "ENVIRONMENT") == []
    assert run(other, "DeleteEnvironmentAccountConnection", id=UNKNOWN) == {}


def test_to_a_third_account_a_connection_does_not_exist(other, stranger):
    id = ask(other)["id"]
    for verb in ("Get", "Accept", "Reject", "Update"):
        assert (verb, error(stranger, verb, id)) == (verb, NOT_FOUND)
    assert run(stranger, "DeleteEnvironmentAccountConnection", id=id) == {}
    assert EnvironmentAccountConnection.objects.get().deleted_at is None


def test_tags_are_the_environment_accounts_and_none_are_managed(management, other):
    arn = ask(other, tags=[{"key": "owner", "value": "net"}])["arn"]
    run(other, "TagResource", resourceArn=arn, tags=[{"key": "stage", "value": "x"}])
    run(other, "UntagResource", resourceArn=arn, tagKeys=["owner"])
    assert run(other, "ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "stage", "value": "x"}]
    assert refused(management, "ListTagsForResource", resourceArn=arn)[0] == NOT_FOUND


@pytest.mark.parametrize("verb", ["Create", "Accept", "Reject", "Update", "Delete"])
def test_developers_change_no_connections(verb):
    members = ASKED if verb == "Create" else {"id": UNKNOWN}
    developer = Caller(rows.person(role=Role.DEVELOPER), OTHER)
    assert refused(developer, f"{verb}EnvironmentAccountConnection", **members)[0] == DENIED


# Environments in the other account


@pytest.fixture
def vpc(simulated):
    return rows.version(rows.template(name="vpc"))


NEW = {"name": "prod", "templateName": "vpc", "templateMajorVersion": "1", "spec": rows.ENVIRONMENT_SPEC}


def test_an_environment_is_made_through_a_connection(management, vpc):
    way = rows.connection("prod")
    asked = {**NEW, "environmentAccountConnectionId": str(way.pk)}
    made = run(management, "CreateEnvironment", **asked)["environment"]
    assert (made["environmentAccountConnectionId"], made["environmentAccountId"]) == (str(way.pk), OTHER)
    assert run(management, "CreateEnvironment", **asked)["environment"] == made
    assert refused(management, "CreateEnvironment", **NEW)[0] == "ValidationException"
    rows.run_everything()
    listed = run(management, "ListEnvironments")["environments"]
    assert [row["environmentAccountConnectionId"] for row in listed] == [str(way.pk)]
    assert error(management, "Reject", str(way.pk)) == "ConflictException"


def test_an_environment_changes_to_another_connection_of_its_account(management, vpc):
    first = rows.connection("prod")
    rows.environment("prod", of=vpc, connection=first)
    second = rows.connection("prod")
    named = {"name": "prod", "deploymentType": "NONE"}
    changed = run(management, "UpdateEnvironment", **named, environmentAccountConnectionId=str(second.pk))
    assert changed["environment"]["environmentAccountConnectionId"] == str(second.pk)
    role = {"protonServiceRoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
    assert refused(management, "UpdateEnvironment", **named, **role)[0] == "ValidationException"
    elsewhere = rows.connection("prod", account_id="333333333333")
    wrong = {"environmentAccountConnectionId": str(elsewhere.pk)}
    assert refused(management, "UpdateEnvironment", **named, **wrong)[0] == "ValidationException"


def test_connections_that_lead_nowhere_are_refused(management, stranger, vpc):
    def wrong(id, caller=management, **more):
        return refused(caller, "CreateEnvironment", **NEW, environmentAccountConnectionId=str(id), **more)[0]

    assert wrong(UNKNOWN) == NOT_FOUND
    assert wrong(rows.connection("prod").pk, stranger) == NOT_FOUND
    assert wrong(rows.connection("other").pk) == "ValidationException"
    waiting = rows.connection("prod", status="PENDING")
    assert wrong(waiting.pk) == "ValidationException"
    EnvironmentAccountConnection.objects.filter(pk=waiting.pk).update(status="CONNECTED")
    role = {"protonServiceRoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
    assert wrong(waiting.pk, **role) == "ValidationException"
