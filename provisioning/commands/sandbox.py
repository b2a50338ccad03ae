"""The walls of a run: bubblewrap namespaces, a file system of its own, no network but the proxy's, limits.

Root starts the run as an unprivileged user of its own, so that the limit on processes holds and its files are
nobody else's.
"""

import contextlib
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
SMALL = str(64 * 1024**2)  # bytes of what is not the working folder
TOOLS = f"{INPUT}/bin"
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


def arguments(*, input_folder: Path, uid: int, limits: Limits, info: int) -> list[str]:
    """The options of bubblewrap. ``info`` is a file descriptor on which it says what it started."""
    args = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(uid), "--gid", str(uid)]
    args += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "runner"]
    args += ["--info-fd", str(info)]
    for path in SYSTEM:
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            args += ["--ro-bind", path, path]
    for path in ETC:
        args += ["--ro-bind-try", path, path]
    args += ["--proc", "/proc", "--dev", "/dev", "--size", SMALL, "--tmpfs", "/dev/shm"]  # noqa: S108
    args += ["--remount-ro", "/dev", "--size", SMALL, "--tmpfs", TMP]
    args += ["--size", str(limits.disk), "--tmpfs", WORK, "--ro-bind", str(input_folder), INPUT]
    args += ["--ro-bind", str(input_folder / "etc-passwd"), "/etc/passwd"]
    return [*args, "--remount-ro", "/", "--chdir", WORK]


def limit(limits: Limits, uid: int) -> Callable[[], None]:
    """For the child, before it becomes the run: limits that the kernel keeps, and no core files."""
    # The kernel counts what a user has already: where the run is no user of its own, that is the portal.
    processes = limits.processes + threads_of(uid)

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.disk, limits.disk))
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
        os.nice(5)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as worth:
            worth.write("1000")  # a machine without memory ends runs first

    return apply


def threads_of(uid: int) -> int:
    """How many threads a user has on this machine."""
    found = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if place.stat().st_uid == uid:
                found += sum(1 for _ in (place / "task").iterdir())
    return found


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a run: a few names, and what was asked for. The tools of runs come first on every PATH."""
    path = environment.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin")
    return {
        "HOME": TMP,
        "USER": "runner",
        "LANG": "C.UTF-8",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CODEBUILD_SRC_DIR": WORK,
        **environment,
        "PATH": f"{TOOLS}:{path}",
    }
