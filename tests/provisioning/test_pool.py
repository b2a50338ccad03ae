"""Rendering in child processes: limits, hostile templates, and what becomes of the children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioning.problems import Problem, ProblemsFound
from provisioning.render import Rendered, render_file
from provisioning.render.pool import RenderPool, default_pool
from tests.provisioning.rendering import FILE, instance, problems

GOOD = "A: '{{ service.name }}'\n"
FINE = Rendered("A: 'shop'\n")


@pytest.fixture(scope="module")
def pool() -> Iterator[RenderPool]:
    pool = RenderPool(size=1, seconds=2, memory_mb=128, output_bytes=100_000)
    yield pool
    pool.close()


def child(pool: RenderPool) -> int:
    pool.render(GOOD, FILE, instance())
    (idle,) = pool._idle
    return idle._process.pid


def test_a_pool_renders_what_the_process_itself_renders(pool: RenderPool):
    text = "A: {{ service_instance.inputs.list }}\nB: é\n"
    context = instance(list=["a", 1, None, "ü"])
    assert pool.render(text, FILE, context) == render_file(text, FILE, context)


def test_a_pools_problems_are_those_of_the_process_itself(pool: RenderPool):
    for text in ("A: {{ nope }}", "A: {{", "A: {{ service_instance.inputs.x }}", "A: '{{ service_instance.inputs.x }}"):
        context = instance(x="a: b")
        assert problems(pool.render, text, FILE, context) == problems(render_file, text, FILE, context)


def test_trust_and_the_authors_strings_reach_the_child(pool: RenderPool):
    text, context = "A: [{{ service_instance.inputs.x }}]", instance(x="a, b")
    assert pool.render(text, FILE, context, trusts_inputs=True).text == "A: [a, b]"
    assert pool.render(text, FILE, context, authored=["a, b"]).text == "A: [a, b]"
    assert len(problems(pool.render, text, FILE, context)) == 1


WIDTH = "not allowed in a template: a width of more than 1000000 is refused"
SIZE = "not allowed in a template: a result of more than 1000000 characters or items is refused"
FORMAT = "not allowed in a template: a format with so large a width is refused"
OUTPUT = "the rendered file is larger than 100000 bytes"
EXHAUSTING = {
    "time": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "rendering took longer than 2 s and was stopped",
    ),
    "memory": (
        "{% set ns = namespace(all=[]) %}{% for a in range(99999) %}"
        "{% set ns.all = [ns.all, 'x' * 900000 ~ a] %}{% endfor %}",
        "needed more than 128 MB of memory",
    ),
    "output": ("{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", OUTPUT),
    "one large output": ("{{ 'x' * 900000 }}", OUTPUT),
    "padding": ("{{ 'x'.center(900000000) }}", WIDTH),
    "padding filter": ("{{ 'x' | center(900000000) }}", WIDTH),
    "zfill": ("{{ 'x'.zfill(900000000) }}", WIDTH),
    "indent": ("{{ 'x' | indent(900000000) }}", WIDTH),
    "format": ("{{ '{:900000000}'.format(1) }}", FORMAT),
    "percent": ("{{ '%0900000000d' % 1 }}", FORMAT),
    "percent filter": ("{{ '%*d' | format(900000000, 1) }}",
                       FORMAT),
    "repetition": ("{{ 'x' * 900000000 }}",
                   SIZE),
    "repeated list": ("{{ [1] * 900000000 }}",
                      SIZE),
    "power": ("{{ 9 ** 999999999 }}", "not allowed in a template: an exponent of more than 64 is refused"),
    "replace": ("{{ ('x' * 900000).replace('x', 'y' * 900000) }}",
                SIZE),
    "range": ("{{ range(999999999) | list }}", "Range too big. The sandbox blocks ranges larger than"
              " MAX_RANGE (100000).",
),
    "doubling": ("{% set ns = namespace(s='x') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                 "needed more than 128 MB of memory"),
    "nesting": ("{{ " + "(" * 20000 + "1" + ")" * 20000 + " }}", "the template is nested too deeply"),
    "recursion": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "the template calls itself too often"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(EXHAUSTING))
def test_a_template_that_exhausts_its_renderer_is_stopped_and_the_next_one_is_fine(pool: RenderPool, what: str):
    text, message = EXHAUSTING[what]
    started = time.monotonic()
    assert [problem.message for problem in problems(pool.render, text, FILE, instance())] == [message]
    assert time.monotonic() - started < 5
    assert pool.render(GOOD, FILE, instance()) == FINE


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ () | attr('__class__') }}",
    "{{ () | attr('_' ~ '_class_' ~ '_') | attr('__base__') }}",
    "{{ [''] | map(attribute='__class__') | list }}",
    "{{ [''] | map('attr', '__class__') | list }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__.__init__.__globals__}'.format_map({'0': 1}) }}",
    "{% set f = '{0.__class__}'.format %}{{ f(1) }}",
    "{{ ('{0.__class__}' | attr('format'))(1) }}",
    "{{ ['{0.__class__}' | attr('format')] | map('first') | list }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ range.__class__ }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% for x in [1] %}{{ loop._iterable.__class__ }}{% endfor %}",
    "{{ service.name.__class__ }}",
    "{{ service_instance.inputs.__class__ }}",
    "{{ service_instance.inputs.x.__init__ }}",
    "{{ service_instance.inputs.items.__self__.__class__ }}",
    "{{ service.update({'name': 'x'}) }}",
    "{{ service_instance.inputs.clear() }}",
    "{{ service.outputs.pop('x') }}",
    "{{ [].append(1) }}",
    "{% set l = [] %}{{ l.extend([1]) }}",
    "{{ service.__setitem__('name', 'x') }}",
    "{{ (1).__class__.__bases__ }}",
    "{{ ''.join.__self__.__class__ }}",
    "{{ (service_instance | string).__len__ }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as p %}",
    "{% extends '/etc/passwd' %}",
    "{% from 'os' import system %}",
    "{% debug %}",
    "{% do service.clear() %}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os') }}",
    "{{ x.__builtins__ }}",
    "{{ joiner }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_no_known_escape_leaves_the_sandbox(pool: RenderPool, text: str):
    found = problems(pool.render, f"A: 1\nB: {text}\n", FILE, instance())
    assert [(problem.severity, problem.line) for problem in found] == [("error", 2)]
    assert pool.render(GOOD, FILE, instance()) == FINE


def test_a_child_that_hangs_is_killed_and_replaced(pool: RenderPool):
    first = child(pool)
    os.kill(first, signal.SIGSTOP)
    assert problems(pool.render, GOOD, FILE, instance()) == (
        Problem("", "rendering took longer than 2 s and was stopped", file=FILE),
    )
    assert child(pool) != first


def test_a_child_that_died_while_it_was_idle_is_replaced_without_anybody_noticing(pool: RenderPool):
    first = child(pool)
    os.kill(first, signal.SIGKILL)
    assert pool.render(GOOD, FILE, instance()) == FINE
    assert child(pool) != first


def test_a_child_is_warm_and_serves_many_renderings(pool: RenderPool):
    assert {child(pool) for _ in range(5)} == {child(pool)}


def test_a_child_has_no_environment_and_no_open_file_of_its_parent(pool: RenderPool, tmp_path: Path):
    inherited = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        pool.close()
        process = Path("/proc") / str(child(pool))
    finally:
        os.close(inherited)
    assert (process / "environ").read_bytes() == b""
    opened = {os.readlink(entry).split(":")[0] for entry in (process / "fd").iterdir()}
    assert opened == {"pipe", "/dev/null"}


def test_threads_share_a_pool(pool: RenderPool):
    def render(number: int) -> str:
        return pool.render("A: {{ service_instance.inputs.n }}", FILE, instance(n=number)).text

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(render, range(100))) == [f"A: {number}" for number in range(100)]


def test_a_hostile_template_does_not_hold_up_another_child():
    pool = RenderPool(size=2, seconds=2)
    pool.render(GOOD, FILE, instance())
    with ThreadPoolExecutor(1) as threads:
        hostile = threads.submit(pool.render, EXHAUSTING["time"][0], FILE, instance())
        assert [pool.render(GOOD, FILE, instance()) for _ in range(20)] == [FINE] * 20
        assert not hostile.done()
        with pytest.raises(ProblemsFound):
            hostile.result()
    pool.close()


def test_a_pool_works_on_after_a_fork(pool: RenderPool):
    before = child(pool)
    pid = os.fork()
    if pid == 0:
        fine = pool.render(GOOD, FILE, instance()) == FINE and child(pool) != before
        pool.close()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child(pool) == before


def test_children_end_when_their_parent_is_killed():
    program = (
        "from provisioning.render.pool import default_pool; import time;"
        "default_pool().render('A: 1', 'f', {}); print(default_pool()._idle[0]._process.pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = Path("/proc") / parent.stdout.readline().strip()
        assert (orphan / "stat").exists()
        parent.kill()
    ended = time.monotonic() + 10
    while running(orphan) and time.monotonic() < ended:
        time.sleep(0.02)
    assert not running(orphan)


def running(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_has_one_default_pool_with_the_documented_limits():
    pool = default_pool()
    assert pool is default_pool()
    assert (pool.size, pool.seconds, pool.memory_mb, pool.output_bytes) == (2, 5, 512, 1_000_000)
