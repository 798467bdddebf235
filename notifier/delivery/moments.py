"""When those come back that could not be sent now: one after another, not all at once."""

import threading
import time
from collections.abc import Callable

#: Multiples of the golden ratio's part behind the point, less their whole part, fill an interval evenly, however many
#: they become (Weyl).
_EVENLY = 0.6180339887498949


class Moments:
    """Thread-safe. Nobody is put off for longer than `longest` seconds: what holds them up may end before."""

    def __init__(self, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        #: By queue the moment that was given away last.
        self._last: dict[str, float] = {}
        #: How many were put off beyond the longest.
        self._beyond = 0

    def after(self, queue: str, wait: float, interval: float) -> float:
        """Seconds to the queue's next free moment after `wait`; those beyond the longest are spread over the half before it.

        Had they one moment in common, or the pace they came at, thousands would come back in one second, in vain.
        """
        with self._lock:
            now = self._clock()
            moment = max(now + wait, self._last.get(queue, 0.0) + interval)
            if moment - now <= self._longest:
                self._last[queue] = moment
                return moment - now
            self._last[queue] = now + self._longest
            self._beyond += 1
            return self._longest * (1 - self._beyond * _EVENLY % 1 / 2)
