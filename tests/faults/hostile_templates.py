"""Templates that want out of the sandbox, or more time and memory than a rendering may have."""

from tests.provisioning.test_pool import ESCAPES, EXHAUSTING

# Writing the canary is the proof of an escape; {canary} is its path.
OWNED = [
    "{{ cycler.__init__.__globals__.os.popen('touch {canary}').read() }}",
    "{{ joiner.__init__.__globals__.os.popen('touch {canary}').read() }}",
    "{{ namespace.__init__.__globals__.os.popen('touch {canary}').read() }}",
    "{{ lipsum.__globals__.os.popen('touch {canary}').read() }}",
    "{{ lipsum.__globals__['os'].system('touch {canary}') }}",
    "{{ lipsum['__glob' ~ 'als__']['os']['system']('touch {canary}') }}",
    "{{ (lipsum | attr('__globals__'))['os'].system('touch {canary}') }}",
    "{{ self.__init__.__globals__.__builtins__.open('{canary}', 'w') }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.system('touch {canary}') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__()[40]('{canary}', 'w') }}",
    "{% for c in ().__class__.__base__.__subclasses__() %}{% if c.__name__ == 'catch_warnings' %}"
    "{{ c()._module.__builtins__['open']('{canary}', 'w') }}{% endif %}{% endfor %}",
    "{% for c in ''.__class__.__base__.__subclasses__() %}{% if c.__name__ == 'Popen' %}"
    "{{ c(['touch', '{canary}']).wait() }}{% endif %}{% endfor %}",
    "{{ service.__init__.__globals__ }}{{ dict.__base__.__subclasses__() }}",
    "{% set x = cycler.__init__ %}{{ x.__globals__.os.system('touch {canary}') }}",
    "{{ ['cycler.__init__'] | map(attribute='__class__') | list }}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__.__builtins__.open('{canary}', 'w') }}",
    "{% call(x) m() %}{% endcall %}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{{ url_for.__globals__.os.system('touch {canary}') }}",
    "{{ request.application.__globals__.__builtins__.__import__('os').system('touch {canary}') }}",
    "{{ config.__class__.__init__.__globals__['os'].system('touch {canary}') }}",
    "{{ get_flashed_messages.__globals__.__builtins__.open('{canary}', 'w') }}",
    "{{ range.__init__.__self__.__class__.__base__ }}{{ cycler.__init__.__globals__.os.mkdir('{canary}') }}",
    "{{ ('%c%c' | format(95, 95)) }}{{ ()[('_' ~ '_class_' ~ '_')] }}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{{ ''|attr(['_'*2, 'class', '_'*2]|join) }}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}{{ lipsum.__globals__.os.mkdir('{canary}') }}",
    "{{ g.pop.__globals__.__builtins__.open('{canary}', 'w') }}",
    '{{ x.__init__.__builtins__.exec(\'open("{canary}", "w")\') }}',
    "{% set f = '{0.__class__.__init__.__globals__[os]}'.format %}{{ f(cycler) }}",
    "{{ '{0.__init__.__globals__}'.format(joiner) }}",
    "{{ '{x.__class__.__base__}'.format_map({'x': ''}) }}",
    "{{ '%s' | format(''.__class__) }}",
    "{{ {'a': 'b'}.items().__iter__().__class__ }}",
    "{{ [1, 2] | sort(attribute='__class__') }}",
    "{{ [''] | groupby('__class__') }}",
    "{{ [''] | selectattr('__class__') | list }}",
    "{{ [''] | rejectattr('__doc__') | list }}",
    "{{ [''] | sum(attribute='__class__') }}",
    "{{ [''] | unique(attribute='__class__') | list }}",
    "{{ {'x': ''.upper}.x.__self__.__class__ }}",
    "{% for x in [1] recursive %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop.__class__.__mro__ }}{% endfor %}",
    "{% block b %}{{ super.__init__ }}{% endblock %}",
    "{{ caller.__globals__ }}",
    "{{ varargs.__class__ }}",
    "{{ (1).real.__class__ }}",
    "{{ true.__class__.__base__ }}",
    "{{ none.__class__ }}",
    "{{ [].sort.__self__.__class__ }}",
    "{{ ''.join.__call__.__self__ }}",
    "{% import 'x' as x with context %}{{ x }}",
    "{% include ['/etc/passwd', '{canary}'] %}",
    "{% extends '{canary}' %}",
    "{{ ''.encode().__class__ }}",
    "{{ (x for x in [1]).gi_frame.f_globals }}",
    "{% autoescape false %}{{ ''.__class__ }}{% endautoescape %}",
    "{% trans %}x{% endtrans %}",
]

BOMBS = {
    **{name: text for name, (text, _) in EXHAUSTING.items()},
    "a product of lists": "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
    "growing in a loop": "{% set ns = namespace(s='x' * 1000) %}{% for a in range(99) %}"
    "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "a join": "{{ range(99999) | map('string') | join('x' * 99999) }}",
    "slices": "{{ range(99999) | slice(99999) | list | length }}{{ range(99999) | batch(1) | list }}",
    "word wrap": "{{ ('x' * 900000) | wordwrap(1) }}",
    "big numbers": "{{ (9 ** 64) ** 64 }}{{ ((9 ** 64) ** 64) ** 64 }}{{ (((9 ** 64) ** 64) ** 64) ** 64 }}",
    "a macro that doubles": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
    "{{ m(60) }}",
    "json": "{% set ns = namespace(d=[]) %}{% for a in range(40) %}{% set ns.d = [ns.d, ns.d] %}{% endfor %}"
    "{{ ns.d | tojson }}",
    "sorting": "{% for a in range(99999) %}{{ range(99999) | sort | first }}{% endfor %}",
    "many names": "{% set v0 = 1 %}"
    + "".join(f"{{% set v{i + 1} = [v{i}, v{i}] %}}" for i in range(60))
    + "{{ v60 }}",
    "many blocks": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "a long text": "x" * 30_000_000,
    "regular expressions of filters": "{{ ('<' * 500000) | striptags }}{{ ('http://' * 100000) | urlize }}",
    "title": "{% for a in range(99999) %}{{ ('x-' * 400000) | title | length }}{% endfor %}",
    "yaml of aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    ) + "z: '{{ service_instance.inputs.x }}'\n",
}  # fmt: skip


def escapes(canary: str) -> list[str]:
    return [*ESCAPES, *(text.replace("{canary}", canary) for text in OWNED)]
