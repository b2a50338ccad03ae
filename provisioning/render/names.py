"""What a template may do with a name that is not there.

Below ``inputs`` and ``outputs`` an absent name may be tested, compared, iterated and given a default; only printing it,
or computing with it, fails. Everywhere else an absent name fails at once. AWS Proton: samples test and compare absent
optional inputs, while printing an absent output fails the deployment.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Undefined, UndefinedError
from jinja2.utils import missing

from provisioning.render.invented import INVENTED, invented_output

METHODS = frozenset({"items", "keys", "values", "get"})


class UnknownName(UndefinedError):
    """A template reads a name that can never exist."""


class Namespace(dict[str, Any]):
    """A mapping whose names AWS Proton defines; ``path`` is how a template would write it."""

    __slots__ = ("path",)

    def __init__(self, values: Mapping[str, Any], path: str):
        super().__init__(values)
        self.path = path


class Unknown(StrictUndefined):
    """An undefined name anywhere else: may be asked whether it is defined and given a default, and nothing more."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[Exception] = UndefinedError,
    ):
        if isinstance(obj, Namespace):
            hint = f"{obj.path}.{name} does not exist; there are {', '.join(sorted(obj)) or 'no names'}"
        never = obj is missing or isinstance(obj, Namespace)
        super().__init__(hint, obj, name, UnknownName if never else exc)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return str(self)  # fails: a list that holds it cannot be printed either


class Loose(dict[str, Any]):
    """A mapping at or below ``inputs`` or ``outputs``; ``path`` is how a template would write it."""

    __slots__ = ("path",)

    def __init__(self, values: Mapping[str, Any], path: str):
        super().__init__(values)
        self.path = path


class Unattached(Loose):
    """``components.default`` when no component is attached: empty, and so are its outputs."""

    __slots__ = ()


class Invented(Loose):
    """Outputs of which nothing is known yet: every name has a plausible value. For renderings with sample values."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return name != INVENTED

    def __missing__(self, name: str) -> str:
        return invented_output(name)


class Absent(Undefined):
    """A name that is not there, below ``inputs`` or ``outputs``."""

    __slots__ = ()

    def _is_neither(self, other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _is_neither  # type: ignore[assignment]

    def _fails(self, *args: object, **kwargs: object) -> NoReturn:
        self._fail_with_undefined_error()

    __str__ = __repr__ = _fails


def absent(path: str, name: str) -> Absent:
    return Absent(f"{path}.{name} has no value", name=f"{path}.{name}")


def scope(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context with everything at and below ``inputs`` and ``outputs`` made loose."""
    return {name: _scope(value, name) for name, value in context.items()}


def _scope(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_scope(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if path.endswith("components.default") and "name" not in value:
        return Unattached({}, path)
    names = {
        key: _loose(item, f"{path}.{key}") if key in ("inputs", "outputs") else _scope(item, f"{path}.{key}")
        for key, item in value.items()
    }
    return Namespace(names, path)


def _loose(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        if INVENTED in value:
            return Invented(value, path)
        return Loose({key: _loose(item, f"{path}.{key}") for key, item in value.items()}, path)
    if isinstance(value, list):
        return [_loose(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return value
