"""Regular expressions from strangers, searched in bounded time.

RE2 takes time in proportion to its input. It refuses look-around and back references; such a pattern runs under
Python's own engine in a child process that the kernel kills after ``CPU_SECONDS``, because no check of a pattern can
tell how long it may run. All of them together have that long in one check of one document.
"""

import functools
import re
import subprocess  # nosec B404: the interpreter itself, with fixed arguments
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import re2

MAX_PATTERN = 1_000  # characters
MAX_SUBJECT = 1_000  # characters, for patterns that RE2 refuses
MAX_SEARCHES = 50  # in child processes, for one check of one document
CPU_SECONDS = 0.15  # of all searches in child processes, for one check of one document
_WALL_SECONDS = 5.0
_CHILD = """
import re, resource, signal, sys, time
signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
signal.signal(signal.SIGPROF, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
pattern, subject = sys.stdin.buffer.read().decode("utf-8", "surrogatepass").split("\\0")
begun = time.process_time()
found = re.search(pattern, subject)
print(time.process_time() - begun)
sys.exit(0 if found else 3)
"""


@dataclass
class Budget:
    """What one check may still spend on child processes: many patterns must not take as long as they are many."""

    searches: int = MAX_SEARCHES
    seconds: float = CPU_SECONDS


BUDGET: ContextVar[Budget | None] = ContextVar("BUDGET", default=None)  # of the current check

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20


class PatternTooSlow(Exception):
    """A pattern that RE2 refuses did not answer in time, or may not be tried: the value is too long, or too many."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern. ``linear`` tells whether RE2 runs it."""

    text: str
    linear: bool
    compiled: Any = None

    def search(self, subject: str) -> bool:
        """JSON Schema's meaning: somewhere in the subject, not anchored. Raises PatternTooSlow."""
        if self.linear:
            return self.compiled.search(subject) is not None
        budget = BUDGET.get() or Budget()
        if len(subject) > MAX_SUBJECT or budget.searches <= 0 or budget.seconds <= 0:
            raise PatternTooSlow
        budget.searches -= 1
        try:
            found, seconds = _search_in_child(self.text, subject, budget.seconds)
        except PatternTooSlow:
            budget.seconds = 0
            raise
        budget.seconds -= seconds
        return found


class PatternRefused(Exception):
    """A pattern that cannot be used; the message says why."""


@functools.lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """Raises PatternRefused when no engine takes the pattern."""
    if len(text) > MAX_PATTERN:
        raise PatternRefused(f"is longer than {MAX_PATTERN} characters")
    if "\0" in text:
        raise PatternRefused("holds a NUL character")
    try:
        return Pattern(text, True, re2.compile(text, _OPTIONS))
    except re2.error:
        pass
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternRefused(f"is not a regular expression ({error})") from error
    return Pattern(text, False)


_known: dict[tuple[str, str], bool] = {}  # answers of child processes
_MOST_KNOWN = 4096


def _search_in_child(pattern: str, subject: str, seconds: float) -> tuple[bool, float]:
    """Whether it matches, and the processor time that took; nothing for what is known already."""
    known = _known.get((pattern, subject))
    if known is not None:
        return known, 0.0
    if "\0" in subject:
        return False, 0.0
    try:
        done = subprocess.run(  # nosec B603: no shell, no argument of a stranger
            [sys.executable, "-I", "-S", "-c", _CHILD, str(seconds)],
            input=f"{pattern}\0{subject}".encode("utf-8", "surrogatepass"),
            capture_output=True,
            timeout=_WALL_SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PatternTooSlow from None
    if done.returncode not in (0, 3):
        raise PatternTooSlow
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[pattern, subject] = done.returncode == 0
    return done.returncode == 0, float(done.stdout)
