"""How many messages of a lane a process should have unacked: enough that no thread waits, no more."""

from notifier.scheduling.scheduler import Scheduler

#: Bounds, and the seconds of arrivals to have at hand. Acks go out once half of the prefetch is settled: with a
#: few messages at hand a lane's connection is woken for every second ack (decision 18).
LEAST, MOST, AT_HAND = 4, 300, 0.5
#: Seconds between two changes of a lane's, up and down: a burst must not wait for what a lull decided. To double or
#: more waits for nothing: threads that others left idle while the broker has messages for them.
BETWEEN_UP, BETWEEN_DOWN = 1.0, 5.0


def wanted_prefetch(threads: int, rate: float) -> int:
    """Twice the threads (its budget, or what it borrowed beyond that) and what arrives in half a second, 4 to 300.

    >>> wanted_prefetch(8, 100.0)
    66
    """
    return max(LEAST, min(MOST, round(2 * threads + AT_HAND * rate)))


class PrefetchSizes:
    """Remembers each lane's size and says which are due to change."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._sizes: dict[str, int] = {}
        self._changed_at: dict[str, float] = {}

    def due(self, scheduler: Scheduler) -> dict[str, int]:
        """The new size of each lane that should have another than it has, as of the last tick."""
        now = scheduler.ticked_at
        found = {}
        for lane in scheduler.lanes.values():
            size = self._sizes.get(lane.name, self._first)
            wanted = wanted_prefetch(max(lane.budget, lane.running), lane.arrival_rate(now))
            between = _between(wanted, size)
            late = now - self._changed_at.get(lane.name, float("-inf")) >= between
            # A second consumer has to be made for it, so not for a little.
            if late and abs(wanted - size) >= size / 2:
                found[lane.name] = self._sizes[lane.name] = wanted
                self._changed_at[lane.name] = now
        return found


def _between(wanted: int, size: int) -> float:
    if wanted >= 2 * size:
        return 0.0
    return BETWEEN_UP if wanted > size else BETWEEN_DOWN
