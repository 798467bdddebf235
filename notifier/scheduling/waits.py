"""How long a message of high priority would wait for a thread if none were kept for it.

The larger of two estimates. One looks at what runs: threads come free at the sum of their rates. The other
looks at when they did come free: a message that arrives at any moment meets a gap in proportion to its
length, so it waits E[gap^2] / 2 E[gap]. The second sees threads that go in lockstep.
"""

from collections.abc import Iterable

from notifier.scheduling.averages import Moments
from notifier.scheduling.lanes import LaneState
from notifier.scheduling.policy import Policy


class FreedThreads:
    """The gaps between freed threads, while at least half of them are busy."""

    def __init__(self, policy: Policy) -> None:
        self._busy_from = policy.threads / 2
        self._gaps = Moments(policy.gap_half_life)
        self._last: float | None = None

    def started(self, now: float, busy: int) -> None:
        """`busy` threads work, with the one that just began."""
        if self._last is None and busy >= self._busy_from:
            self._last = now

    def ended(self, now: float, busy: int) -> None:
        """A thread came free; `busy` worked, with it."""
        if self._last is not None:
            self._gaps.add(now, now - self._last)
        self._last = now if busy - 1 >= self._busy_from else None

    def wait(self, now: float) -> float:
        """Seconds, with the gap that is still open; 0 while few threads are busy."""
        return 0.0 if self._last is None else self._gaps.residual_with(now, now - self._last)


def wait_of_running(lanes: Iterable[LaneState], first: float) -> float:
    """Seconds until the first of the running calls ends, from what calls like them last; inf if none will."""
    freed = 0.0
    for lane in lanes:
        if lane.fresh:
            residual = lane.service.residual if lane.service.known else first / 2
            freed += lane.fresh / max(residual, 1e-6)
    return 1 / freed if freed else float("inf")
