"""The embedded AWS (ministack) as one process, run by the Python of its own virtual environment.

It keeps its state in memory and saves it only when it is stopped politely. RUNNING is there while it runs; when it is
found at the start, the run before ended otherwise, and LOST tells the portal to look for what is missing.

    python -m portal.embedded.aws_process 127.0.0.1:PORT RUNNING LOST
"""

import asyncio
import sys
from pathlib import Path


def main(address: str, running: Path, lost: Path) -> None:
    from hypercorn.asyncio import serve  # type: ignore[import-not-found]  # installed beside ministack only
    from hypercorn.config import Config  # type: ignore[import-not-found]
    from ministack.app import app  # type: ignore[import-not-found]

    config = Config()
    config.bind = [address]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    if running.exists():
        lost.touch()
    running.touch()
    asyncio.run(serve(app, config))  # returns after SIGTERM or SIGINT, when the state is saved
    running.unlink()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
