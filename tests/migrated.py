"""Databases that have their tables. To migrate takes seconds, so it is done once for each state of the code."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.core.management import call_command
from django.db import connection

from portal.embedded.supervisor import migrations_fingerprint
from tests.aws import ROOT

KEPT = ROOT / ".artifacts"


def migrate() -> None:
    """Bring the database of this process, which is empty, to the newest state."""
    if connection.vendor == "sqlite":
        _copy(Path(str(connection.settings_dict["NAME"])))
    else:
        call_command("migrate", verbosity=0)
    connection.close()


def prepare(name: str) -> None:
    """Make the database that tests of this process use, beside the one that settings name: a file, or in its server."""
    if connection.vendor == "sqlite":
        for end in ("", "-wal", "-shm"):
            Path(name + end).unlink(missing_ok=True)
        _copy(Path(name))
        return
    kept = f"migrated_{migrations_fingerprint()[:16]}"
    with _alone(), connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [kept])
        if not cursor.fetchone():
            cursor.execute(f'CREATE DATABASE "{kept}.new"')
            there = connection.settings_dict
            where = f"{there['USER']}@{quote(there['HOST'], safe='')}:{there['PORT']}"
            _migrate(f"postgres://{where}/{kept}.new")
            cursor.execute(f'ALTER DATABASE "{kept}.new" RENAME TO "{kept}"')
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{kept}"')


@contextmanager
def _alone() -> Iterator[None]:
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(database: Path) -> None:
    kept = KEPT / f"migrated-{migrations_fingerprint()[:16]}.sqlite3"
    with _alone():
        if not kept.exists():
            _migrate(f"sqlite:///{kept}.new")
            os.replace(f"{kept}.new", kept)
        shutil.copyfile(kept, database)


def _migrate(url: str) -> None:
    env = {**os.environ, "DATABASE_URL": url, "DEUTERON_TOOLING": "true"}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=ROOT, env=env, check=True)
