"""A PostgreSQL of a run's own that keeps what it committed: it crashes, comes back, and may be reached badly."""

import atexit
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.faults.tcp_liar import TcpLiar
from tests.postgres import SUPERUSER, Postgres


class Database:
    """``behind``: clients reach it through ``liar``. ``disk``: it is alone on a disk of so many megabytes."""

    def __init__(self, *, behind: bool = False, disk: int = 0, seed: int = 1) -> None:
        self.disk: Path | None = mount(disk) if disk else None
        self.liar: TcpLiar | None = None
        # whoever starts the server must live on: it ends with the thread that started it
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="database")
        atexit.register(self._unmount)
        try:
            archiver = {"archive_mode": "on", "archive_command": f"test ! -e {self.stopped}"} if disk else {}
            self.server = self._starter.submit(
                Postgres, durable=True, small=bool(disk), parent=self.disk, options=archiver
            ).result()
        except BaseException:
            self._unmount()
            raise
        self.url = self.server.url()
        if behind:
            self.server.sql(f"ALTER ROLE {SUPERUSER} PASSWORD '{self.server.password}'")
            self.liar = TcpLiar(f"127.0.0.1:{self.server.port}", postgres=True, seed=seed)
            self.url = f"postgres://{SUPERUSER}:{self.server.password}@127.0.0.1:{self.liar.port}/postgres"

    @property
    def stopped(self) -> Path:
        """While a file is here, the archiver takes nothing, and the server keeps its whole log."""
        return Path(str(self.disk)) / "archiver-stopped"

    def not_archived(self) -> int:
        """Segments of the log that wait for the archiver."""
        return sum(1 for _ in (self.server.data / "pg_wal" / "archive_status").glob("*.ready"))

    @property
    def runs(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is None

    def answers(self) -> bool:
        """Whether it takes connections: after a crash it first reads its log again."""
        try:
            self.server.sql("SELECT 1")
        except RuntimeError:
            return False
        return True

    def crash(self) -> None:
        """Every process of it ends at once, and nothing is written any more."""
        self.server.stop(signal.SIGQUIT)

    def start(self) -> bool:
        """Whether it came up: on a full disk it does not."""
        try:
            self._starter.submit(self.server.start).result()
        except RuntimeError:
            self.server.stop(signal.SIGQUIT)
            return False
        return True

    def close(self) -> None:
        if self.liar is not None:
            self.liar.close()
        self.server.close()
        self._starter.shutdown()
        self._unmount()

    def _unmount(self) -> None:
        if self.disk is not None:
            subprocess.run(["umount", str(self.disk)], check=False, capture_output=True)
            shutil.rmtree(self.disk, ignore_errors=True)


def mount(megabytes: int) -> Path:
    """A disk of that size, in memory. Raises PermissionError where that is not allowed."""
    directory = Path(tempfile.mkdtemp(prefix="disk-", dir="/tmp"))
    directory.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "faults", str(directory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        done = subprocess.CompletedProcess(command, 127, "", str(missing))
    if done.returncode:
        with suppress(OSError):
            directory.rmdir()
        raise PermissionError(done.stderr.strip())
    return directory


def may_not_mount() -> str:
    """Why no small disk can be made here, or ""."""
    try:
        directory = mount(1)
    except PermissionError as refused:
        return f"needs permission to mount a small disk: {refused}"
    subprocess.run(["umount", str(directory)], check=True)
    directory.rmdir()
    return ""
