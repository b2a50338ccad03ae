"""Secrets by reference: a name that is looked for in Secrets Manager, and a value that is never read."""

import boto3
import pytest
from django.test import Client

from portal import engines
from portal.actions import secret_references
from portal.models import Draft
from provisioning.problems import Problem
from provisioning.schema import parse_schema
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
