"""Prints one line per ratio: ``python -m tests.bench [--quick] [ROW …]``. See docs/benchmarks.md.

The lines go to standard output; a goal that is missed is said on standard error, and changes no exit code: a machine
that is busy with other things can miss any.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.checking import row_w3
from tests.bench.measuring import QUICK, Effort, Line
from tests.bench.rendering import row_v1, row_v2
from tests.bench.site import Place
from tests.bench.starting import row_m1, row_s1, row_s3
from tests.bench.wire import row_r1, row_r2, row_r3, row_r4, row_r5
from tests.bench.wizard import row_w1

ROWS: dict[str, Callable[[Effort, Place], Iterator[Line]]] = {
    "P-V1": row_v1,
    "P-V2": row_v2,
    "P-W1": row_w1,
    "P-W3": row_w3,
    "P-R1": row_r1,
    "P-R2": row_r2,
    "P-R4": row_r4,
    "P-R5": row_r5,
    "P-R3": row_r3,  # the last of these: it adds rows
    "P-S1": row_s1,
    "P-S3": row_s3,
    "P-M1": row_m1,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios against peers and limits.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all without any")
    parser.add_argument(
        "--quick", action="store_true", help="do everything once: shows that it works, measures nothing"
    )
    asked = parser.parse_args()
    if unknown := [row for row in asked.rows if row not in ROWS]:
        parser.error(f"there is no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    with TemporaryDirectory(prefix="bench-") as folder, Place(Path(folder)) as place:
        for row in asked.rows or ROWS:
            for line in ROWS[row](QUICK if asked.quick else Effort(), place):
                print(line, flush=True)
                if line.missed and not asked.quick:
                    print(f"{line.row}: the goal is {line.goal}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
