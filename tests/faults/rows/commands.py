"""Commands of bundles that try to get out, and logs that try to drown or to tell."""

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from provisioning.commands import runs
from provisioning.commands.ansi import plain
from provisioning.commands.request import Limits, Request
from provisioning.commands.request import Result as Ended
from provisioning.commands.supervise import PLACES
from tests.commands.probes import PROBES, Outside, got_out
from tests.faults.arena import Arena
from tests.faults.rows.base import Result, Row
from tests.faults.work import Work

Size = Mapping[str, float]
LIMITS = Limits(seconds=90, memory=400 * 1024**2, disk=64 * 1024**2, processes=64, output=1_000_000)
SECRET = "correct-horse/battery staple"


def finish(place: Path, request: Request, seconds: float) -> tuple[Ended | None, str]:
    """How a run ended, and its log as the portal reads it."""
    runs.start(place, request)
    until = time.monotonic() + seconds
    while runs.look(place).state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    text = (place / "log").read_bytes().decode(errors="replace") if (place / "log").exists() else ""
    return runs.look(place).result, plain(text)


def left_over(mark: str) -> int:
    """Processes of this machine that sleep for exactly so long."""
    found = 0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += place.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]
        except OSError:
            continue
    return found


def workspaces() -> set[str]:
    """Folders of runs on this machine whose supervisor is not alive any more."""
    found = Path(tempfile.gettempdir()).glob(f"{PLACES}*-*")
    return {place.name for place in found if not Path("/proc", place.name.split("-")[2]).exists()}


def get_out(arena: Arena, work: Work, size: Size) -> Result:
    """Every probe, then a fork bomb, a full disk and a process that wants to survive. The control has no sandbox."""
    sandbox, before = "sandbox" not in arena.without, workspaces()
    outside = Outside(arena.directory, os.getpid())
    os.environ["CANARY_OF_THE_PORTAL"] = "x"
    ended = 0
    out: list[str] = []
    for number in range(int(size["rounds"])):
        commands, files = outside.commands()
        safe = list(range(len(PROBES)))
        if not sandbox:  # what would change this machine is left out
            harmless = ("read", "other", "environment", "a port", "symlink", "secrets on", "disks", "sockets")
            safe = [index for index, name in enumerate(PROBES) if name.startswith(harmless)]
        chosen = tuple(
            commands[index] if index in safe else f"echo; echo probe-{index}" for index in range(len(PROBES))
        )
        request = Request(chosen, files, hosts=("allowed.test:1",), limits=LIMITS, sandbox=sandbox)
        result, log = finish(arena.directory / f"run-{number}", request, size["seconds"])
        ended += result is not None and result.code == 0
        out += [name for name, got in got_out(log).items() if got] if result is not None else list(PROBES)
    mark = f"9{os.getpid():07d}.25"
    hostile = [f"setsid sleep {mark} & disown; sleep 0.2", "head -c 300M /dev/zero > big"]
    if sandbox:
        hostile.append("timeout 2 bash -c ':(){ :|:& };:' 2>/dev/null; true")
    for number, command in enumerate(hostile):
        finish(arena.directory / f"hostile-{number}", Request((command,), {}, limits=LIMITS, sandbox=sandbox), 60)
    survivors = left_over(mark)
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                os.kill(int(place.parent.name), 9)
        except OSError:
            continue
    return Result(
        faults={"probes": len(PROBES) * size["rounds"], "hostile_runs": len(hostile), "runs_that_ended": ended},
        harm={
            "probes_that_got_out": len(out),
            "connections_to_this_machine": len(outside.reached),
            "survivors": survivors,
            "workspaces_left": len(workspaces() - before),
        },
        figures={"got_out": sorted(set(out))[:12]},
    )


FORMS = (
    'printf "%s\\n" "$SECRET"',
    'for i in $(seq ${#SECRET}); do printf %s "${SECRET:i-1:1}"; sleep 0.002; done; echo',
    'for i in $(seq ${#SECRET}); do printf "\\033[3%dm%s" $((i % 8)) "${SECRET:i-1:1}"; done; echo',
    'printf %s "$SECRET" | base64; printf x%s "$SECRET" | base64; printf xx%s "$SECRET" | base64',
    'printf %s "$SECRET" | od -An -tx1 | tr -d " \\n"; echo',
    'printf "\\342\\200\\213%s\\007" "$SECRET" | sed "s/horse/hor\\x07se/"; echo',
    'printf "\\033]0;title\\007\\033[2J%s\\n" "$SECRET"',
)


def flood(arena: Arena, work: Work, size: Size) -> Result:
    """Secrets in many clothes and in pieces, then more output than fits. The control masks nothing."""
    secrets = () if "masking" in arena.without else (SECRET,)
    environment = {"SECRET": SECRET}
    told = controls = masked = 0
    for number in range(int(size["rounds"])):
        request = Request(FORMS, {}, environment=environment, secrets=secrets, limits=LIMITS)
        _, log = finish(arena.directory / f"told-{number}", request, size["seconds"])
        hexed, encoded = SECRET.encode().hex(), "Y29ycmVjdC1ob3JzZS9iYXR0ZXJ5"
        told += sum(log.count(form) for form in (SECRET, hexed, encoded, "correct-horse"))
        controls += sum(letter < " " and letter not in "\n\t" for letter in log)
        masked += log.count("****")
    flooding = Request((f'yes "$SECRET" | head -c {int(size["megabytes"])}M',), {}, environment=environment)
    flooding = Request(flooding.commands, {}, environment=environment, secrets=secrets, limits=LIMITS)
    result, log = finish(arena.directory / "flood", flooding, size["seconds"])
    return Result(
        faults={"secrets_printed": len(FORMS) * size["rounds"], "megabytes": size["megabytes"]},
        harm={
            "secrets_told": told + log.count(SECRET),
            "control_characters": controls,
            "bytes_over_the_cap": max(0, len(log.encode()) - LIMITS.output),
            "not_ended": result is None or "printed more" not in result.reason,
        },
        figures={"masked": masked, "log_bytes": len(log.encode()), "seconds": result.seconds if result else None},
    )


ROWS = [
    Row(
        19,
        "commands that try to leave their sandbox",
        get_out,
        ("sandbox",),
        small={"rounds": 1, "seconds": 90},
        full={"rounds": 20, "seconds": 900},
        patience=90,
        arena={"workers": 1},
    ),
    Row(
        40,
        "logs that flood, colour, and tell secrets in pieces",
        flood,
        ("masking",),
        small={"rounds": 1, "megabytes": 50, "seconds": 60},
        full={"rounds": 20, "megabytes": 1000, "seconds": 600},
        patience=60,
        arena={"workers": 1},
    ),
]
