"""One row, one JSON object."""

import argparse
import json
import signal
import sys

from tests.faults.rows import __doc__ as about
from tests.faults.rows.base import failures, play
from tests.faults.rows.table import ROWS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.rows", description=about)
    parser.add_argument("row", type=int, choices=sorted(ROWS))
    parser.add_argument("--share", type=float, default=0.0, help="of the full counts; the small ones at least")
    parser.add_argument("--control", action="store_true", help="without what protects the product: must fail")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # everything that was started is ended
    figures = play(ROWS[options.row], share=options.share, control=options.control, seed=options.seed)
    figures["failures"] = failures(figures)
    print(json.dumps(figures))
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
