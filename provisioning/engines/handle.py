"""What an engine hands itself from one call to the next. All of it can be lost: looking finds it."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self


@dataclass(frozen=True)
class BaseHandle:
    """Each engine adds its own fields, every one with a default."""

    @classmethod
    def load(cls, text: str | None) -> Self:
        """What was dumped, without fields that are not known any more; an empty one when there is none."""
        known = {field.name for field in fields(cls)}
        values = json.loads(text) if text else {}
        return cls(**{name: value for name, value in values.items() if name in known})

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def dump(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})
