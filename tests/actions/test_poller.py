"""The path that needs no broker."""

import threading
import time

import pytest
from celery.signals import worker_shutting_down
from django.db import connection

from portal import celery, poller
from portal.actions import audit, environments, housekeeping, registrations, services
from portal.enums import TemplateKind
from portal.models import AuditEvent, Deployment, Environment, Service, ServiceChange, TemplateVersion
from tests.actions.test_templates import archive
from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_many_deployments_keep_no_other_work_waiting(simulated):
    home = rows.environment("home")
    of = rows.version(rows.template(TemplateKind.SERVICE), compatible=[home.template])
    by = rows.person()
    services.create(by=by, name="web", template=of.template, spec=rows.service_spec("home"), major=1)
    for name in ("a", "b", "c"):
        environments.create(by=by, name=name, template=home.template, spec=rows.ENVIRONMENT_SPEC, major=1)
    registrations.register_version(by=by, template=home.template, data=archive(rows.environment_files()))
    kinds = [model for model, _, _ in poller.due()]
    assert kinds[:3] == [Deployment, TemplateVersion, ServiceChange]
    assert kinds[3:] == [Deployment] * 3


@pytest.mark.django_db(transaction=True)
def test_polling_alone_finishes_everything(simulated):
    home = rows.environment("home")
    of = rows.version(rows.template(TemplateKind.SERVICE), compatible=[home.template])
    services.create(by=rows.person(), name="web", template=of.template, spec=rows.service_spec("home"), major=1)
    assert poller.look_once() == 2
    ServiceChange.objects.update(due_at="2000-01-01T00:00Z")
    assert poller.look_once() == 1
    assert (Service.objects.get().status, Environment.objects.count()) == ("ACTIVE", 1)


def test_a_worker_that_is_told_to_stop_looks_for_no_more_work(monkeypatch):
    monkeypatch.setattr(celery, "_polling", [threading.Event()])
    worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
    assert [stop.is_set() for stop in celery._polling] == [True]


@pytest.mark.django_db(transaction=True)
def test_every_worker_keeps_house_beside_its_work(settings, monkeypatch, tmp_path):
    settings.POLL_SECONDS, settings.AUDIT_EXPORT = 0.05, tmp_path
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.05)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)  # the threads keep none
    audit.record(by=None, action="test.change", target="thing/1")
    stop = poller.start(threads=1)
    until = time.monotonic() + 10
    while AuditEvent.objects.filter(seq=None).exists() and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    for thread in threading.enumerate():
        if thread.name == "poller":
            thread.join()
    assert AuditEvent.objects.get().seq == 1
