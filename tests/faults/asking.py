"""The web server of another version, as far as it takes requests: one JSON line in, one out.

    {"do": "prepare"} | {"do": "create", "name": …} | {"do": "update", "name": …, "revision": …}

Answers with what was accepted, {"refused": …} or {"failed": …}.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.work import Accepted, Work


class Elsewhere:
    """That process, of the version whose files are in ``code``."""

    def __init__(self, code: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.asking"],
            cwd=code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline() or '{"failed": "the process ended"}'))

    def accepted(self, answer: dict[str, Any]) -> Accepted | None:
        if "deployment" not in answer:
            return None
        return Accepted(**{**answer, "deployment": UUID(answer["deployment"])})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def _answer(work: Work, do: str, **how: Any) -> dict[str, Any]:
    from portal.errors import PortalError

    try:
        entry: Any = getattr(work, do)(**how)
    except PortalError as refusal:
        return {"refused": str(refusal)}
    except Exception as trouble:
        return {"failed": f"{type(trouble).__name__}: {trouble}"}
    return {} if do == "prepare" else {**vars(entry), "deployment": str(entry.deployment)}


def main() -> None:
    import django

    django.setup()
    work = Work(joins=True)
    for line in sys.stdin:
        print(json.dumps(_answer(work, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
