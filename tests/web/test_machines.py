"""Request ids, logs, and the addresses that machines ask."""

import io
import json
import logging
import logging.config

import pytest
from django.test import Client

from portal import logs
from portal.models import AuditEvent
from tests.factories import rows


def test_the_id_of_a_request_is_sent_back(client):
    answer = client.get("/healthz/live", headers={"X-Request-ID": "from-the-proxy-1"})
    assert answer.headers["X-Request-ID"] == "from-the-proxy-1"


@pytest.mark.parametrize("asked_for", ["", "two words", "x" * 65, "a\nb", "<b>"])
def test_an_id_that_is_none_is_replaced(client, asked_for):
    answer = client.get("/healthz/live", headers={"X-Request-ID": asked_for})
    assert answer.headers["X-Request-ID"] != asked_for
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.django_db
def test_audit_events_hold_the_id_of_their_request(client):
    client.force_login(rows.person())
    client.post("/settings/teams/new/", {"name": "payments"}, headers={"X-Request-ID": "r-1"})
    event = AuditEvent.objects.get(action="team.create")
    assert (event.request_id, logs.request_id()) == ("r-1", "")


@pytest.mark.django_db
def test_a_request_is_one_line_with_who_what_and_how_it_ended(client, caplog):
    client.force_login(rows.person("ada"))
    with caplog.at_level(logging.INFO, "portal.requests"):
        client.get("/teams-that-do-not-exist/%0A/", headers={"X-Request-ID": "r-2"})
        client.get("/healthz/live")
    (record,) = [record for record in caplog.records if record.name == "portal.requests"]
    assert record.getMessage() == "GET /teams-that-do-not-exist/\\n/ 404"
    assert record.milliseconds >= 0


@pytest.fixture
def written():
    """A logger whose lines go through the formatter for servers, and what was written so far, read back."""
    configuration = logs.configuration(json=True, level="INFO")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    formatters = logging.config.DictConfigurator(configuration)
    handler.setFormatter(formatters.configure_formatter(formatters.config["formatters"]["json"]))
    logger = logging.getLogger("portal.somewhere")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_line_is_one_json_object_with_the_ids_that_are_bound(written):
    with logs.bound(request_id="r-3", deployment="d-1"):
        logging.getLogger("portal.somewhere").warning("took %s", "long", extra={"seconds": 3})
    (line,) = written()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "took long",
        "level": "warning",
        "logger": "portal.somewhere",
        "request_id": "r-3",
        "deployment": "d-1",
        "seconds": 3,
    }


def test_an_exception_stays_on_its_line(written):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("portal.somewhere").exception("failed")
    (line,) = written()
    assert line["event"] == "failed"
    assert line["exception"].endswith("ValueError: two\nlines")


def test_a_plain_line_ends_with_the_ids_and_an_exception_follows():
    formatter = logs.PlainFormatter("%(levelname)s %(message)s")
    record = logging.LogRecord("portal", logging.ERROR, "", 1, "failed\nTraceback", (), None)
    with logs.bound(deployment="d-1"):
        assert formatter.format(record) == "ERROR failed deployment=d-1\nTraceback"
    assert formatter.format(record) == "ERROR failed\nTraceback"


def test_a_nudge_carries_the_id_of_its_request_to_the_worker():
    from portal.tasks import drive_deployment

    headers = {}
    with logs.bound(request_id="r-4"):
        logs._send_request_id(headers=headers)
    drive_deployment.push_request(headers=headers)
    try:
        logs._bind_task(task=drive_deployment, args=("d-2",))
        assert logs.structlog.contextvars.get_contextvars() == {"request_id": "r-4", "deployment": "d-2"}
    finally:
        drive_deployment.pop_request()
        logs._unbind_task()


def test_machines_may_ask_by_any_name_and_people_may_not(client):
    assert client.get("/healthz/live", headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/sign-in/", headers={"Host": "evil.example.com"}).status_code == 400


def test_probes_are_not_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    fresh = Client()
    assert fresh.get("/healthz/live").status_code == 200
    assert fresh.get("/sign-in/").status_code == 301


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ({"REMOTE_ADDR": "203.0.113.9"}, 403),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer "}, 403),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer right-token"}, 200),
        ({"REMOTE_ADDR": ""}, 403),
    ],
)
def test_metrics_are_for_this_machine_and_for_those_who_know_the_token(client, settings, request_of, status):
    settings.METRICS_TOKEN = "right-token"
    assert client.get("/metrics", **request_of).status_code == status


@pytest.mark.django_db
def test_without_a_token_nobody_else_gets_metrics(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9", HTTP_AUTHORIZATION="Bearer ").status_code == 403


@pytest.mark.django_db
def test_metrics_are_prometheus_text(client):
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE deuteron_oldest_due_seconds gauge" in answer.content.decode()
