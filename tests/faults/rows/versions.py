"""Old and new code beside each other."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.aws import ROOT
from tests.faults import unprotected
from tests.faults.arena import Arena
from tests.faults.asking import Elsewhere
from tests.faults.older import new_migrations, no_older_version, older_code, versions
from tests.faults.referee import harm
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]


def upgrade(arena: Arena, work: Work, size: Size) -> Result:
    """As docs/operations.md says: migrate while the old processes serve, then replace them, which here are killed.

    Four times work is asked for: before, with old web and workers on the new database, with old workers and new web,
    and with new workers and old web.
    """
    old = Elsewhere(arena.code)
    failed: list[str] = []
    asked = {"old_before": 0, "old_on_new_database": 0, "new_web_with_old_workers": 0, "old_web_with_new_workers": 0}
    each = int(size["each"])

    def of_old(when: str, do: str, name: str, **how: Any) -> None:
        answer = old.ask(do=do, name=name, **how)
        asked[when] += 1
        entry = old.accepted(answer)
        if entry is not None:
            work.accepted.append(entry)
        elif do == "create" or "refused" not in answer:  # a change may come while another one runs
            failed.append(f"{when}: {answer}")

    def of_new(when: str, do: Any, *how: Any) -> None:
        asked[when] += 1
        try:
            if work.tried(do, *how) is None and do == work.create:
                failed.append(f"{when}: {how} was refused")
        except Exception as trouble:
            failed.append(f"{when}: {type(trouble).__name__}: {trouble}")

    try:
        prepared = old.ask(do="prepare")
        assert prepared == {}, prepared
        names = [f"env-{number}" for number in range(each)]
        for name in names:
            of_old("old_before", "create", name)
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=ROOT, check=True)
        if "additive" in arena.without:
            unprotected.PROTECTIONS["additive"]()
        work.wait(size["seconds"], names)
        for number, name in enumerate(names):
            of_old("old_on_new_database", "update", name, revision=2)
            of_old("old_on_new_database", "create", f"more-{number}")
        for number in range(each):
            of_new("new_web_with_old_workers", work.create, f"new-{number}")
        time.sleep(size["mixed"])
        killed = 0

        def roll() -> None:
            nonlocal killed
            killed = arena.roll(ROOT, size["mixed"])

        rolling = threading.Thread(target=roll)
        rolling.start()
        work.wait(size["seconds"], names)
        for name in names:
            of_new("new_web_with_old_workers", work.update, name, 3)
        rolling.join()
        for number in range(each):
            of_old("old_web_with_new_workers", "create", f"late-{number}")
        time.sleep(size["mixed"])
        arena.kill()
        work.wait(size["seconds"])
    finally:
        old.close()
    before, after = versions()
    return Result(
        faults={**asked, "workers_killed": killed + 1},
        harm={**harm(arena, work), "failed_requests": len(failed)},
        figures={"from": before, "to": after, "migrations": new_migrations(), "failed": failed[:3]},
    )


ROWS = [
    Row(
        37,
        "an upgrade with work in flight",
        upgrade,
        ("additive",),
        small={"each": 2, "mixed": 0.3, "seconds": 60},
        full={"each": 60, "mixed": 5.0, "seconds": 300},
        patience=8,
        # older code reads plain rows only
        arena={"lease": 1.5, "database": {}, "code": older_code, "settings": {"SEAL_INPUTS": "false"}},
        needs=no_older_version,
    ),
]
