"""Environments that exist already and that nobody provisions. AWS Proton: customer-managed environments."""

from provisioning.engines.base import Job, Outcome, Plan, Progress, Unclear
from provisioning.outputs import Output


class CustomerManagedEngine:
    """Succeeds at once: the outputs are the values of the spec, given in ``job.settings["outputs"]``."""

    def advance(self, job: Job, handle: str | None) -> Progress | Outcome | Unclear:
        if job.intent == "cancel":
            return Outcome("cancelled")
        if job.intent == "remove":
            return Outcome("succeeded")
        values = job.settings.get("outputs", {})
        return Outcome("succeeded", outputs=tuple(Output(str(key), _text(value)) for key, value in values.items()))

    def preview(self, job: Job) -> Plan:
        return Plan()


def _text(value: object) -> str:
    """As it stands in a spec: true and false, not Python's words."""
    return str(value).lower() if isinstance(value, bool) else str(value)
