"""Real clients over HTTP: boto3 with nothing but an endpoint changed."""

import json
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from portal.actions import people, session_keys
from portal.enums import Role
from portal.models import Template
from tests.factories import rows

pytestmark = pytest.mark.django_db(transaction=True)


def client(live_server, person, **more):
    key, secret = people.create_access_key(by=person, user=person)
    return with_key(live_server, key.key_id, secret, **more)


def with_key(live_server, key_id, secret, token=None):
    return boto3.client(
        "proton",
        endpoint_url=live_server.url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_template_is_made_listed_and_deleted(live_server):
    proton = client(live_server, rows.person("admin"))
    made = proton.create_environment_template(name="vpc", description="Größe – 😀")["environmentTemplate"]
    assert made["description"] == "Größe – 😀"
    pages = proton.get_paginator("list_environment_templates").paginate(PaginationConfig={"PageSize": 1})
    assert [row["name"] for page in pages for row in page["templates"]] == ["vpc"]
    assert proton.delete_environment_template(name="vpc")["environmentTemplate"] == made
    with pytest.raises(proton.exceptions.ResourceNotFoundException) as missing:
        proton.get_environment_template(name="vpc")
    assert len(missing.value.response["ResponseMetadata"]["RequestId"]) == 32


def test_a_short_lived_key_works_with_its_token_only(live_server):
    admin = rows.person("admin")
    issued = session_keys.issue(by=admin, user=admin, account_id="123456789012")
    assert (
        with_key(live_server, issued.key.key_id, issued.secret, issued.token).list_service_templates()["templates"]
        == []
    )
    with pytest.raises(ClientError) as refused:
        with_key(live_server, issued.key.key_id, issued.secret, "another").list_service_templates()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_key_for_one_resource_may_do_nothing_else(live_server):
    admin = rows.person("admin")
    arn = "arn:aws:proton:us-east-1:123456789012:environment/dev"
    issued = session_keys.issue(by=None, user=admin, account_id="123456789012", scope=arn)
    with pytest.raises(ClientError) as refused:
        with_key(live_server, issued.key.key_id, issued.secret, issued.token).list_service_templates()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_wrong_secret_and_an_unknown_key_get_the_same_answer(live_server):
    key, _ = people.create_access_key(by=(admin := rows.person("admin")), user=admin)
    answers = []
    for key_id in (key.key_id, "AKIAAAAAAAAAAAAAAAAA"):
        with pytest.raises(ClientError) as refused:
            with_key(live_server, key_id, "wrong").list_service_templates()
        answers.append((refused.value.response["Error"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]))
    assert answers[0] == answers[1]
    assert (answers[0][0]["Code"], answers[0][1]) == ("InvalidSignatureException", 403)


def test_a_revoked_key_is_refused_with_the_next_request(live_server):
    admin = rows.person("admin")
    key, secret = people.create_access_key(by=admin, user=admin)
    proton = with_key(live_server, key.key_id, secret)
    proton.list_service_templates()
    people.revoke_access_key(by=admin, key=key)
    with pytest.raises(ClientError) as refused:
        proton.list_service_templates()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_the_same_signed_request_changes_something_once(live_server):
    """As an SDK that retries within a second, or whoever recorded the request."""
    import urllib.request

    proton = client(live_server, rows.person("admin"))
    sent = []
    proton.meta.events.register("before-send.proton.*", lambda request, **_: sent.append(request))
    first = proton.create_service_template(name="web")["serviceTemplate"]
    Template.objects.all().delete()
    recorded = sent[0]
    again = urllib.request.Request(
        recorded.url,
        data=recorded.body,
        headers={k: v.decode() if isinstance(v, bytes) else v for k, v in recorded.headers.items()},
    )
    with urllib.request.urlopen(again) as answer:
        assert (answer.status, first["name"].encode() in answer.read()) == (200, True)
    assert Template.objects.count() == 0


def test_two_identical_creations_at_once_make_one_template(live_server):
    proton = client(live_server, rows.person("admin"))
    arns = at_once(
        lambda: proton.create_environment_template(name="vpc", displayName="VPC")["environmentTemplate"]["arn"]
    )
    assert (len(arns), len(set(arns)), Template.objects.count()) == (4, 1, 1)


def at_once(call, times=4):
    """What as many calls at the same moment answer."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(call())) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_identical_requests_with_one_token_at_once_make_one_component_and_one_connection(live_server, simulated):
    rows.open_service()
    admin = rows.person("admin")
    proton = client(live_server, admin)
    key, secret = people.create_access_key(by=admin, user=admin, account_id=rows.OTHER_ACCOUNT)
    other = with_key(live_server, key.key_id, secret)
    component = {
        "name": "bucket",
        "manifest": rows.MANIFEST,
        "templateFile": rows.COMPONENT_TEMPLATE,
        "serviceName": "web",
        "serviceInstanceName": "dev",
        "clientToken": "one",
    }
    asked = {"environmentName": "prod", "managementAccountId": "123456789012", "clientToken": "one"}
    made = at_once(lambda: proton.create_component(**component)["component"]["lastAttemptedDeploymentId"])
    ways = at_once(lambda: other.create_environment_account_connection(**asked)["environmentAccountConnection"]["id"])
    assert (len(made), len(set(made)), len(ways), len(set(ways))) == (4, 1, 4, 1)


def test_roles_decide_per_operation(live_server):
    developer = client(live_server, rows.person("dev", Role.DEVELOPER))
    assert developer.list_environment_templates()["templates"] == []
    with pytest.raises(developer.exceptions.AccessDeniedException):
        developer.create_environment_template(name="vpc")


def test_a_browser_session_means_nothing_at_this_door(live_server, client):
    client.force_login(rows.person("admin"))
    answer = client.post(
        "/", "{}", content_type="application/x-amz-json-1.0", HTTP_X_AMZ_TARGET="AwsProton20200720.ListServiceTemplates"
    )
    assert (answer.status_code, json.loads(answer.content)["__type"]) == (403, "MissingAuthenticationTokenException")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("target", ["AwsProton20200720.Nothing", "Other.ListServices", "", "AwsProton20200720"])
def test_an_unknown_target_is_said_to_be_unknown(client, target):
    answer = client.post("/", "{}", content_type="application/x-amz-json-1.0", HTTP_X_AMZ_TARGET=target)
    assert (answer.status_code, json.loads(answer.content)["__type"]) == (400, "UnknownOperationException")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client):
    answer = client.post(
        "/",
        b" " * (1024 * 1024 + 1),
        content_type="application/x-amz-json-1.0",
        HTTP_X_AMZ_TARGET="AwsProton20200720.ListServiceTemplates",
    )
    assert (answer.status_code, json.loads(answer.content)["__type"]) == (413, "RequestEntityTooLargeException")
