"""P-R1 to P-R5: the AWS door on PostgreSQL with signatures and access checked, by a server of one worker."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.bench import driving, fleet
from tests.bench.doors import ECS, Doors, doors
from tests.bench.driving import Caller, median_seconds
from tests.bench.measuring import Effort, Line, compare, milliseconds, per_second
from tests.bench.site import Place

Requests = Sequence[tuple[str, bytes]]  # operation, body
EMPTY = [("ListClusters", b"{}")]
LIST = "ListServiceInstances"


def row_r1(effort: Effort, place: Place) -> Iterator[Line]:
    """Single rows: eight instances and eight environments in turn. The answers are compared first."""
    servers = doors(place, effort)
    step = servers.instances // 8
    reads = [("GetServiceInstance", _body(**_instance(number))) for number in range(0, step * 8, step)]
    reads += [("GetEnvironment", _body(name=fleet.environment_name(number))) for number in range(8)]
    yield from _rates("P-R1", "read one", servers, effort, reads, "at least 0.30", "at least 2.5")


def row_r2(effort: Effort, place: Place) -> Iterator[Line]:
    """A hundred instances of a list."""
    servers = doors(place, effort)
    yield from _rates("P-R2", "list 100", servers, effort, [(LIST, b"{}")], "at least 0.48", "at least 1.5")


def _rates(
    row: str, what: str, servers: Doors, effort: Effort, reads: Requests, beside_limit: str, beside_moto: str
) -> Iterator[Line]:
    for operation, body in reads:
        own, bare = (_answer(port, servers.key, operation, body) for port in (servers.portal, servers.limit))
        own.pop("nextToken", None)
        assert own == bare, (own, bare)
    ours = _rate(servers.portal, servers.key, reads, effort)
    limit, moto = _rate(servers.limit, servers.key, reads, effort), _rate(servers.moto, ECS, EMPTY, effort)
    for name, theirs, goal in (
        ("WSGI with a prepared statement", limit, beside_limit),
        ("moto's empty list", moto, beside_moto),
    ):
        ours(), theirs()
        found = compare(ours, theirs, effort.rounds)
        rates = per_second(1 / found.ours), per_second(1 / found.theirs)
        yield Line(row, f"{what} beside {name}", found.ratio, *rates, goal)


def row_r3(effort: Effort, place: Place) -> Iterator[Line]:
    """The last page of a list beside the first, over one connection, in two sizes of the list."""
    servers = doors(place, effort)
    for size in sorted({servers.instances, max(effort.many, servers.instances)}):
        if size > servers.instances:
            servers.grow(size)
        first = _answer(servers.portal, servers.key, LIST, b"{}")
        mark, *_ = json.loads(base64.b64decode(first["nextToken"]))
        after = _instance(size - 101)
        token = base64.b64encode(json.dumps([mark, after["serviceName"], after["name"]]).encode()).decode()
        deep = _body(nextToken=token)
        last = _answer(servers.portal, servers.key, LIST, deep)
        assert (len(last["serviceInstances"]), last.get("nextToken")) == (100, None)
        ours = _rate(servers.portal, servers.key, [(LIST, deep)], effort, connections=1)
        theirs = _rate(servers.portal, servers.key, [(LIST, b"{}")], effort, connections=1)
        ours(), theirs()
        found = compare(lambda ours=ours: 1 / ours(), lambda theirs=theirs: 1 / theirs(), effort.rounds)  # type: ignore[misc]
        times = milliseconds(found.ours), milliseconds(found.theirs)
        yield Line("P-R3", f"last page beside the first of {size} instances", found.ratio, *times, "at most 1.3")


def row_r4(effort: Effort, place: Place) -> Iterator[Line]:
    """One boto3 client, the median of its calls; the raw server gives boto3 the same bytes."""
    servers = doors(place, effort)
    asked = _instance(servers.instances // 2)
    raw = servers.raw(json.dumps(_answer(servers.portal, servers.key, "GetServiceInstance", _body(**asked))).encode())
    clients = [servers.client("proton", port) for port in (servers.portal, raw)]
    ecs = servers.client("ecs", servers.moto)

    def reading(client: object) -> Callable[[], float]:
        return lambda: median_seconds(lambda: client.get_service_instance(**asked), 2 * effort.seconds)  # type: ignore[attr-defined]

    ours, floor = (reading(client) for client in clients)
    for name, theirs, goal in (
        ("a server that gives the same bytes", floor, "at most 2.5"),
        ("moto's list by boto3", lambda: median_seconds(ecs.list_clusters, 2 * effort.seconds), "at most 0.7"),
    ):
        ours(), theirs()
        with driving.beside_the_servers():
            found = compare(ours, theirs, effort.rounds)
        times = milliseconds(found.ours), milliseconds(found.theirs)
        yield Line("P-R4", f"boto3 reads one beside {name}", found.ratio, *times, goal)


def row_r5(effort: Effort, place: Place) -> Iterator[Line]:
    """A template made, with its audit event, for one signature and one name once; each call has a name of its own."""
    servers = doors(place, effort)

    def creating(port: int) -> Callable[[], float]:
        def once() -> float:
            bodies = [_body(name=name, description="Made by the bench") for name in servers.names(effort.writes)]
            signed = [servers.key.request(port, "CreateEnvironmentTemplate", body) for body in bodies]
            try:
                return driving.rate_once(port, signed)
            finally:
                servers.forget_templates()

        return once

    ours, theirs = creating(servers.portal), creating(servers.django)
    ours(), theirs()
    found = compare(ours, theirs, effort.rounds)
    rates = per_second(1 / found.ours), per_second(1 / found.theirs)
    yield Line("P-R5", "create beside one INSERT in a bare Django view", found.ratio, *rates, "at least 0.40")

    client, ecs = servers.client("proton", servers.portal), servers.client("ecs", servers.moto)

    def by_boto3(create: Callable[[str], object]) -> Callable[[], float]:
        def once() -> float:
            names = iter(servers.names(effort.writes))
            try:
                return median_seconds(lambda: create(next(names)), 2 * effort.seconds, effort.writes)
            finally:
                servers.forget_templates()

        return once

    template = by_boto3(lambda name: client.create_environment_template(name=name, description="Made by the bench"))
    cluster = by_boto3(lambda name: ecs.create_cluster(clusterName=name))
    template(), cluster()
    with driving.beside_the_servers():
        found = compare(template, cluster, effort.rounds)
    times = milliseconds(found.ours), milliseconds(found.theirs)
    yield Line("P-R5", "boto3 creates beside moto's create_cluster", found.ratio, *times, "at most 0.8")


def _body(**members: str) -> bytes:
    return json.dumps(members).encode()


def _instance(number: int) -> dict[str, str]:
    return {"serviceName": fleet.service_name(number), "name": fleet.instance_name(number)}


def _answer(port: int, key: Caller, operation: str, body: bytes) -> dict[str, Any]:
    return dict(json.loads(driving.answer(port, key.request(port, operation, body))))


def _rate(
    port: int, key: Caller, reads: Requests, effort: Effort, *, connections: int = driving.CONNECTIONS
) -> Callable[[], float]:
    """Signs anew at each turn: a signature is good for five minutes."""
    return lambda: driving.rate(
        port,
        [key.request(port, operation, body) for operation, body in reads],
        2 * effort.seconds,
        connections=connections,
    )
