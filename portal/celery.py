"""The queue. It carries hints only: every worker also polls the database (see portal.poller)."""

import os
import threading

from celery import Celery
from celery.signals import worker_init, worker_shutting_down

from portal import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal"])
logs.connect_to_celery()
_polling: list[threading.Event] = []


@worker_init.connect
def start_polling(**_: object) -> None:
    from django.conf import settings

    from portal import poller, production

    if settings.PRODUCTION:
        production.only_worker(settings.DATABASES["default"])
    _polling.append(poller.start())


@worker_shutting_down.connect
def stop_polling(**_: object) -> None:
    """A worker that was told to stop ends the steps it began, and begins no others."""
    for stop in _polling:
        stop.set()
