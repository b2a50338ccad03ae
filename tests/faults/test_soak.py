"""The report says what happened, also when something went wrong."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults import soak
from tests.faults.soak import merged, page


def run(harm: dict[str, int], failures: list[str]) -> dict[str, Any]:
    kills = {"kills": 3}
    return {
        "commit": "abc",
        "counts": kills,
        "faults": kills,
        "harm": harm,
        "figures": {"recovery_p95_seconds": 2.5},
        "failures": failures,
    }


def report(protected: dict[str, Any], control: dict[str, Any]) -> dict[str, Any]:
    machine: dict[str, Any] = {
        "commit": "abc",
        "when": "today",
        "system": "Linux",
        "cores": 2,
        "python": "3.11",
        "database": "sqlite",
    }
    runs = [{"row": 1, "title": "kill -9", "share": 0.1, "protected": protected, "control": control}]
    machine |= {"packages": {}, "servers": {"valkey": "9.1"}}
    return {"machine": machine, "share": 0.1, "seed": 1, "runs": runs, "not_run": [2, 4]}


def test_a_good_run_has_no_harm_and_its_control_has():
    text = page(report(run({"lost": 0}, []), {**run({"lost": 4}, []), "control": ["lease"]}))
    assert (
        "| 1: kill -9 (10%, abc) | kills 3 | none | lost 4 (without: lease) | recovery p95 seconds 2.5, seconds 0 |"
        in text
    )
    assert "Not run, for want of time: rows 2, 4." in text


def test_a_run_that_never_ended_says_so():
    broken = {"row": 1, "title": "kill -9", "failures": ["did not end within 60 s"]}
    assert "| did not end within 60 s |" in page(report(broken, run({"lost": 4}, [])))


def test_a_row_that_this_machine_cannot_run_is_called_not_run():
    missing = {"row": 1, "title": "kill -9", "not_run": "needs permission to mount a small disk", "failures": []}
    text = page(report(missing, missing))
    assert "| 1: kill -9 | **not run**: needs permission to mount a small disk | | | |" in text
    assert "0 of:" not in text


def test_each_row_says_what_was_asserted_and_how_to_do_it_again():
    text = page(report(run({"lost": 0, "stuck": 0}, []), {**run({"lost": 4}, []), "control": ["lease"]}))
    assert "- `python -m tests.faults.rows 1 --seed 1 --share 0.1`: kills 3. 0 of: lost, stuck.\n" in text
    assert "valkey 9.1" in text


def test_rows_of_an_earlier_report_are_kept_unless_they_were_run_again():
    old = [{"row": 1, "of": "old"}, {"row": 2, "of": "old"}]
    found = merged({"runs": [{"row": 2, "of": "new"}], "not_run": [1, 3]}, old)
    assert found == {"runs": [{"row": 1, "of": "old"}, {"row": 2, "of": "new"}], "not_run": [3]}


def test_a_run_of_some_rows_keeps_the_others_and_fails_for_its_own_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = report(run({"lost": 0}, []), {**run({"lost": 4}, []), "control": ["lease"]})
    (tmp_path / "faults.json").write_text(json.dumps(old))
    new = {**old, "runs": [{**old["runs"][0], "row": 2}], "not_run": [3]}
    monkeypatch.setattr(soak, "soak", lambda *_, **__: [new])
    options = argparse.Namespace(into=tmp_path, keep=False, rows=[2, 3], share=0.1, seconds=1, seed=1)
    assert soak.write(options) == 1
    kept = json.loads((tmp_path / "faults.json").read_text())
    assert ([one["row"] for one in kept["runs"]], kept["not_run"]) == ([1, 2], [3, 4])
    monkeypatch.setattr(soak, "soak", lambda *_, **__: [{**new, "not_run": []}])
    assert soak.write(argparse.Namespace(**{**vars(options), "rows": [2]})) == 0
