"""Ending deployments: everything that the end of one changes, in one transaction."""

from dataclasses import replace
from datetime import UTC, datetime

from django.db import transaction
from django.db.models.functions import Now

from portal import nudges, tasks
from portal.actions import audit, claims, pull_request_jobs, usage
from portal.actions.crashpoints import crashpoint
from portal.actions.targets import target_of
from portal.enums import DeploymentKind, DeploymentPhase, DeploymentStatus
from portal.models import Deployment, DeploymentEvent, Output, ProvisionedResource, ServiceChange
from portal.queries import sensitive
from provisioning.engines.base import Event, Outcome
from provisioning.masking import mask


def add_events(deployment: Deployment, events: tuple[Event, ...]) -> None:
    """Append to the live log, without secrets; an event that is there already is left alone."""
    hidden = sensitive.values(deployment) if events else ()
    DeploymentEvent.objects.bulk_create(
        [
            DeploymentEvent(
                deployment=deployment,
                external_id=event.id[:200],
                at=datetime.fromtimestamp(event.at, UTC),
                resource=event.resource[:300],
                resource_type=event.type[:200],
                status=event.status[:60],
                message=mask(event.message, hidden),
                failed=event.failed,
            )
            for event in events
        ],
        ignore_conflicts=True,
    )


def _end_status(kind: str, outcome: Outcome) -> DeploymentStatus:
    if outcome.status == "cancelled":
        return DeploymentStatus.CANCELLED
    if kind == DeploymentKind.DELETE:
        return DeploymentStatus.DELETE_COMPLETE if outcome.status == "succeeded" else DeploymentStatus.DELETE_FAILED
    return DeploymentStatus.SUCCEEDED if outcome.status == "succeeded" else DeploymentStatus.FAILED


def finish(deployment: Deployment, outcome: Outcome) -> None:
    """Status, outputs, resources, the target's pointers, usage and audit, in one transaction, while the fence is ours.

    Raises ``claims.LostClaim``, having written nothing, when it is not.
    """
    outcome = pull_request_jobs.together(deployment, outcome)
    status = _end_status(deployment.kind, outcome)
    outcome = replace(outcome, reason=mask(outcome.reason, sensitive.values(deployment)))
    with transaction.atomic():
        claims.release(
            deployment,
            wait=None,
            status=status,
            phase=DeploymentPhase.FINISHED,
            status_message=outcome.reason or ("User initiated cancellation." if outcome.status == "cancelled" else ""),
            doing="Nothing had to change" if outcome.unchanged else "",
            next_action=outcome.next_action,
            identifier=outcome.resources[0].identifier if outcome.resources else deployment.identifier,
            completed_at=Now(),
            last_modified_at=Now(),
            failures=0,
        )
        deployment.refresh_from_db(fields=["completed_at"])
        add_events(deployment, outcome.events)
        pull_request_jobs.record(deployment, outcome.pull_requests)
        ProvisionedResource.objects.bulk_create(
            ProvisionedResource(
                deployment=deployment, name=row.name[:200], identifier=row.identifier[:300], engine=row.engine
            )
            for row in outcome.resources
        )
        if status == DeploymentStatus.SUCCEEDED:
            Output.objects.bulk_create(
                Output(deployment=deployment, key=row.key, value=row.value, description=row.description)
                for row in outcome.outputs
            )
        target = target_of(deployment)
        if target is not None and status == DeploymentStatus.SUCCEEDED:
            target.keep(deployment)
            usage.began(deployment)
        if target is not None and status == DeploymentStatus.DELETE_COMPLETE:
            usage.ended(deployment)
            target.delete()
        audit.record(by=deployment.actor, action=f"deployment.{status.lower()}", target=deployment.arn)
        _wake_service(deployment)
        crashpoint("before_commit_of_end", deployment)


def _wake_service(deployment: Deployment) -> None:
    """The service's edit under way looks at once, instead of at its next poll."""
    if not deployment.service_name:
        return
    changes = ServiceChange.objects.filter(service__name=deployment.service_name, finished_at__isnull=True)
    for change in changes:
        ServiceChange.objects.filter(pk=change.pk).update(due_at=Now())
        nudges.after_commit(tasks.drive_service_change, change.pk)
