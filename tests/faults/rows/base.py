"""What a row is, and how it is run."""

import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.aws import ROOT
from tests.faults import unprotected
from tests.faults.arena import Arena
from tests.faults.invariants import violations
from tests.faults.work import Work


@dataclass(frozen=True)
class Result:
    faults: dict[str, float]
    harm: dict[str, float]
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What a row has that needs no workers: an empty directory, and the names of the protections that are off."""

    directory: Path
    without: tuple[str, ...]
    random: random.Random


@dataclass(frozen=True)
class Row:
    """``small`` and ``full`` are counts by name, and "seconds": what a run may take before what is left is stuck.

    ``control`` names the protections that the negative control takes off; it waits ``patience`` seconds only. ``run``
    gets an Arena, its Work and the counts; or, where ``arena`` is None, a Bench and the counts.
    """

    number: int
    title: str
    run: Callable[..., Result]
    control: tuple[str, ...]
    small: Mapping[str, float]
    full: Mapping[str, float]
    patience: float = 10
    accounts: int = 1
    arena: Mapping[str, Any] | None = field(default_factory=dict)
    judged: bool = True  # by the invariants


def counts(row: Row, share: float) -> dict[str, float]:
    """The full counts times ``share``, and never less than the small ones. The time bound grows with them."""
    found = {}
    for name, least in row.small.items():
        wanted = row.full.get(name, least) * share
        found[name] = max(least, wanted if isinstance(least, float) else round(wanted))
    return found


def play(row: Row, *, share: float, control: bool, seed: int) -> dict[str, Any]:
    """Run a row in this process, which must not have run one before."""
    size = counts(row, 0 if control else share)
    if control:
        size["seconds"] = row.patience
    without = row.control if control else ()
    run = _alone if row.arena is None else _in_arena
    started = time.monotonic()
    result, broken = run(row, size, without, seed)
    return {
        "row": row.number,
        "title": row.title,
        "control": list(without),
        "seed": seed,
        "commit": commit(),
        "counts": size,
        "seconds": round(time.monotonic() - started, 1),
        "faults": result.faults,
        "harm": {**result.harm, **({} if broken is None else {"invariants": len(broken)})},
        "broken": (broken or [])[:10],
        "figures": result.figures,
    }


def _alone(row: Row, size: Mapping[str, float], without: tuple[str, ...], seed: int) -> tuple[Result, None]:
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        return row.run(Bench(Path(directory), without, random.Random(seed)), size), None


def _in_arena(
    row: Row, size: Mapping[str, float], without: tuple[str, ...], seed: int
) -> tuple[Result, list[str] | None]:
    accounts = tuple(f"{number:012d}" for number in range(100000000001, 100000000001 + row.accounts))
    with Arena(seed=seed, without=without, **(row.arena or {})) as arena:
        unprotected.take_off(set(without) & unprotected.WHERE_PEOPLE_ASK)
        work = Work(accounts=accounts if row.accounts > 1 else ("123456789012",))
        result = row.run(arena, work, size)
        broken = violations(arena, work) if row.judged else None
    return replace(result, figures={**result.figures, "workers_started": arena.started}), broken


def commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip()


def failures(figures: Mapping[str, Any]) -> list[str]:
    """What is wrong with a run: empty for a run that shows what it should show."""
    harm = {name: value for name, value in figures["harm"].items() if value}
    if figures["control"]:
        return [] if harm else ["the control did no harm: the row proves nothing"]
    missing = [f"no {name}: the fault did not happen" for name, value in figures["faults"].items() if not value]
    return missing + [f"{name}: {value}" for name, value in harm.items()]


def percentile(values: list[float], share: float) -> float:
    """0.0 without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0
