"""How many of everything there are."""

from collections.abc import Mapping
from typing import Any

from portal.enums import Role
from portal.queries import summary as queries
from portal.wire.registry import Caller, operation


@operation("GetResourcesSummary", Role.VIEWER)
def get_resources_summary(caller: Caller) -> Mapping[str, Any]:
    return {"counts": queries.counts(caller.user)}
