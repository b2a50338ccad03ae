"""Turns whatever goes wrong while a template runs into problems with file and line."""

from collections.abc import Iterator
from contextlib import contextmanager

from jinja2 import Template, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError, TemplateError

from provisioning.problems import Problem, ProblemsFound
from provisioning.render.names import UnknownName

SYNTAX = "jinja-syntax"
UNKNOWN_NAME = "jinja-unknown-name"


@contextmanager
def compiling(file: str) -> Iterator[None]:
    """Errors of the template's own syntax."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise ProblemsFound([Problem("", str(error.message), line=error.lineno, file=file, code=SYNTAX)]) from None
    except RecursionError:
        raise ProblemsFound([Problem("", "the template is nested too deeply", file=file, code=SYNTAX)]) from None
    except (TemplateError, SyntaxError, ValueError, TypeError, OverflowError, KeyError) as error:
        raise ProblemsFound(
            [Problem("", f"the template cannot be compiled: {error}", file=file, code=SYNTAX)]
        ) from None


@contextmanager
def running(template: Template, file: str) -> Iterator[None]:
    """Errors of a rendering: unknown names, refusals of filters and of the sandbox, and the template's mistakes."""
    try:
        yield
    except (MemoryError, ProblemsFound):
        raise
    except Exception as error:  # a template can raise anything that Python can
        code = UNKNOWN_NAME if isinstance(error, UnknownName) else ""
        problem = Problem("", _message(error), line=_line(template, error), file=file, code=code)
        raise ProblemsFound([problem]) from None


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the template calls itself too often"
    if isinstance(error, UndefinedError):
        return str(error)
    if isinstance(error, SecurityError):
        return f"not allowed in a template: {error}"
    if "no loader for this environment" in str(error):
        return "a template cannot include, import or extend other files"
    return str(error) or type(error).__name__


def _line(template: Template, error: BaseException) -> int | None:
    """The template's line that was running: the innermost frame of its code."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return line
