"""Whatever is done to the product: nothing is lost, nothing is done twice, nothing stays stuck. Small counts.

Each row runs beside its negative control, which must do harm: a row that cannot fail proves nothing. Harm by chance may
take a control more than one try, and a fault by chance may take a row more than one; harm to the product is never tried
again. How long things took is judged by ``make soak``, which has the machine to itself.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.aws import ROOT
from tests.faults.rows.base import failures
from tests.faults.rows.table import ROWS

SECONDS = 300
TRIES = 3
TIMES = {"recovered_too_late", "others_slowed"}


def begin(*options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.rows", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> dict[str, Any]:
    try:
        out, errors = process.communicate(timeout=SECONDS)
    finally:
        process.terminate()
        process.wait(30)
    assert out.strip(), errors[-3000:]
    return dict(json.loads(out.splitlines()[-1]))


def untimed(figures: dict[str, Any]) -> dict[str, Any]:
    harm = figures.get("harm", {})
    return {**figures, "harm": {name: value for name, value in harm.items() if name not in TIMES}}


def harmed(figures: dict[str, Any]) -> bool:
    return any(figures.get("harm", {}).values())


SANDBOXED = (19, 40)


@pytest.mark.parametrize(
    "number",
    [pytest.param(number, marks=pytest.mark.bubblewrap if number in SANDBOXED else ()) for number in sorted(ROWS)],
)
def test_nothing_is_lost_doubled_or_stuck_and_the_control_fails(number: int):
    if missing := ROWS[number].needs():
        pytest.skip(f"not run: {missing}")
    protected, control = begin(str(number)), begin(str(number), "--control")
    try:
        figures = [untimed(end(protected)), end(control)]
    finally:
        for process in (protected, control):
            process.terminate()
            process.wait(30)
    for _ in range(TRIES - 1):
        if not harmed(figures[0]) and failures(figures[0]):
            figures[0] = untimed(end(begin(str(number))))
        if failures(figures[1]):
            figures[1] = end(begin(str(number), "--control"))
    print(json.dumps(figures))
    assert [failures(found) for found in figures] == [[], []], json.dumps(figures, indent=1)


def test_a_run_without_its_fault_proves_nothing():
    assert failures({"control": [], "faults": {"kills": 0}, "harm": {"lost": 0}}) == [
        "no kills: the fault did not happen"
    ]


def test_harm_is_a_failure_of_the_product_and_no_harm_one_of_the_control():
    assert failures({"control": [], "faults": {"kills": 1}, "harm": {"lost": 1}}) == ["lost: 1"]
    assert failures({"control": ["lease"], "faults": {}, "harm": {"lost": 1}}) == []
    assert failures({"control": ["lease"], "faults": {}, "harm": {"lost": 0}}) != []
