"""Webhooks that are forged, replayed, shuffled and lost. GitHub's double says in the end what is true."""

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row
from tests.github.double import GitHubDouble, signature

Size = Mapping[str, float]
SECRET = "the secret of this row"
NAME = "acme/infra"
WINDOW = 40  # deliveries that may overtake each other


@dataclass(frozen=True)
class Sent:
    """One request as it reaches the portal."""

    kind: str  # genuine, replay, forgery
    body: bytes
    delivery_id: str
    signed_with: str


def hints(bench: Bench, size: Size) -> Result:
    """Pull requests are closed, reopened and merged at GitHub; what arrives of the deliveries is another matter."""
    with GitHubDouble(bench.directory) as double:
        double.repository(NAME, {"README.md": "x\n"})
        open_portal(
            bench.directory,
            simulation={"seconds": 0},
            GITHUB_API_URL=double.url,
            GITHUB_TOKEN=double.personal_token(NAME),
            GITHUB_WEBHOOK_SECRET=f"an older one,{SECRET}",
        )
        unprotected.take_off(bench.without)
        return _play(bench, size, double)


def _play(bench: Bench, size: Size, double: GitHubDouble) -> Result:
    from django.conf import settings
    from django.test import Client

    from portal.actions import pull_requests
    from portal.models import WebhookDelivery

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    numbers = _opened(max(2, round(size["pull_requests"])))
    double.hooks.append(("http://127.0.0.1:9/", SECRET))  # where nobody listens: this row delivers itself
    client, counts, taken = Client(), Counter[str](), Counter[str]()
    unmerged = 0
    seen_merged: set[int] = set()
    for request in _arriving(bench, double, numbers, round(size["deliveries"]), counts):
        answer = client.post(
            "/webhooks/github",
            request.body,
            content_type="application/json",
            headers={
                "X-Hub-Signature-256": signature(request.signed_with, request.body),
                "X-GitHub-Delivery": request.delivery_id,
                "X-GitHub-Event": "pull_request",
            },
        )
        taken[request.kind] += answer.content == b"Taken.\n"
        if bench.random.random() < 0.1:
            pull_requests.look_at_due()
            unmerged += _unmerged(seen_merged)
    pull_requests.look_at_due()
    unheard = _unheard(double, numbers[::2])
    behind = _wrong(double)
    started = time.monotonic()
    _poll(len(numbers))
    unmerged += _unmerged(seen_merged)
    distinct = WebhookDelivery.objects.values("body_hash").distinct().count()
    return Result(
        faults={**{name: counts[name] for name in ("forgery", "replay", "dropped", "overtaken")}, "unheard": unheard},
        harm={
            "forgeries_taken": taken["forgery"],
            "replays_taken": taken["replay"],
            "merged_came_back": unmerged,
            "wrong_in_the_end": _wrong(double),
        },
        figures={
            "genuine_taken": taken["genuine"],
            "kept": distinct,
            "wrong_before_the_poll": behind,
            "poll_seconds": round(time.monotonic() - started, 2),
        },
    )


def _opened(count: int) -> list[int]:
    """Pull requests of a deployment, in the forge and as rows."""
    from portal import forges
    from portal.actions import repositories
    from portal.models import PullRequest
    from tests.factories import rows

    platform = rows.person("pat", "platform")
    repositories.link(by=platform, provider="GITHUB", name=NAME)
    deployment = rows.environment("home").latest
    assert deployment is not None
    forge, there = forges.forge("GITHUB", NAME)
    head = forge.head(there, "main")
    assert head is not None
    found = []
    for index in range(count):
        branch = f"change-{index}"
        forge.commit(there, branch, head, {f"{index}.tf": "x\n"}, "Change")
        opened = forge.open_pull_request(there, branch, "Change", "")
        PullRequest.objects.create(
            deployment=deployment,
            provider="GITHUB",
            repository=NAME,
            base="main",
            branch=branch,
            number=opened.number,
            url=opened.url,
            title="Change",
            opened_at=datetime.fromtimestamp(opened.opened_at, UTC),
        )
        found.append(opened.number)
    return found


def _happens(bench: Bench, double: GitHubDouble, numbers: list[int], count: int) -> Iterator[dict[str, Any]]:
    """What people do at GitHub, each with the delivery that it sends."""
    store = double.stores[NAME]
    for step in range(count):
        number = bench.random.choice(numbers)
        pull = store.pulls[number - 1]
        what = bench.random.random()
        if pull.merged_at or what < 0.5:
            about = {"action": "labeled", "number": number, "pull_request": pull, "label": {"name": f"label-{step}"}}
            double.hook("pull_request", store, about)
        elif pull.state == "closed":
            pull.state, pull.closed_at = "open", 0.0
            double.hook("pull_request", store, {"action": "reopened", "number": number, "pull_request": pull})
        elif what < 0.52:
            double.press_merge(NAME, number)
        else:
            double.press_close(NAME, number)
        yield double.deliveries[-1]


def _arriving(
    bench: Bench, double: GitHubDouble, numbers: list[int], count: int, counts: "Counter[str]"
) -> Iterator[Sent]:
    """The deliveries as they reach the portal: some never do, some twice and under another id, in another order; and
    those that somebody else made up."""
    window: list[tuple[int, Sent]] = []
    last = -1
    for index, delivery in enumerate(_happens(bench, double, numbers, count)):
        arrives = bench.random.random() >= 0.1
        counts["dropped"] += not arrives
        sent = Sent("genuine", delivery["body"], delivery["id"], SECRET)
        if arrives:
            window.append((index, sent))
            if bench.random.random() < 0.3:
                again = delivery["id"] if bench.random.random() < 0.5 else str(uuid.uuid4())
                window.append((index, Sent("replay", sent.body, again, SECRET)))
        if bench.random.random() < 0.25:
            made_up = json.dumps({**json.loads(sent.body), "action": f"closed {index}"}).encode()
            window.append((index, Sent("forgery", made_up, str(uuid.uuid4()), f"guess {index}")))
        if len(window) < WINDOW and index < count - 1:
            continue
        bench.random.shuffle(window)
        known: set[str] = set()
        for at, one in window:
            counts["overtaken"] += at < last
            last = at
            digest = hashlib.sha256(one.body).hexdigest()
            kind = "genuine" if one.kind == "replay" and digest not in known else one.kind  # whichever comes first
            kind = "replay" if one.kind == "genuine" and digest in known else kind
            known.add(digest)
            counts[kind] += 1
            yield Sent(kind, one.body, one.delivery_id, one.signed_with)
        window.clear()


def _unheard(double: GitHubDouble, numbers: list[int]) -> int:
    """The last thing that happens to these, and no delivery of it ever comes. How many that were."""
    double.hooks.clear()
    done = 0
    for number in numbers:
        pull = double.stores[NAME].pulls[number - 1]
        if pull.merged_at:
            continue
        if pull.state == "closed":
            pull.state, pull.closed_at = "open", 0.0
        elif number % 3:
            double.press_merge(NAME, number)
        else:
            double.press_close(NAME, number)
        done += 1
    return done


def _poll(count: int) -> None:
    """The time has come to look at what nobody told of; then everything that is due is looked at."""
    from portal.actions import pull_requests
    from portal.models import PullRequest

    PullRequest.objects.filter(look_at__isnull=False).update(look_at=pull_requests.from_now(0))
    for _ in range(count // pull_requests.BATCH + 1):
        pull_requests.look_at_due()


def _unmerged(seen: set[int]) -> int:
    """How many rows were merged once and are not any more."""
    from portal.models import PullRequest

    now = set(PullRequest.objects.filter(state="merged").values_list("pk", flat=True))
    lost = len(seen - now)
    seen |= now
    return lost


def _wrong(double: GitHubDouble) -> int:
    """Rows that do not say what GitHub says."""
    from portal.models import PullRequest

    pulls = double.stores[NAME].pulls
    return sum(
        row.state != ("merged" if pulls[row.number - 1].merged_at else pulls[row.number - 1].state)
        for row in PullRequest.objects.all()
    )


ROWS = [
    Row(
        23,
        "webhooks that are forged, replayed, shuffled and lost",
        hints,
        ("hmac", "inbox"),
        small={"pull_requests": 10, "deliveries": 120, "seconds": 60},
        full={"pull_requests": 200, "deliveries": 10_000, "seconds": 900},
        arena=None,
    )
]
