"""The queue's door: one id in, one action called. Losing a task costs only the polling interval."""

from celery import shared_task


@shared_task(acks_late=True, ignore_result=True)
def drive_deployment(deployment_id: str) -> None:
    from portal.actions import runs

    runs.drive(deployment_id)


@shared_task(acks_late=True, ignore_result=True)
def drive_registration(version_id: int) -> None:
    from portal.actions import registrations

    registrations.drive(version_id)


@shared_task(acks_late=True, ignore_result=True)
def drive_service_change(change_id: str) -> None:
    from portal.actions import service_changes

    service_changes.drive(change_id)


@shared_task(acks_late=True, ignore_result=True)
def look_at_pull_request(row_id: int) -> None:
    from portal.actions import pull_requests

    pull_requests.look_if_due(row_id)


@shared_task(ignore_result=True)
def reconcile() -> None:
    from portal import poller

    poller.look_once()
