"""Deliveries of GitHub: what is signed is a hint, whatever else comes is nothing."""

import hashlib
import hmac
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from portal.actions import deliveries, pull_requests
from portal.enums import Role
from portal.models import Deployment, PullRequest, WebhookDelivery
from portal.webhooks import github
from tests.factories import forges as made
from tests.factories import rows

pytestmark = pytest.mark.django_db
SECRET = "a secret of this test"


@pytest.fixture
def opened(local_forge, simulated, settings):
    settings.GITHUB_WEBHOOK_SECRETS = [SECRET]
    row = made.repository(rows.person("pat", Role.PLATFORM))
    deployment = rows.environment("home").latest
    Deployment.objects.filter(pk=deployment.pk).update(
        status="IN_PROGRESS", due_at=pull_requests.from_now(3600), lease_until=None
    )
    found = made.pull_request(deployment, row)
    PullRequest.objects.update(look_at=pull_requests.from_now(3600))
    return found


def body_of(number=1, name="acme/infra", **more):
    return json.dumps({"repository": {"full_name": name}, "pull_request": {"number": number}, **more}).encode()


def signature(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(body, client=None, **changes):
    headers = {
        "X-Hub-Signature-256": signature(body),
        "X-GitHub-Delivery": str(uuid4()),
        "X-GitHub-Event": "pull_request",
        **changes,
    }
    client = client or Client(enforce_csrf_checks=True)
    return client.post("/webhooks/github", body, content_type="application/json", headers=headers)


def is_due(row):
    row.refresh_from_db()
    return row.look_at <= timezone.now() and Deployment.objects.get(pk=row.deployment_id).due_at <= timezone.now()


def test_a_signed_delivery_makes_pull_request_and_deployment_due(opened):
    body = body_of()
    answer = deliver(body, **{"X-GitHub-Delivery": "one"})
    assert (answer.status_code, is_due(opened)) == (202, True)
    kept = WebhookDelivery.objects.get()
    assert (kept.delivery_id, kept.event, kept.repository, kept.number) == ("one", "pull_request", "acme/infra", 1)
    assert (kept.body_hash, kept.processed_at is not None) == (hashlib.sha256(body).hexdigest(), True)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "sha256=",
        signature(b"another body"),
        signature(body_of(), "another secret"),
        signature(body_of()).removeprefix("sha256="),
        signature(body_of()).upper(),
        "sha1=" + hmac.new(SECRET.encode(), body_of(), hashlib.sha1).hexdigest(),
    ],
)
def test_a_forged_delivery_is_nothing(opened, wrong):
    old = "sha1=" + hmac.new(SECRET.encode(), body_of(), hashlib.sha1).hexdigest()
    answer = deliver(body_of(), **{"X-Hub-Signature-256": wrong, "X-Hub-Signature": old})
    assert (answer.status_code, is_due(opened), WebhookDelivery.objects.count()) == (401, False, 0)


def test_two_secrets_are_good_while_one_replaces_the_other(opened, settings):
    settings.GITHUB_WEBHOOK_SECRETS = ["the new one", SECRET]
    assert deliver(body_of()).status_code == 202
    new = body_of(action="synchronize")
    assert deliver(new, **{"X-Hub-Signature-256": signature(new, "the new one")}).status_code == 202
    settings.GITHUB_WEBHOOK_SECRETS = ["the new one"]
    assert deliver(body_of(action="closed")).status_code == 401


def test_without_a_secret_nothing_is_taken(opened, settings):
    settings.GITHUB_WEBHOOK_SECRETS = []
    assert deliver(body_of()).status_code == 403


@pytest.mark.parametrize("changes", [{}, {"X-GitHub-Delivery": "another"}])
def test_a_replay_does_nothing_under_any_id(opened, changes):
    deliver(body_of(), **{"X-GitHub-Delivery": "one"})
    PullRequest.objects.update(look_at=pull_requests.from_now(3600))
    Deployment.objects.update(due_at=pull_requests.from_now(3600))
    assert deliver(body_of(), **{"X-GitHub-Delivery": "one", **changes}).status_code == 202
    assert (is_due(opened), WebhookDelivery.objects.count()) == (False, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (body_of(name="acme/unknown"), 202),
        (body_of(name="../../etc"), 202),
        (body_of(name=["acme/infra"]), 202),
        (b'{"zen": "Keep it logically awesome."}', 202),
        (b"[1]", 202),
        (b"payload=%7B%7D", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
    ],
)
def test_what_is_signed_but_about_no_linked_repository_is_ignored(opened, body, status):
    assert deliver(body).status_code == status
    assert (is_due(opened), WebhookDelivery.objects.count()) == (False, 0)


def test_a_number_that_no_pull_request_has_is_no_number(opened):
    for number in (2**63, -1, "1", None, True, 1.5):
        assert deliver(body_of(number=number)).status_code == 202
    assert is_due(opened)


def test_a_delivery_that_is_too_large_is_refused(opened):
    assert deliver(b" " * (github.LARGEST_BODY + 1)).status_code == 413


def test_only_a_post_is_a_delivery():
    assert Client().get("/webhooks/github").status_code == 405


def test_a_merged_one_is_not_asked_for_again_and_a_closed_one_only_by_its_number(opened):
    PullRequest.objects.update(state="closed")
    deliver(body_of(number=2))
    assert not is_due(opened)
    deliver(body_of(number=1))
    assert opened.look_at != PullRequest.objects.get().look_at
    PullRequest.objects.update(state="merged", look_at=None)
    deliver(body_of(action="reopened"))
    assert PullRequest.objects.get().look_at is None


def test_old_deliveries_are_forgotten(opened):
    deliver(body_of())
    assert deliveries.delete_old() == 0
    WebhookDelivery.objects.update(received_at=timezone.now() - timedelta(days=31))
    assert (deliveries.delete_old(), WebhookDelivery.objects.count()) == (1, 0)
