"""The tables of a run. To migrate takes seconds, so a SQLite database is migrated once for each state of the code."""

import fcntl
import os
import shutil
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from portal.embedded.supervisor import migrations_fingerprint
from tests.aws import ROOT

KEPT = ROOT / ".artifacts"


def migrate() -> None:
    """Bring the database of this process, which is empty, to the newest state."""
    if connection.vendor != "sqlite":
        call_command("migrate", verbosity=0)
    else:
        _copy(Path(str(connection.settings_dict["NAME"])))
    connection.close()


def _copy(database: Path) -> None:
    KEPT.mkdir(exist_ok=True)
    kept = KEPT / f"migrated-{migrations_fingerprint()[:16]}.sqlite3"
    with (KEPT / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            shutil.copyfile(kept, database)
            return
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copyfile(database, f"{kept}.new")
        os.replace(f"{kept}.new", kept)
