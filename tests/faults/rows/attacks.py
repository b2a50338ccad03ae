"""Archives, templates and documents from strangers, each tried where nothing but time and memory can be lost."""

import contextlib
import io
import os
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.bounded import Tried, resource_of, tried
from tests.faults.rows.base import Bench, Result, Row, percentile

Size = Mapping[str, float]
MOST_MB, MOST_SECONDS = 200, 2.0  # for one archive
# For one document: of the process that checks it; with the interpreters that it starts for patterns, whose searches
# the product bounds itself, and whose start takes longer on a busy machine; and by the clock.
MOST_GROWTH, MOST_CPU, MOST_CPU_WITH_CHILDREN, MOST_WAIT = 50, 0.25, 0.75, 10.0
MOST_WAIT_OF_A_CONTROL = 1.5
TRIES = 3
RENDER_MB, RENDER_SECONDS = 512, 5.0


# Archives


def archives(bench: Bench, size: Size) -> Result:
    """The referee is a folder beside the one that an archive is meant for, and the count of writes of the reader."""
    from tests.faults import hostile_archives as hostile

    target, outside = bench.directory / "inside" / "target", bench.directory / "outside"
    target.mkdir(parents=True)
    outside.mkdir()
    (outside / "canary").write_text("untouched")
    before, aside = _snapshot(bench.directory), _snapshot(outside)
    read = _extracted if "reader" in bench.without else _read
    corpus = hostile.corpus(str(outside), int(size["megabytes"]))
    if "reader" in bench.without:  # those that it falls for, and no long bombs
        corpus = {name: data for name, data in corpus.items() if "upwards" in name or "link" in name}
    accepted, written, unbounded, slowest, largest = [], [], [], 0.0, 0.0
    escaped = 0
    for name, data in corpus.items():
        for door, call in read(data, target).items():
            found = tried(call, seconds=10, directory=target)
            slowest, largest = max(slowest, found.cpu), max(largest, found.grown)
            if found.answer != "refused":
                accepted.append(f"{name} ({door}): {found.answer or found.error}")
            if found.cpu > MOST_SECONDS or found.grown > MOST_MB or found.error == "killed":
                unbounded.append(f"{name}: {found.seconds:.1f} s, {found.grown:.0f} MB")
            if found.writes or _snapshot(bench.directory) != before:
                written.append(f"{name}: {found.writes} writes")
            escaped += _snapshot(outside) != aside
            before, aside = _snapshot(bench.directory), _snapshot(outside)
    opened = [name for name, files in hostile.inert().items() if not _stays_closed(files, target)]
    damaged = _damaged(bench, int(size["damaged"]), target)
    return Result(
        faults={"archives": len(corpus), "damaged_archives": damaged.get("tried", 0)},
        harm={
            "not_refused": len(accepted),
            "written": len(written),
            "written_outside": escaped,
            "out_of_bounds": len(unbounded),
            "inner_archives_opened": len(opened),
            "damaged_archives_with_another_end": damaged.get("wrong", 1),
        },
        figures={
            "slowest_seconds": round(slowest, 2),
            "largest_growth_mb": round(largest),
            "examples": [*accepted[:5], *written[:5], *unbounded[:5], *damaged.get("examples", [])],
        },
    )


class _Bucket:
    def __init__(self, data: bytes):
        self.data = data

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.data)}


def _read(data: bytes, _: Path) -> dict[str, Callable[[], str]]:
    from provisioning.sources import read_archive, read_s3

    return {
        "upload": partial(_refused, partial(read_archive, data)),
        "s3": partial(_refused, partial(read_s3, "bucket", "key", _Bucket(data))),
    }


def _refused(call: Callable[[], dict[str, bytes]]) -> str:
    from provisioning.problems import ProblemsFound

    try:
        return f"{len(call())} files"
    except ProblemsFound:
        return "refused"


def _extracted(data: bytes, target: Path) -> dict[str, Callable[[], str]]:
    """What the standard library would do with it."""

    def extract() -> str:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                archive.extractall(target)
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(target)
        return "extracted"

    return {"extractall": extract}


def _snapshot(root: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            at = os.lstat(path)
            found[path] = (at.st_mode, at.st_size if name in files else 0, at.st_mtime_ns if name in files else 0)
    return found


def _stays_closed(files: Mapping[str, bytes], target: Path) -> bool:
    """Whether an archive inside an archive is what every other file is: bytes."""
    from provisioning.sources import read_archive
    from tests.factories.bundles import tar_gz

    found = tried(lambda: read_archive(tar_gz(files)) == files, directory=target)
    return found.answer is True and not found.writes


def _damaged(bench: Bench, count: int, target: Path) -> dict[str, Any]:
    """Archives with random bytes changed: files with clean names, or a refusal, and no other end."""
    from provisioning.names import Names
    from provisioning.problems import ProblemsFound
    from provisioning.sources import read_archive
    from tests.factories.bundles import environment_files, member, tar_gz, tar_of, zip_of

    files = environment_files()
    whole = [tar_gz(files), tar_of(*(member(*file) for file in files.items())), zip_of(files)]

    def all_of_them() -> dict[str, Any]:
        wrong = []
        for number in range(count):
            data = bytearray(whole[number % 3])
            for _ in range(bench.random.choice((1, 1, 2, 8))):
                data[bench.random.randrange(len(data))] = bench.random.randrange(256)
            if bench.random.random() < 0.2:
                del data[bench.random.randrange(len(data)) :]
            try:
                names = list(read_archive(bytes(data)))
                if any(name != Names().clean(name) for name in names):
                    wrong.append(f"names {names}")
            except ProblemsFound:
                continue
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")
        return {"tried": count, "wrong": len(wrong), "examples": wrong[:3]}

    found = tried(all_of_them, seconds=600, directory=target)
    return dict(found.answer) if isinstance(found.answer, dict) and not found.writes else {}


# Templates


def templates(bench: Bench, size: Size) -> Result:
    """Escapes and bombs go through the product's own pool, while others render beside them."""
    from tests.faults import hostile_templates as hostile

    canary = bench.directory / "canary"
    escapes = hostile.escapes(str(canary))
    if "sandbox" in bench.without:
        return _unprotected_templates(escapes, canary, size["limit"])
    from provisioning.problems import ProblemsFound
    from provisioning.render.pool import RenderPool
    from tests.provisioning.rendering import FILE, instance

    pool = RenderPool(size=2, seconds=size["limit"], memory_mb=RENDER_MB)
    fine = pool.render("A: '{{ service.name }}'\n", FILE, instance())
    watch = _Watch(pool, FILE, instance(), fine)
    watch.calm(1.0)
    printed, slow, unhealthy, outputs, slowest = [], [], 0, [], 0.0
    with watch:
        for text in escapes:
            try:
                printed.append(pool.render(f"A: 1\nB: {text}\n", FILE, instance(x="y")).text[:200])
            except ProblemsFound:
                continue
        for name, text in hostile.BOMBS.items():
            started = time.monotonic()
            with contextlib.suppress(ProblemsFound):
                outputs.append(len(pool.render(text, FILE, instance(x="y")).text))
            took = time.monotonic() - started
            slowest = max(slowest, took)
            if took > min(RENDER_SECONDS, size["limit"]) + 1:
                slow.append(f"{name}: {took:.1f} s")
            unhealthy += pool.render("A: '{{ service.name }}'\n", FILE, instance()) != fine
    pool.close()
    return Result(
        faults={"escapes_tried": len(escapes), "bombs": len(hostile.BOMBS), "renders_beside": len(watch.during)},
        harm={
            "escapes": len(printed) + canary.exists(),
            "too_slow": len(slow),
            "too_large": int(watch.largest > RENDER_MB) + sum(length > 1_000_000 for length in outputs),
            "unhealthy": unhealthy + watch.wrong,
            "others_slowed": int(percentile(watch.during, 0.95) > 5 * percentile(watch.before, 0.95) + 0.1),
        },
        figures={
            "slowest_seconds": round(slowest, 2),
            "largest_mb": round(watch.largest),
            "others_p95_before_ms": round(1000 * sorted(watch.before)[int(0.95 * len(watch.before))], 1),
            "others_p95_ms": round(1000 * sorted(watch.during)[int(0.95 * len(watch.during))], 1),
            "examples": [*printed[:5], *slow[:5]],
        },
    )


class _Watch:
    """Others, who render all the time; and the memory of the pool's children."""

    def __init__(self, pool: Any, file: str, context: Any, fine: Any):
        self.pool, self.file, self.context, self.fine = pool, file, context, fine
        self.before: list[float] = []
        self.during: list[float] = []
        self.largest = 0.0
        self.wrong = 0
        self._stop = threading.Event()

    def _once(self, into: list[float]) -> None:
        started = time.monotonic()
        self.wrong += self.pool.render("A: '{{ service.name }}'\n", self.file, self.context) != self.fine
        into.append(time.monotonic() - started)
        time.sleep(0.01)

    def calm(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._once(self.before)

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self._once(self.during)

    def _weigh(self) -> None:
        while not self._stop.wait(0.02):
            for path in Path("/proc/self/task").glob("*/children"):
                for pid in _words(path):
                    self.largest = max(self.largest, resource_of(int(pid), "VmHWM"))

    def __enter__(self) -> "_Watch":
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._go_on, self._weigh)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _unprotected_templates(escapes: list[str], canary: Path, limit: float) -> Result:
    """Jinja as it comes, each template in a process of its own."""
    from jinja2 import Environment

    from tests.faults import hostile_templates as hostile
    from tests.provisioning.rendering import instance

    def render(text: str) -> str:
        return Environment().from_string(text).render(**instance(x="y"))[:200]

    escaped = 0
    for text in escapes:
        tried(partial(render, text), seconds=limit)
        if canary.exists():
            escaped += 1
            canary.rmdir() if canary.is_dir() else canary.unlink()
    bombs = [hostile.BOMBS[name] for name in ("time", "padding")]
    found: list[Tried] = [tried(partial(render, text), seconds=limit, memory=1500) for text in bombs]
    return Result(
        faults={"escapes_tried": len(escapes), "bombs": len(bombs)},
        harm={
            "escapes": escaped,
            "too_slow": sum(one.error == "killed" for one in found),
            "too_large": sum(one.peak > RENDER_MB for one in found),
        },
    )


# Documents


def _too_long(found: Tried) -> bool:
    return found.own > MOST_CPU or found.cpu > MOST_CPU_WITH_CHILDREN or found.error == "killed"


def _least(call: Callable[[], Any]) -> Tried:
    """What a document costs is the least of three tries: a busy machine adds to a figure and never takes away."""
    found = tried(call, seconds=MOST_WAIT)
    for _ in range(TRIES - 1):
        if not _too_long(found):
            break
        found = min(found, tried(call, seconds=MOST_WAIT), key=lambda one: one.own)
    return found


def documents(bench: Bench, size: Size) -> Result:
    from tests.faults import hostile_documents as hostile

    corpus = hostile.corpus() if "limits" not in bench.without else _unprotected_documents()
    accepted, unbounded, slowest, largest, with_children = [], [], 0.0, 0.0, 0.0
    for _ in range(int(size["times"])):
        for name, call in corpus.items():
            found = _least(call) if "limits" not in bench.without else tried(call, seconds=MOST_WAIT_OF_A_CONTROL)
            slowest, largest = max(slowest, found.own), max(largest, found.grown)
            with_children = max(with_children, found.cpu)
            too_long = _too_long(found)
            if found.answer is not True:
                accepted.append(f"{name}: {found.answer or found.error}")
            if too_long or found.grown > MOST_GROWTH:
                unbounded.append(f"{name}: {found.own:.2f} s of {found.cpu:.2f} s, {found.grown:.0f} MB")
    return Result(
        faults={"documents": len(corpus) * int(size["times"])},
        harm={"not_refused": len(accepted), "out_of_bounds": len(unbounded)},
        figures={
            "slowest_ms": round(1000 * slowest),
            "slowest_with_children_ms": round(1000 * with_children),
            "largest_growth_mb": round(largest),
            "examples": [*accepted[:6], *unbounded[:6]],
        },
    )


def _unprotected_documents() -> dict[str, Callable[[], bool]]:
    """The same in the hands of plain libraries."""
    import json
    import re

    import yaml

    from tests.faults import hostile_documents as hostile

    def dumped(text: str) -> bool:
        json.dumps(yaml.load(text, yaml.CSafeLoader))
        return False

    def searched(pattern: str, value: str) -> bool:
        return not re.search(pattern, value)

    texts = ("quadratic", "billion laughs", "a key that is there twice", "nodes")
    return {
        **{name: partial(dumped, hostile.DOCUMENTS[name]) for name in texts},
        **{pattern: partial(searched, pattern, hostile.PATTERNS[pattern]) for pattern in ("(a+)+b", "(x+x+)+y")},
    }


ROWS = [
    Row(
        15,
        "archives from an enemy",
        archives,
        ("reader",),
        small={"megabytes": 100, "damaged": 600, "seconds": 60},
        full={"megabytes": 1000, "damaged": 100_000, "seconds": 600},
        arena=None,
    ),
    Row(
        17,
        "templates that escape or exhaust",
        templates,
        ("sandbox",),
        small={"limit": 0.5, "seconds": 60},
        full={"limit": 5.0, "seconds": 300},
        arena=None,
    ),
    Row(
        28,
        "documents and patterns that explode",
        documents,
        ("limits",),
        small={"times": 1, "seconds": 60},
        full={"times": 20, "seconds": 600},
        arena=None,
    ),
]
