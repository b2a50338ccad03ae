"""The walls of a run: bubblewrap namespaces, a file system of its own, no network but the proxy's, limits.

Root starts the run as an unprivileged user of its own, so that the limit on processes holds and its files are
nobody else's.
"""

import os
import resource
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioning.commands.request import Limits

WORK, TMP = "/work", "/tmp"  # noqa: S108 (inside of the sandbox, where nobody else is)
INPUT = "/run/input"
FIRST_UID = 61_000  # of runs that root starts; one of a thousand, so that two at once are hardly ever the same
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
ETC = ("/etc/ssl", "/etc/ca-certificates", "/etc/pki", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf.d")
ACCOUNT = "runner:x:{uid}:{uid}:runner:/tmp:/bin/bash\n"


class NoSandbox(Exception):
    """This machine cannot separate a run from itself. The message says what to do."""


def find_bwrap() -> str:
    """The path of bubblewrap. Raises NoSandbox."""
    found = shutil.which("bwrap")
    if found is None:
        raise NoSandbox(
            "Commands run in a sandbox, and bubblewrap is not installed: install the package bubblewrap on the "
            "workers, or let an admin allow commands without a sandbox."
        )
    return found


def user_of(seed: int) -> int:
    """The user that a run of this process gets: our own, or an unprivileged one where we are root."""
    return FIRST_UID + seed % 1000 if os.geteuid() == 0 else os.geteuid()


def arguments(*, bwrap: str, input_folder: Path, uid: int, limits: Limits, info: int) -> list[str]:
    """The command line up to the program. ``info`` is a file descriptor on which bubblewrap says what it started."""
    args = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(uid), "--gid", str(uid)]
    args += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--hostname", "runner"]
    args += ["--info-fd", str(info)]
    for path in SYSTEM:
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            args += ["--ro-bind", path, path]
    for path in ETC:
        args += ["--ro-bind-try", path, path]
    args += ["--proc", "/proc", "--dev", "/dev", "--size", str(64 * 1024**2), "--tmpfs", TMP]
    args += ["--size", str(limits.disk), "--tmpfs", WORK, "--ro-bind", str(input_folder), INPUT]
    args += ["--ro-bind", str(input_folder / "etc-passwd"), "/etc/passwd"]
    return [*args, "--remount-ro", "/", "--chdir", WORK]


def limit(limits: Limits) -> Callable[[], None]:
    """For the child, before it becomes the run: limits that the kernel keeps, and no core files."""

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.disk, limits.disk))
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
        os.nice(5)

    return apply


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a run: a few names, and what was asked for."""
    return {
        "PATH": "/run/input/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin",
        "HOME": TMP,
        "USER": "runner",
        "LANG": "C.UTF-8",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CODEBUILD_SRC_DIR": WORK,
        **environment,
    }
