"""Thousands of short lives of two environments, each in another order."""

import contextlib
import io
from collections.abc import Mapping

from tests.faults import unprotected
from tests.faults.alone import open_portal
from tests.faults.rows.base import Bench, Result, Row

Size = Mapping[str, float]
STEPS = 30  # of one run, before everything is driven to its end


def simulate(bench: Bench, size: Size) -> Result:
    open_portal(bench.directory)
    unprotected.take_off(bench.without)
    import hypothesis
    from hypothesis.stateful import run_state_machine_as_test

    from tests.faults.state_machine import Machine

    seed = bench.random.randrange(2**32)
    hypothesis.core.global_force_seed = seed  # type: ignore[assignment]
    settings = hypothesis.settings(
        max_examples=int(size["runs"]),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    told = io.StringIO()
    broken = ""
    with contextlib.redirect_stdout(told):
        try:
            run_state_machine_as_test(Machine, settings=settings)
        except AssertionError as found:
            broken = str(found)
            told.write("\n".join(getattr(found, "__notes__", [])))
    return Result(
        faults={"steps": Machine.steps},
        harm={"runs_with_a_violation": int(bool(broken))},
        figures={
            "runs": 0 if broken else int(size["runs"]),
            "seed_of_hypothesis": seed,
            "violations": broken.splitlines()[:5],
            "lives": told.getvalue().splitlines()[-60:] if broken else [],
        },
    )


ROWS = [
    Row(
        44,
        "every order of requests, steps, faults and workers",
        simulate,
        ("fence", "once"),
        small={"runs": 25, "seconds": 120},
        full={"runs": 10_000, "seconds": 3600},
        patience=60,
        arena=None,
    ),
]
