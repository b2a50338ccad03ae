"""A process whose clock is wrong, without help from the system: only this process, and only what Python tells it."""

import datetime
import sys
import time
from typing import Any

_REAL: Any = datetime.datetime


def shift(seconds: float) -> None:
    """From now on this process believes that it is so many seconds later.

    ``time.time`` and ``datetime.datetime`` are replaced in every module that was imported, the standard library's,
    boto3's and Celery's included. What counts from an arbitrary start (``time.monotonic``) is right on such a machine
    as well, and is left alone.
    """
    real_time, real_time_ns = time.time, time.time_ns
    difference = datetime.timedelta(seconds=seconds)

    class Metaclass(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _REAL)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, _REAL)

    class Shifted(_REAL, metaclass=Metaclass):  # type: ignore[misc]
        def __new__(cls, *args: Any, **more: Any) -> Any:
            return _REAL(*args, **more)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _REAL.now(tz) + difference

        @classmethod
        def utcnow(cls) -> Any:
            return _REAL.now(datetime.UTC).replace(tzinfo=None) + difference

        today = now

    replaced = {
        id(_REAL): Shifted,
        id(real_time): lambda: real_time() + seconds,
        id(real_time_ns): lambda: real_time_ns() + int(seconds * 1e9),
    }
    for module in list(sys.modules.values()):
        if module is None or module is sys.modules[__name__]:
            continue
        for name, value in list(vars(module).items()):
            if id(value) in replaced:
                setattr(module, name, replaced[id(value)])
