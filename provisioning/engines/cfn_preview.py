"""What an apply would change: asked of CloudFormation, and nothing is left behind."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from provisioning.engines import cfn_document, cfn_template
from provisioning.engines.base import Job, Plan, PlannedChange
from provisioning.engines.cfn_apply import UPDATABLE, Apply
from provisioning.engines.cfn_handle import Handle
from provisioning.engines.cfn_stacks import Stack, Stacks
from provisioning.engines.session import Sessions

PATIENCE = 20.0  # seconds until CloudFormation must have said what would change
LOOK_EVERY = 0.5


def preview(job: Job, stacks: Stacks, sessions: Sessions) -> Plan:
    step = Apply(job, Handle(), stacks, sessions, time.monotonic)
    step.look(job.identifier, job.name)
    stack = step.stack
    if stack is None or stack.status == "REVIEW_IN_PROGRESS":
        return _everything(job)
    if not step.owned(stack):
        return Plan(error=f"A stack named {stack.name} exists already and was not made for this target.")
    if stack.status == "ROLLBACK_COMPLETE":
        return _everything(job)
    if stack.status not in UPDATABLE:
        return Plan(error=f"The stack is in state {stack.status}; CloudFormation cannot say what would change.")
    return _ask(job, stacks, sessions, stack, step.tags(stack))


def _everything(job: Job) -> Plan:
    """Every resource of the template: there is no stack to compare with."""
    try:
        resources = cfn_document.parse(job.template)["Resources"]
    except ValueError as error:
        return Plan(error=str(error))
    return Plan(
        tuple(
            PlannedChange(str(name), str(resource.get("Type", "")), "Add")
            for name, resource in resources.items()
            if isinstance(resource, dict)
        )
    )


def _ask(job: Job, stacks: Stacks, sessions: Sessions, stack: Stack, tags: Mapping[str, str]) -> Plan:
    carrier = cfn_template.carrier(job, sessions)
    if isinstance(carrier, str):
        return Plan(error=carrier)
    name = (
        "deuteron-preview-" + hashlib.sha256(f"{stack.id}\0{job.template}\0{time.time_ns()}".encode()).hexdigest()[:12]
    )
    try:
        if carrier.upload is not None:
            carrier.upload()
        stacks.create_change_set(
            stack=stack.id, name=name, kind="UPDATE", token=name, template=carrier.argument, tags=tags
        )
        return _wait(stacks, stack, name)
    finally:
        made = stacks.change_set(name, stack)
        if made is not None:
            stacks.delete_change_set(made.id)
        if carrier.remove is not None:
            carrier.remove()


def _wait(stacks: Stacks, stack: Stack, name: str) -> Plan:
    until = time.monotonic() + PATIENCE
    while True:
        found = stacks.change_set(name, stack)
        if found is not None and not found.pending:
            break
        if time.monotonic() > until:
            return Plan(error=f"CloudFormation did not say within {PATIENCE:.0f} seconds what would change.")
        time.sleep(LOOK_EVERY)
    if found.empty:
        return Plan()
    if found.status == "FAILED":
        return Plan(error=found.reason or "CloudFormation could not say what would change.")
    return Plan(tuple(_planned(change) for change in stacks.changes(found.id)))


def _planned(change: Mapping[str, Any]) -> PlannedChange:
    return PlannedChange(
        resource=change["LogicalResourceId"],
        type=change.get("ResourceType", ""),
        action=change["Action"],
        replacement=change.get("Replacement", "") if change["Action"] == "Modify" else "",
        detail=", ".join(dict.fromkeys(_attribute(detail.get("Target", {})) for detail in change.get("Details", []))),
    )


def _attribute(target: Mapping[str, str]) -> str:
    return ".".join(part for part in (target.get("Attribute", ""), target.get("Name", "")) if part)
