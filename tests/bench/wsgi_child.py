"""Calls a WSGI application without a server, and says how long it takes: ``python -m tests.bench.wsgi_child MODULE``.

Reads one JSON request a line (path, cookie, seconds) and answers with the seconds that one call takes on average.
"""

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.aws import ROOT
from tests.bench.measuring import seconds_per_call


def request(application: Callable[..., Any], path: str, cookie: str) -> Callable[[], bytes]:
    """One GET. The call raises unless the answer is 200."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_COOKIE": cookie,
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }

    def call() -> bytes:
        answered = []
        body = application(environ | {"wsgi.input": io.BytesIO()}, lambda status, headers: answered.append(status))
        content = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        if answered != ["200 OK"]:
            raise RuntimeError(f"{path} answered {answered}")
        return content

    return call


class Application:
    """The other end: a process that has loaded a WSGI application. ``folder`` is where its module lies."""

    def __init__(self, module: str, environment: Mapping[str, str], folder: Path = ROOT):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.wsgi_child", module],
            env=dict(environment) | {"PYTHONPATH": f"{folder}:{ROOT}"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds_per_call(self, path: str, seconds: float, cookie: str = "") -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"path": path, "cookie": cookie, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.communicate(timeout=10)  # the end of its input is its end


def main(module: str) -> None:
    application = importlib.import_module(module).application
    for line in sys.stdin:
        asked = json.loads(line)
        call = request(application, asked["path"], asked["cookie"])
        print(seconds_per_call(call, asked["seconds"]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
