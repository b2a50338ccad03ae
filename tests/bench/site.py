"""A portal with one person who is signed in and one wizard under way: ``python -m tests.bench.site`` makes it.

Reads the settings of the environment, migrates the database, and prints one JSON object: the session's cookie and the
address of the wizard's page with twenty inputs.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.aws import ROOT


@dataclass(frozen=True)
class Site:
    """``environment``: the variables of every process of this portal."""

    environment: dict[str, str]
    cookie: str
    wizard: str


@dataclass(frozen=True)
class Place:
    """A directory that is thrown away, and the one site of a run, made when a row asks for it. ``open`` holds what
    rows share, and ends with it."""

    folder: Path
    open: ExitStack = field(default_factory=ExitStack)
    shared: dict[type, Any] = field(default_factory=dict)

    @cached_property
    def site(self) -> Site:
        return make_site(self.folder / "data")

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *error: object) -> None:
        self.open.close()


def clean_environment() -> dict[str, str]:
    """Of this process what a server needs, and nothing that would configure it."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}


def portal_environment(folder: Path, database: str) -> dict[str, str]:
    """The variables of a portal that keeps its files in ``folder``, and whose broker refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    return clean_environment() | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATA_DIR": str(folder),
        "DATABASE_URL": database,
        "BROKER_URL": "redis://127.0.0.1:9/0",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": "only-for-this-run-of-a-portal-that-answers-nobody-but-the-bench",
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }


def make_site(folder: Path) -> Site:
    """A portal whose database lies in ``folder``."""
    environment = portal_environment(folder, f"sqlite:///{folder / 'db.sqlite3'}")
    made = subprocess.run(
        [sys.executable, "-m", "tests.bench.site"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    found = json.loads(made.stdout)
    return Site(environment, found["cookie"], found["wizard"])


def main() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from django.urls import reverse

    from portal.actions import drafts
    from provisioning.spec import Spec, dump_spec
    from tests.bench import samples
    from tests.factories import rows

    call_command("migrate", verbosity=0)
    person = rows.person("alice")
    version = rows.version(rows.template(name="twenty"), files=samples.files_of("wizard"))
    draft = drafts.start(by=person, template=version.template, version=version)
    spec = dump_spec(Spec("environment", inputs=samples.WIZARD_INPUTS))
    drafts.save(by=person, draft=draft, details={"name": "orders"}, spec=spec)
    client = Client()
    client.force_login(person)
    name = settings.SESSION_COOKIE_NAME
    wizard = reverse("draft-inputs", args=[draft.pk])
    print(json.dumps({"cookie": f"{name}={client.cookies[name].value}", "wizard": wizard}))


if __name__ == "__main__":
    main()
