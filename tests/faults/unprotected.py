"""The negative control: workers without what protects deployments. The harness must find fault with them.

No lease and no fence; names made up and kept in the process's memory, so that nothing is found again after a kill;
messages acknowledged before the work; no polling. Started as ``celery -A tests.faults.unprotected worker``.
"""

import dataclasses
import threading
import uuid

from portal import poller
from portal.celery import app

poller.start = threading.Event  # type: ignore[assignment]  # nothing is started
app.conf.update(task_acks_late=False, task_reject_on_worker_lost=False)
app.autodiscover_tasks(["portal"], force=True)


@app.on_after_finalize.connect
def unprotect(**_: object) -> None:
    from portal import tasks
    from portal.actions import claims, runs
    from portal.models import Deployment

    tasks.drive_deployment.acks_late = False
    real_job = runs._job
    names: dict[uuid.UUID, uuid.UUID] = {}

    def job_with_made_up_names(deployment: Deployment):
        made_up = names.setdefault(deployment.pk, uuid.uuid4())
        return dataclasses.replace(real_job(deployment), name=f"AWSProton-{made_up.hex}", deployment=str(made_up))

    def claim_without_lease(model, pk):
        return model.objects.filter(pk=pk, due_at__isnull=False).first()

    def record_without_fence(row, **fields):
        type(row).objects.filter(pk=row.pk).update(**fields)

    runs._job = job_with_made_up_names
    claims.claim = claim_without_lease
    claims.record = record_without_fence
