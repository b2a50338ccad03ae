"""The application in the sample repository of `make run`: small, and with what a pipeline needs."""

NAME = "platform/sample-app"
FILES = {
    "README.md": """\
# Sample application

Answers with a greeting on port 8080. Choose this repository for a service with a pipeline.

    python -m unittest     # the tests
    python app.py          # http://127.0.0.1:8080
""",
    "app.py": '''\
"""A web application that says hello."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8080"))


def greeting(path: str) -> str:
    name = path.strip("/") or "world"
    return f"Hello, {name}!\\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = greeting(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
''',
    "test_app.py": """\
import unittest

from app import greeting


class GreetingTest(unittest.TestCase):
    def test_it_greets_the_world(self) -> None:
        self.assertEqual(greeting("/"), "Hello, world!\\n")

    def test_it_greets_by_name(self) -> None:
        self.assertEqual(greeting("/ada"), "Hello, ada!\\n")
""",
    "Dockerfile": """\
FROM python:3.13-slim
WORKDIR /app
COPY app.py .
USER nobody
EXPOSE 8080
CMD ["python", "app.py"]
""",
}
