"""Jinja as AWS Proton's samples rely on it, in a sandbox: the environment, compiled templates, and their errors.

A sandbox inside a process is a seat belt, not a wall: templates of other people are rendered by the pool.
"""

import functools
from collections.abc import Iterator
from typing import Any

from jinja2 import Template
from jinja2.lexer import Lexer, Token
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioning.render import filters, fragments
from provisioning.render.authored import PRINTED, ROOTS, mark_printed
from provisioning.render.limits import check_format, check_length, check_operation, check_width
from provisioning.render.names import METHODS, Absent, Loose, Unattached, Unknown, absent

FILENAME = "<template>"  # never the bundle's: a hostile file name must not reach the compiler
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})
_HYPHEN = "\u30fc"  # stands for "-" inside a name until the name is read; a letter to Python


class HyphenLexer(Lexer):
    """Reads ``outputs.my-output`` as one name: AWS Proton's documents write it so. Only without spaces, only below
    ``inputs`` and ``outputs``, and not before another namespace, which makes it a subtraction."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        tokens = list(super().tokeniter(source, name, filename, state))
        position, below = 0, False
        while position < len(tokens):
            line, kind, value = tokens[position]
            position += 1
            if kind == "name" and below:
                while (
                    position + 1 < len(tokens)
                    and tokens[position][1:] == ("operator", "-")
                    and tokens[position + 1][1] in ("name", "integer")
                    and tokens[position + 1][2] not in ROOTS
                ):
                    value += _HYPHEN + tokens[position + 1][2]
                    position += 2
                    if (
                        tokens[position - 1][1] == "integer"
                        and position < len(tokens)
                        and tokens[position][1] == "name"
                    ):
                        value += tokens[position][2]
                        position += 1
                yield line, kind, value
                below = tokens[position][2] == "." if position < len(tokens) else False
                continue
            if kind == "name":
                below = value in ("inputs", "outputs")
            elif kind != "operator" or value != ".":
                below = False
            yield line, kind, value

    def wrap(self, stream: Any, name: str | None = None, filename: str | None = None) -> Iterator[Token]:
        for token in super().wrap(stream, name, filename):
            if token.type == "name" and _HYPHEN in token.value:
                yield Token(token.lineno, token.type, token.value.replace(_HYPHEN, "-"))
            else:
                yield token


class Language(ImmutableSandboxedEnvironment):
    """The environment of every template. Holds no state of a rendering: threads share it."""

    intercepted_binops = frozenset({"*", "%", "**", "+"})
    concat = staticmethod(fragments.concat)

    def __init__(self) -> None:
        super().__init__(undefined=Unknown, autoescape=False, loader=None, keep_trailing_newline=True)
        for name in ("lipsum", "cycler", "joiner"):
            del self.globals[name]
        self.filters.update(filters.FILTERS)
        self.filters[PRINTED] = filters.printed
        self.hyphen_lexer = HyphenLexer(self)

    @property
    def lexer(self) -> Lexer:
        return self.hyphen_lexer

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Loose):
            return self._below(obj, attribute, METHODS)
        if isinstance(obj, Absent):
            return absent(str(obj._undefined_name), attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Loose):
            return self._below(obj, argument, frozenset())
        if isinstance(obj, Absent):
            return absent(str(obj._undefined_name), str(argument))
        return super().getitem(obj, argument)

    def _below(self, obj: Loose, name: Any, methods: frozenset[str]) -> Any:
        if name in obj:
            return obj[name]
        if name in methods:
            return getattr(obj, name)
        if isinstance(obj, Unattached) and name == "outputs":
            return Loose({}, f"{obj.path}.outputs")
        head, _, number = str(name).rpartition("-")
        if number.isdecimal() and isinstance(obj.get(head), int | float):
            return obj[head] - int(number)  # inputs.count-1
        return absent(obj.path, str(name))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        name, text = getattr(__obj, "__name__", ""), getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(text, str):
            if name in _PADDING:
                check_width(*args, *kwargs.values())
            elif name in ("format", "format_map"):
                check_format(text)
            elif name == "replace":
                check_length(len(text) + text.count(str(args[0])) * len(str(args[1])) if len(args) > 1 else 0)
            elif name == "join" and args:
                args = ([str(item) for item in args[0]], *args[1:])
                check_length(sum(map(len, args[0])) + len(text) * len(args[0]))
        return super().call(__context, __obj, *args, **kwargs)


@functools.cache
def language() -> Language:
    return Language()


@functools.lru_cache(maxsize=128)
def compiled(text: str) -> Template:
    """The template of a text, compiled once. Raises TemplateSyntaxError and whatever the compiler cannot bear."""
    environment = language()
    tree = environment.parse(text)
    mark_printed(tree, environment, text)
    code = environment.compile(tree, filename=FILENAME)
    return Template.from_code(environment, code, dict(environment.globals))
