"""The folder that holds all state of the embedded stack. One supervisor at a time may use it."""

import base64
import errno
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
LEAST_FREE = 100 * 1024 * 1024  # bytes; below this SQLite and the logs soon fail in ways that are hard to understand
LONGEST_SOCKET = 100  # characters; the kernel takes 107


class CannotStart(Exception):
    """One sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class Place:
    """Where things are below $DATA_DIR. ``lock`` is an open file: closing it lets the next supervisor in."""

    root: Path
    lock: int

    @property
    def database(self) -> Path:
        return self.root / "db.sqlite3"

    @property
    def aws(self) -> Path:
        return self.root / "aws"

    @property
    def credentials(self) -> Path:
        return self.aws / "credentials"

    @property
    def aws_running(self) -> Path:
        """There while the embedded AWS runs; found at its start, it was not stopped cleanly."""
        return self.aws / "running"

    @property
    def aws_lost(self) -> Path:
        """There from an unclean stop of the embedded AWS until the portal has looked for what is missing."""
        return self.aws / "lost"

    @property
    def worker_ready(self) -> Path:
        return self.root / "run" / "worker.ready"

    @property
    def migrated(self) -> Path:
        """Holds the fingerprint of the migrations that the database has seen."""
        return self.root / "run" / "migrated"

    @property
    def demo_made(self) -> Path:
        return self.root / "run" / "demo-made"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


def open_place(root: Path) -> Place:
    """Make the folder and take its lock. Raises CannotStart."""
    try:
        for folder in ("aws/state", "aws/s3", "aws/tmp", "logs", "run"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as probe:
            probe.write(b"x" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as trouble:
        if trouble.errno == errno.ENOSPC:
            raise CannotStart(f"the disk of DATA_DIR {root} is full: make room, or choose another DATA_DIR") from None
        raise CannotStart(
            f"DATA_DIR {root} cannot be written ({trouble.strerror}): choose another, for example "
            "DATA_DIR=/var/tmp/deuteron make run"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise CannotStart(
            f"DATA_DIR {root} is in use by another make run (process {owner}): stop it, or choose another DATA_DIR"
        ) from None
    free = shutil.disk_usage(root).free
    if free < LEAST_FREE:
        os.close(lock)
        raise CannotStart(
            f"the disk of DATA_DIR {root} is full: {free // 2**20} MB are free and {LEAST_FREE // 2**20} MB are needed"
        )
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return Place(root, lock)


def broker_socket(place: Place) -> Path:
    """A path for the broker's socket that is short enough for the kernel."""
    path = place.root / "run" / "broker.sock"
    if len(str(path)) > LONGEST_SOCKET:
        path = Path(tempfile.mkdtemp(prefix="deuteron-")) / "broker.sock"
    return path


def read_secrets(place: Place) -> dict[str, str]:
    """SECRET_KEY and ENCRYPTION_KEYS of this folder, made once."""
    path = place.root / "secrets.json"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        new = path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
        new.replace(path)
    try:
        kept = json.loads(path.read_text())
        return {name: str(kept[name]) for name in ("SECRET_KEY", "ENCRYPTION_KEYS")}
    except (ValueError, KeyError, TypeError):
        raise CannotStart(f"{path} cannot be read: put a copy back, or start anew with another DATA_DIR") from None
