"""Secrets by reference: a name that is looked for in Secrets Manager, and a value that is never read."""

import re

import boto3
import pytest
from botocore.exceptions import ClientError
from django.test import Client

from portal import engines
from portal.actions import secret_references
from portal.enums import Role
from portal.models import Draft
from provisioning.problems import Problem
from provisioning.schema import parse_schema
from provisioning.secret_references import Names
from tests.aws import EmbeddedAws
from tests.factories import rows

SCHEMA = rows.ENVIRONMENT_SCHEMA.replace(
    "        cluster_name:",
    "        token: {type: string, x-deuteron-secret-reference: secretsmanager}\n        cluster_name:",
)


@pytest.fixture
def secrets(aws: EmbeddedAws, aws_account: str, settings, monkeypatch):
    """Secrets Manager of the embedded AWS, which is the management account's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    settings.EMBEDDED, settings.PORTAL_ACCOUNT_ID = True, aws_account
    engines.sessions.cache_clear()
    session = boto3.Session(aws_access_key_id=aws_account, aws_secret_access_key="embedded", region_name="us-east-1")
    yield session.client("secretsmanager", endpoint_url=aws.endpoint)
    engines.sessions.cache_clear()


def test_only_a_text_can_name_a_secret():
    wrong = SCHEMA.replace("{type: string, x-d", "{type: number, x-d")
    problems = parse_schema(wrong, "environment", file="schema.yaml")[1]
    said = "x-deuteron-secret-reference goes with type string, and its value is secretsmanager."
    assert [problem.message for problem in problems] == [said]
    assert parse_schema(SCHEMA, "environment", file="schema.yaml")[1] == ()


def test_a_secret_that_is_there_is_no_problem_and_its_value_is_not_asked_for(secrets):
    secrets.create_secret(Name="app/token", SecretString="hidden")
    there, missing = ("/spec/token", "app/token"), ("/spec/other", "app/none")
    message = "There is no secret named app/none in Secrets Manager of the management account."
    assert secret_references.problems([there, missing]) == [Problem("/spec/other", message)]


def test_a_secrets_manager_that_is_silent_is_a_warning(settings, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.EMBEDDED = True
    engines.sessions.cache_clear()
    [problem] = secret_references.problems([("/spec/token", "app/token")])
    engines.sessions.cache_clear()
    assert (problem.severity, "cannot be checked now" in problem.message) == ("warning", True)


@pytest.mark.django_db
def test_the_wizard_refuses_a_secret_that_is_not_there(secrets):
    of = rows.version(rows.template(), files=rows.environment_files(schema=SCHEMA))
    person = rows.person()
    client = Client()
    client.force_login(person)
    draft = Draft.objects.create(user=person, template=of.template, version=of, details={"name": "dev"})
    address = f"/drafts/{draft.pk}/inputs/"
    asked = client.post(address, {"/spec/cluster_name": "main", "/spec/token": "app/none"})
    assert (asked.status_code, b"There is no secret named app/none" in asked.content) == (422, True)
    secrets.create_secret(Name="app/none", SecretString="hidden")
    assert client.post(address, {"/spec/cluster_name": "main", "/spec/token": "app/none"}).status_code == 302


def options(answer):
    return re.findall('<option value="([^"]+)"', answer.content.decode())


@pytest.mark.django_db
def test_names_that_begin_so_are_offered_and_never_a_value(secrets, client):
    for name in ("app/token", "app/key", "other"):
        secrets.create_secret(Name=name, SecretString="hidden", Description="hidden as well")
    assert secret_references.names("app/") == Names(("app/key", "app/token"))
    assert secret_references.names("app/\n") == secret_references.names("nothing") == Names()
    client.force_login(rows.person())
    answer = client.get("/secret-names/", {"for": "/spec/token", "/spec/token": "app/"})
    assert (options(answer), b"hidden" in answer.content) == (["app/key", "app/token"], False)
    assert options(client.get("/secret-names/", {"for": "/spec/token"})) == ["app/key", "app/token", "other"]
    nothing = client.get("/secret-names/", {"for": "/spec/token", "/spec/token": "zzz"})
    assert (options(nothing), b"No secret's name begins like this." in nothing.content) == ([], True)


@pytest.mark.django_db
def test_no_more_than_fifty_are_offered(secrets, client):
    for number in range(53):
        secrets.create_secret(Name=f"many/{number}", SecretString="hidden")
    client.force_login(rows.person())
    answer = client.get("/secret-names/", {"for": "/spec/token", "/spec/token": "many/"})
    assert (len(options(answer)), b"type how the name begins" in answer.content) == (50, True)


class Refusing:
    def __init__(self, code):
        self.code = code

    def list_secrets(self, **_):
        raise ClientError({"Error": {"Code": self.code}}, "ListSecrets")


@pytest.mark.parametrize(
    ("code", "said"),
    [("AccessDeniedException", b"may not list secrets"), ("InternalServiceError", b"does not answer now")],
)
def test_where_names_cannot_be_listed_that_is_said_and_the_name_is_typed(code, said, client, monkeypatch, db):
    monkeypatch.setattr(engines, "secrets_client", lambda: Refusing(code))
    client.force_login(rows.person())
    answer = client.get("/secret-names/", {"for": "/spec/token"})
    assert (answer.status_code, said in answer.content, options(answer)) == (200, True, [])


def test_only_who_may_deploy_what_the_field_is_of_gets_names(client, monkeypatch, db):
    monkeypatch.setattr(engines, "secrets_client", lambda: Refusing("AccessDenied"))
    found = {}
    for role in (Role.VIEWER, Role.DEVELOPER, Role.PLATFORM):
        client.force_login(rows.person(role.value, role))
        fields = ("/spec/token", "/instances/0/spec/token", "/pipeline/token")
        found[role] = [client.get("/secret-names/", {"for": field}).status_code for field in fields]
    assert found == {
        Role.VIEWER: [403, 403, 403],
        Role.DEVELOPER: [403, 200, 200],
        Role.PLATFORM: [200, 200, 200],
    }


def test_the_field_is_a_line_of_text_with_a_list_that_is_filled_when_it_is_used(client, simulated, db):
    of = rows.version(rows.template(), files=rows.environment_files(schema=SCHEMA))
    person = rows.person()
    client.force_login(person)
    draft = Draft.objects.create(user=person, template=of.template, version=of, details={"name": "dev"})
    page = client.get(f"/drafts/{draft.pk}/inputs/").content.decode()
    [field] = re.findall('<input[^>]*name="/spec/token"[^>]*>', page)
    assert ('hx-get="/secret-names/?for=/spec/token"' in field, 'list="f--spec--token-list"' in field) == (True, True)
    assert '<datalist id="f--spec--token-list"></datalist>' in page
