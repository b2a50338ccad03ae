"""People of one account who try to make the portal act in another one: the confused deputy."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.faults.arena import Arena
from tests.faults.referee import stacks
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
MANAGEMENT = "123456789012"


def _request(by: Any, account: str, name: str, role: str, **more: Any) -> Any:
    from portal.actions import connections

    return connections.request(
        by=by, account_id=account, management_account_id=MANAGEMENT, environment_name=name, role_arn=role, **more
    )


def _accept(by: Any, connection: Any) -> Any:
    from portal.actions import connections

    return connections.accept(by=by, account_id=MANAGEMENT, connection=connection)


def confuse(arena: Arena, work: Work, size: Size) -> Result:
    """Account A names roles of account B in every member that takes one, takes B's connection, and asks with roles
    that are guarded badly. The liar says which roles were assumed, and the emulator what was made in B."""
    from portal.models import Environment, EnvironmentAccountConnection

    liar, by = arena.liar, work.admin
    mine, theirs = work.accounts[0], work.accounts[1]
    victim, unguarded = (f"arn:aws:iam::{theirs}:role/{name}" for name in ("deploy", "legacy"))
    liar.trust(unguarded, {MANAGEMENT})  # B forgot the external id on a role that it never connected
    theirs_connected = _request(by, theirs, "prod", victim)
    liar.trust(victim, {MANAGEMENT}, external_id=theirs_connected.external_id)
    theirs_connected = _accept(by, theirs_connected)
    work.create("prod", account_id="", connection=theirs_connected)
    work.wait(size["seconds"])
    before = Counter(liar.assumed)
    stacks_before = len(stacks(arena, (theirs,)))
    refused: Counter[str] = Counter()
    let_in = 0
    tried = 0
    for number in range(int(size["each"])):
        for attempt in _attempts(liar, by, work, mine, theirs, theirs_connected, (victim, unguarded), number):
            kinds = Counter(work.refused)
            tried += 1
            let_in += work.tried(attempt) is not None
            refused += Counter(work.refused) - kinds
    work.wait(size["seconds"])
    after = Counter(liar.assumed)
    prod = Environment.objects.select_related("latest").get(name="prod")
    return Result(
        faults={"attempts": tried, "refused": sum(refused.values())},
        harm={
            "let_in": let_in,
            "assumed": sum(after[role] - before[role] for role in (victim, unguarded)),
            "stacks_made_in_the_other_account": len(stacks(arena, (theirs,))) - stacks_before,
            "owner_shut_out": prod.deployment_status != "SUCCEEDED",
        },
        figures={
            "refused": dict(refused),
            "accepted_connections": EnvironmentAccountConnection.objects.filter(status="CONNECTED").count(),
            "roles_refused_by_the_liar": sum(action == "AssumeRole" for _, action, *_ in liar.asked)
            - len(liar.assumed),
        },
    )


def _attempts(
    liar: Any, by: Any, work: Work, mine: str, theirs: str, connected: Any, roles: tuple[str, str], number: int
) -> list[Callable[[], Any]]:
    """Each asks for one thing that must be refused."""
    from portal.actions import accounts, connections

    own = f"arn:aws:iam::{mine}:role/deploy-{number}"
    found: list[Callable[[], Any]] = []
    for turn, role in enumerate(roles):
        name = f"a{number}-{turn}"
        found += [
            partial(work.create, name, account_id="", proton_service_role_arn=role),
            partial(work.create, name, account_id="", component_role_arn=role),
            partial(work.create, name, account_id=theirs, proton_service_role_arn=role),
            partial(accounts.update_settings, by=by, pipeline_service_role_arn=role),
            partial(_request, by, mine, name, role),
            partial(_request, by, mine, name, own, component_role_arn=role),
        ]
    found += [  # the connection of the others, for another name or as if it were one's own
        partial(work.create, f"b{number}", account_id="", connection=connected),
        partial(connections.update_roles, by=by, account_id=mine, connection=connected, role_arn=roles[1]),
        partial(connections.delete, by=by, account_id=mine, connection=connected),
    ]
    for kind in ("none", "wrong", "shared"):
        found.append(partial(_badly_guarded, liar, by, mine, theirs, roles[0], f"{kind}{number}"))
    return found


def _badly_guarded(liar: Any, by: Any, mine: str, theirs: str, shared: str, name: str) -> Any:
    """A connection that was asked for in order, with a role that does not ask for its external id."""
    if name.startswith("shared"):  # the role of another connection, which asks for that one's external id
        return _accept(by, _request(by, theirs, name, shared))
    role = f"arn:aws:iam::{mine}:role/{name}"
    liar.trust(role, {MANAGEMENT}, external_id="" if name.startswith("none") else "chosen-by-a-person")
    return _accept(by, _request(by, mine, name, role))


ROWS = [
    Row(
        22,
        "a confused deputy",
        confuse,
        ("external_ids",),
        small={"each": 3, "seconds": 40},
        full={"each": 200, "seconds": 120},
        patience=20,
        accounts=2,
    )
]
