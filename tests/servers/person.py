"""Somebody who uses a running portal over HTTP, without JavaScript."""

import re

import requests

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Person:
    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()

    def get(self, path: str) -> str:
        answer = self.session.get(self.address + path, timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def post(self, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes]] | None = None) -> str:
        """Where the answer leads. Asserts that it leads somewhere."""
        data = {**fields, "csrfmiddlewaretoken": self.session.cookies.get("csrftoken", "")}
        answer = self.session.post(
            self.address + path, data=data, files=files, timeout=30, allow_redirects=False, headers=self._origin()
        )
        assert answer.status_code == 302, f"{path}: {answer.status_code}\n{re.sub('<[^>]*>', ' ', answer.text)[-1500:]}"
        return answer.headers["Location"].removeprefix(self.address)

    def _origin(self) -> dict[str, str]:
        return {"Origin": self.address, "Referer": self.address + "/"}

    def sign_in(self, name: str, password: str) -> None:
        self.get("/sign-in/")
        self.post("/sign-in/", {"username": name, "password": password})

    def create_environment(self, template: str, name: str, **inputs: str) -> str:
        """Through the wizard, from the choice of the template to the end; the new environment's address."""
        draft = self.post("/environments/new/", {"template": template, "version": "1.0"})
        details = re.match(r"/drafts/[^/]+/", draft)
        assert details is not None, draft
        self.post(f"{details[0]}details/", {"/version": "1.0", "/name": name})
        self.post(f"{details[0]}inputs/", {f"/spec/{key}": value for key, value in inputs.items()})
        return self.post(f"{details[0]}submit/", {})
