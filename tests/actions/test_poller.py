"""The path that needs no broker."""

import threading

import pytest
from celery.signals import worker_shutting_down

from portal import celery, poller
from portal.actions import environments, registrations, services
from portal.enums import TemplateKind
from portal.models import Deployment, Environment, Service, ServiceChange, TemplateVersion
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
