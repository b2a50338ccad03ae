"""What a server must not be started with. Imported by the settings, so it imports nothing of ours."""

import argparse
import fcntl
import ipaddress
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SHORTEST_SECRET = 50  # characters, and this many different ones at least (Django's own check, security.W009):
FEWEST_CHARACTERS = 5
EXAMPLES = ("change", "example", "default", "secret", "insecure", "password", "django-insecure", "not-secret", "xxxx")


def refusals(
    *,
    secret_key: str,
    encryption_keys: Sequence[str],
    debug: bool,
    simulation: bool,
    database_engine: str,
    web_workers: int,
) -> list[str]:
    """Why a server with these settings must not start, in sentences; [] when it may."""
    found = []
    weak = len(secret_key) < SHORTEST_SECRET or len(set(secret_key)) < FEWEST_CHARACTERS
    if weak or secret_key.lower().startswith(EXAMPLES):
        found.append(
            f"SECRET_KEY is short or well known: put a random string of at least {SHORTEST_SECRET} characters into the "
            "environment (see .env.example)."
        )
    if any(len(set(key)) < FEWEST_CHARACTERS for key in encryption_keys):
        found.append("ENCRYPTION_KEYS holds a well-known key: make one of your own (see .env.example).")
    if debug:
        found.append("DEBUG is on and would show settings and code to strangers: leave it out on a server.")
    if simulation:
        found.append("SIMULATION is set and nothing would be deployed: leave it out on a server.")
    if database_engine.endswith("sqlite3") and web_workers > 1:
        found.append(
            f"SQLite is for one web process and {web_workers} are asked for: let DATABASE_URL lead to PostgreSQL, or "
            "set WEB_CONCURRENCY=1."
        )
    return found


def sign_in_refusals(
    *, local: str, issuer: str, client: bool, groups: Sequence[str], proxies: Sequence[str]
) -> list[str]:
    """Why nobody could come in, or somebody who should not, with these settings; in sentences."""
    found = []
    if issuer:
        address = urlsplit(issuer)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
            found.append("OIDC_ISSUER must begin with https://, or who signs in could be anybody's word.")
        if not client:
            found.append("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
        if not groups:
            found.append("OIDC_ISSUER needs groups that give a role, such as OIDC_ADMIN_GROUPS (see .env.example).")
    elif local == "false":
        found.append("LOCAL_SIGN_IN=false leaves no way in without OIDC_ISSUER.")
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            found.append(f"TRUSTED_PROXIES holds {proxy}, which is no address or network such as 10.0.0.0/8.")
    return found


def web_workers(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """How many worker processes gunicorn is asked for: on its command line, in GUNICORN_CMD_ARGS, in WEB_CONCURRENCY.

    1 for any other program, and for numbers that cannot be read (gunicorn refuses them itself).
    """
    if Path(argv[0]).stem != "gunicorn" and not argv[0].endswith(os.path.join("gunicorn", "__main__.py")):
        return 1
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_argument("-w", "--workers", type=int)
    for args in (argv[1:], shlex.split(env.get("GUNICORN_CMD_ARGS", ""))):
        try:
            asked = options.parse_known_args(list(args))[0].workers
        except (argparse.ArgumentError, ValueError):
            continue
        if asked is not None:
            return int(asked)
    said = env.get("WEB_CONCURRENCY", "")
    return int(said) if said.isascii() and said.isdigit() else 1


def only_worker(database: Mapping[str, Any]) -> int | None:
    """Hold the one place for a worker that a SQLite file has; None for a server's database, which has room for many.

    The place is free again when the process ends. Raises SystemExit, in a sentence, when another worker has it.
    """
    if not database["ENGINE"].endswith("sqlite3"):
        return None
    lock = os.open(f"{database['NAME']}.worker", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SystemExit(
            "SQLite is for one worker, and another one is running: let DATABASE_URL lead to PostgreSQL."
        ) from None
    return lock
