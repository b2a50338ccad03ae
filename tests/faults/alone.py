"""The product in one process, without workers, broker or AWS: for rows about who may what, or in which order."""

import json
import os
from pathlib import Path
from typing import Any


def open_portal(directory: Path, *, simulation: dict[str, Any] | None = None, **environment: str) -> None:
    """Sets Django up with a database of its own. Once per process."""
    database = os.environ.get("FAULTS_DATABASE_URL", "")
    os.environ.update(
        DJANGO_SETTINGS_MODULE="portal.settings",
        DEUTERON_TOOLING="true",
        DATA_DIR=str(directory),
        DATABASE_URL=database or f"sqlite:///{directory / 'db.sqlite3'}",
        BROKER_URL="memory://",
        LOG_LEVEL="CRITICAL",
        **({"SIMULATION": json.dumps(simulation)} if simulation is not None else {}),
    )
    os.environ.update(environment)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import setup_test_environment

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    setup_test_environment()
    from tests.migrated import migrate

    migrate()
    if database:
        call_command("flush", verbosity=0, interactive=False)
    else:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")  # nothing here outlives the process
