"""Handlers by operation. A misspelt operation or member fails at import; a missing handler fails a test."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.model import StructureShape

from portal.enums import Role
from portal.models import User
from portal.wire.service_model import operation_models

READS = ("Get", "List")


@dataclass(frozen=True)
class Caller:
    """Who calls. ``account_id`` is the AWS account that the access key is bound to; ``scope`` the ARN of the one
    resource that the key may speak about, or "" for all that its person may do."""

    user: User
    account_id: str
    scope: str = ""


Handler = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Operation:
    """``role`` is the least that may call it; rows are then fetched through ``access``, which knows more."""

    name: str
    run: Handler
    role: Role
    input: StructureShape
    output: StructureShape | None
    arguments: Mapping[str, str]  # member: argument

    @property
    def mutates(self) -> bool:
        return not self.name.startswith(READS)


HANDLERS: dict[str, Operation] = {}


def operation(name: str, role: Role) -> Callable[[Handler], Handler]:
    """Register the handler of an operation: ``handler(caller, *, snake_case_members)``, which returns output members.

    Absent members are left out, so the optional ones need a default. Raises KeyError for an operation that the model
    does not have, TypeError when the arguments are not the input's members.
    """
    model = operation_models()[name]
    assert model.input_shape is not None
    given: StructureShape = model.input_shape
    arguments = {member: xform_name(member) for member in given.members}

    def register(run: Handler) -> Handler:
        parameters = list(inspect.signature(run).parameters)
        if parameters[:1] != ["caller"] or set(parameters[1:]) != set(arguments.values()):
            raise TypeError(f"{name} takes {sorted(arguments.values())} after caller, not {parameters}")
        if name in HANDLERS:
            raise TypeError(f"{name} has two handlers")
        HANDLERS[name] = Operation(name, run, role, given, model.output_shape, arguments)
        return run

    return register


@cache
def handlers() -> dict[str, Operation]:
    """Every handler; its modules are imported by the first call."""
    from portal.wire import operations

    for module in pkgutil.iter_modules(operations.__path__):
        importlib.import_module(f"{operations.__name__}.{module.name}")
    return HANDLERS
