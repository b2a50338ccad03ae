"""The product as it was before its newest migration: the version that an upgrade starts from."""

import atexit
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.aws import ROOT

MIGRATIONS = ROOT / "portal" / "migrations"


def newest_migration() -> str:
    return max(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def commit_before() -> str:
    """The last commit of the main line without the newest migration; "" when the history does not say."""
    path = f"portal/migrations/{newest_migration()}.py"
    how = ("--first-parent", "-m", "--no-renames", "--diff-filter=A", "--format=%H", "-1")
    added = _git("log", *how, "--", path)
    before = _git("rev-parse", "--verify", "--quiet", f"{added}^1") if added else ""
    return before if before and _git("ls-tree", "--name-only", before, "portal/migrations/0001_initial.py") else ""


def no_older_version() -> str:
    """Why there is none to upgrade from, or ""."""
    return "" if commit_before() else "needs the history of the repository, with a version before the newest migration"


def older_code() -> Path:
    """That version's files in a folder of their own, with the tests of today. They go when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="older-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / "older.tar"
    subprocess.run(
        ["git", "archive", f"--output={archive}", commit_before(), "portal", "provisioning", "manage.py", "templates"],
        cwd=ROOT,
        check=True,
    )
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "journeys", "bench"))
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
