"""The worker of the embedded stack: the portal's own, which also tells the supervisor when it is ready."""

import os
from pathlib import Path

from celery.signals import worker_ready

from portal.celery import app

__all__ = ["app"]


@worker_ready.connect
def tell_supervisor(**_: object) -> None:
    Path(os.environ["DEUTERON_WORKER_READY"]).touch()
