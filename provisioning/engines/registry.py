"""Engines by name."""

import threading
from collections.abc import Callable, Mapping

from provisioning.engines.base import Engine
from provisioning.engines.cloudformation import CloudFormationEngine
from provisioning.engines.customer_managed import CustomerManagedEngine
from provisioning.engines.memory import MemoryEngine
from provisioning.engines.session import Sessions

Factories = Mapping[str, Callable[[], Engine]]


class Engines:
    """Each engine is made once, when it is first asked for.

    Names: "cloudformation", "memory", and "none" for customer-managed environments. ``extra`` adds to them or
    replaces them.
    """

    def __init__(self, sessions: Sessions, extra: Factories | None = None):
        self._factories: dict[str, Callable[[], Engine]] = {
            "cloudformation": lambda: CloudFormationEngine(sessions),
            "memory": MemoryEngine,
            "none": CustomerManagedEngine,
            **(extra or {}),
        }
        self._made: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Engine:
        """Raises KeyError for a name that no engine has."""
        with self._lock:
            if name not in self._made:
                self._made[name] = self._factories[name]()
            return self._made[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._factories)
