"""Ratios of two figures that are taken in turns, and the lines that say them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

Call = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How long to measure. ``rounds``: how often the two sides alternate; ``seconds``: how long a side runs in a round,
    at least once. ``starts``: rounds of rows that start processes; ``requests``: the load before memory is read.
    ``few`` and ``many``: instances in the database of the rows that ask the AWS door; ``writes``: calls of a turn that
    each change something."""

    rounds: int = 7
    seconds: float = 0.25
    starts: int = 5
    requests: int = 300
    few: int = 100_000
    many: int = 1_000_000
    writes: int = 200


# Does everything once and proves nothing about speed.
QUICK = Effort(rounds=1, seconds=0.0, starts=1, requests=8, few=200, many=300, writes=8)


@dataclass(frozen=True)
class Line:
    """One ratio. ``ours`` and ``theirs`` are the figures behind it with their units, ``goal`` is "" when there is none,
    else such as "at most 2.6"."""

    row: str
    what: str
    ratio: float
    ours: str
    theirs: str
    goal: str = ""

    def __str__(self) -> str:
        return f"{self.row} {self.what}: {self.ratio:.2f} ({self.ours} against {self.theirs})"

    @property
    def missed(self) -> bool:
        """Whether the goal is not met."""
        if not self.goal:
            return False
        bound = float(self.goal.rpartition(" ")[2])
        return self.ratio > bound if self.goal.startswith("at most") else self.ratio < bound


@dataclass(frozen=True)
class Figures:
    """Medians; ``ratio`` is the median of the rounds' own ratios, ours over theirs."""

    ratio: float
    ours: float
    theirs: float


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Figures:
    """Measures theirs, ours, theirs, ours, …, theirs: each figure of ours stands between two of theirs, whose mean it
    is compared with, so that a drift of the machine meets both alike. The unit is any that both share."""
    others, owns = [theirs()], []
    for _ in range(rounds):
        owns.append(ours())
        others.append(theirs())
    between = [(before + after) / 2 for before, after in pairwise(others)]
    ratios = [own / other for own, other in zip(owns, between, strict=True)]
    return Figures(ratio=median(ratios), ours=median(owns), theirs=median(others))


def seconds_per_call(call: Call, seconds: float) -> float:
    """How long one call takes on average over ``seconds``; called at least once."""
    calls, started = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            return elapsed / calls


def compare_calls(ours: Call, theirs: Call, effort: Effort) -> Figures:
    """Seconds per call of two functions of this process, both warm."""
    ours()
    theirs()
    return compare(
        lambda: seconds_per_call(ours, effort.seconds),
        lambda: seconds_per_call(theirs, effort.seconds),
        effort.rounds,
    )


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.1 else 2}f} ms"


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us"


def megabytes(size: float) -> str:
    return f"{size / 1024**2:.1f} MB"


def per_second(seconds: float) -> str:
    return f"{1 / seconds:.0f}/s"
