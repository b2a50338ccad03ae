"""Checks of what people call things, shared by all actions."""

import re
from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, transaction

from portal.errors import Conflict, Invalid
from provisioning.problems import Problem

RESOURCE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_\-]*", re.ASCII)
Made = TypeVar("Made")


def check_name(name: str, what: str, *, path: str = "/name") -> None:
    """AWS Proton's ResourceName: 1 to 100 letters, digits, hyphens and underscores, a letter or digit first."""
    if not name:
        problem = f"Give the {what} a name."
    elif len(name) > 100:
        problem = "A name has at most 100 characters."
    elif not RESOURCE_NAME.fullmatch(name):
        problem = "Use letters, digits, hyphens and underscores, beginning with a letter or digit."
    else:
        return
    raise Invalid(f"{what} name: {problem}", [Problem(path, problem)])


def check_texts(*, description: str | None = None, display_name: str | None = None) -> None:
    """AWS Proton: a description has at most 500 characters, a display name at most 100."""
    problems = []
    if description and len(description) > 500:
        problems.append(Problem("/description", "A description has at most 500 characters."))
    if display_name and len(display_name) > 100:
        problems.append(Problem("/display_name", "A display name has at most 100 characters."))
    if problems:
        raise Invalid("; ".join(problem.message for problem in problems), problems)


def unless_taken(make: Callable[[], Made], message: str) -> Made:
    """Run ``make`` in its own savepoint; a broken unique constraint becomes Conflict with ``message``."""
    try:
        with transaction.atomic():
            return make()
    except IntegrityError:
        raise Conflict(message) from None
