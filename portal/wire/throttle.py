"""How often one access key may call: a token bucket for each, in the memory of each web process.

With several web processes a key gets so much from each of them. Nothing is asked of Redis, which may be down.
"""

import threading
import time
from collections import OrderedDict

from django.conf import settings

from portal.wire.sigv4 import Refused

REMEMBERED = 10_000  # keys; the one that was silent longest is forgotten first, and its bucket is full again
_buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens that were left, and when
_lock = threading.Lock()


def take(name: str, *, now: float | None = None) -> None:
    """One call of ``name``. Raises Refused (ThrottlingException) when WIRE_BURST is used up and WIRE_RATE too slow."""
    rate, burst = settings.WIRE_RATE, max(1.0, settings.WIRE_BURST)
    if rate <= 0:
        return
    now = time.monotonic() if now is None else now
    with _lock:
        left, at = _buckets.get(name, (burst, now))
        left = min(burst, left + (now - at) * rate)
        enough = left >= 1
        _buckets[name] = (left - 1 if enough else left, now)
        _buckets.move_to_end(name)
        if len(_buckets) > REMEMBERED:
            _buckets.popitem(last=False)
    if not enough:
        raise Refused("ThrottlingException", f"Rate exceeded: {rate:g} calls a second. Slow down and try again.")
