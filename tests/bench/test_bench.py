import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.aws import ROOT
from tests.bench.measuring import Figures, Line, compare

LINE = re.compile(r"(P-[A-Z]\d) [^:]+: \d+\.\d\d \([\d.]+ ?(?:/s|ms|us|MB) against [\d.]+ ?(?:/s|ms|us|MB)\)")


def test_every_row_runs_and_prints_its_lines():
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=480
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = Counter(found[1] if (found := LINE.fullmatch(line)) else line for line in done.stdout.splitlines())
    wire = {"P-R1": 2, "P-R2": 2, "P-R3": 2, "P-R4": 2, "P-R5": 2}
    assert rows == wire | {"P-V1": 2, "P-V2": 2, "P-W1": 3, "P-W3": 2, "P-S1": 1, "P-S3": 1, "P-M1": 1}


def test_an_unknown_row_is_refused_before_anything_runs():
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "P-X9"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no row P-X9; there are P-V1, P-V2" in done.stderr


def test_each_figure_is_compared_with_the_mean_of_its_neighbours():
    ours, theirs = iter([2.0, 12.0, 9.0]), iter([1.0, 3.0, 5.0, 1.0])
    assert compare(lambda: next(ours), lambda: next(theirs), 3) == Figures(ratio=3.0, ours=9.0, theirs=2.0)


def test_a_line_says_the_ratio_and_both_figures():
    line = Line("P-R1", "wire read", 0.409, "1880/s", "4586/s")
    assert str(line) == "P-R1 wire read: 0.41 (1880/s against 4586/s)"


@pytest.mark.parametrize(
    ("ratio", "goal", "missed"),
    [
        (2.7, "at most 2.6", True),
        (2.6, "at most 2.6", False),
        (4.9, "at least 5", True),
        (5.0, "at least 5", False),
        (99.0, "", False),
    ],
)
def test_a_goal_is_missed_on_the_wrong_side_of_its_bound(ratio, goal, missed):
    assert Line("P-R1", "wire read", ratio, "1/s", "1/s", goal).missed is missed
