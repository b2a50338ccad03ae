"""Regular expressions from strangers, searched in bounded time.

RE2 takes time in proportion to its input. It refuses look-around and back references; such a pattern runs under
Python's own engine in a child process that the kernel kills after ``CPU_SECONDS``, because no check of a pattern can
tell how long it may run.
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
CPU_SECONDS = 0.2
_WALL_SECONDS = 5.0
_CHILD = """
import re, resource, signal, sys
signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
signal.signal(signal.SIGPROF, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
pattern, subject = sys.stdin.buffer.read().decode().split("\\0")
sys.exit(0 if re.search(pattern, subject) else 3)
"""
# How many searches in child processes the current check may still start; None outside of a check.
SEARCHES_LEFT: ContextVar[list[int] | None] = ContextVar("SEARCHES_LEFT", default=None)

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
        left = SEARCHES_LEFT.get()
        if len(subject) > MAX_SUBJECT or left == [0]:
            raise PatternTooSlow
        if left is not None:
            left[0] -= 1
        return _search_in_child(self.text, subject)


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


@functools.lru_cache(maxsize=4096)
def _search_in_child(pattern: str, subject: str) -> bool:
    if "\0" in subject:
        return False
    try:
        done = subprocess.run(  # nosec B603: no shell, no argument of a stranger
            [sys.executable, "-I", "-S", "-c", _CHILD, str(CPU_SECONDS)],
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
    return done.returncode == 0
