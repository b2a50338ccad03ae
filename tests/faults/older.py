"""The product as it was with fewer migrations: the version that an upgrade starts from."""

import atexit
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.aws import ROOT

MIGRATIONS = "portal/migrations"
FOLDERS = ("portal", "provisioning", "manage.py", "templates", "tests")


@cache
def commit_before() -> str:
    """The newest commit whose migrations are some of today's, word for word; "" when the history has none.

    Word for word, because only then a database of that version can be upgraded: a migration that was changed or put
    in another order before it was released is another migration, whatever its name.
    """
    today = _migrations("HEAD")
    for commit in _git("log", "--topo-order", "--format=%H", "--", MIGRATIONS).split():
        if set() < _migrations(commit) < today:
            return commit
    return ""


def new_migrations() -> list[str]:
    """Names of those that the upgrade brings."""
    return sorted(name for name, _ in _migrations("HEAD") - _migrations(commit_before()))


def _migrations(commit: str) -> set[tuple[str, str]]:
    """Names, and what is in them."""
    listed = _git("ls-tree", "--format=%(path) %(objectname)", commit, f"{MIGRATIONS}/")
    return {(Path(path).stem, blob) for path, blob in map(str.split, listed.splitlines()) if re.search(r"/\d+_", path)}


def no_older_version() -> str:
    """Why there is none to upgrade from, or ""."""
    return "" if commit_before() else "needs the history of the repository, with a version that has fewer migrations"


def older_code() -> Path:
    """That version's files in a folder of their own, with the faults of today. They go when this process ends.

    Its factories are its own: those of today make rows that it does not know.
    """
    folder = Path(tempfile.mkdtemp(prefix="older-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / "older.tar"
    subprocess.run(
        ["git", "archive", f"--output={archive}", commit_before(), *FOLDERS],
        cwd=ROOT,
        check=True,
    )
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"], check=True)
    archive.unlink()
    faults = folder / "tests" / "faults"
    shutil.rmtree(faults, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "faults", faults, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docker-compose.yml").write_text((ROOT / "docker-compose.yml").read_text())
    return folder


def versions() -> tuple[str, str]:
    """Short names of the commits before and after."""
    return commit_before()[:7], _git("rev-parse", "--short", "HEAD")


def _git(*args: str) -> str:
    try:
        done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return re.sub(r"\s+$", "", done.stdout) if done.returncode == 0 else ""
